// Short names for the DOM.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Sets a status. Screen readers would read the same text again. */
export function setStatus(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** True if nothing has the focus, for example because what had it was removed or disabled. */
export const focusIsLost = () => document.activeElement === document.body;
