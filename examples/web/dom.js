// Short names for the DOM.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** True if nothing has the focus, for example because what had it was removed or disabled. */
export const focusIsLost = () => document.activeElement === document.body;
