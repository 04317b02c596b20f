// Toasts: messages that go away by themselves. One of them may offer to undo what it tells.

import { $, $$ } from './dom.js';
import { run } from './forms.js';

/** How long a toast stays, in milliseconds: one with an offer long enough to be read and reached. */
const [TIME, TIME_TO_UNDO] = [5000, 10_000];
/** At most so many are shown, so that they do not cover the list. */
const MOST = 3;

const toasts = $('#toasts');

/**
 * Shows a toast. One about the same `subject`, such as a task's ID, makes way. While the `work` that it tells is under
 * way, it stays, and screen readers wait.
 */
export function toast(text, undo, { subject = '', work } = {}) {
  const item = $('#toast-template').content.firstElementChild.cloneNode(true);
  const button = $('button', item);
  $('p', item).textContent = text;
  button.hidden = !undo;
  button.addEventListener('click', () => run(button, async () => {
    await undo();
    item.remove();
    toast('Undone.');
  }));
  item.dataset.subject = subject;
  if (subject) $(`[data-subject="${subject}"]`, toasts)?.remove();
  toasts.append(item);
  if (toasts.children.length > MOST) [...toasts.children].find((other) => !isUsed(other)).remove();
  item.ariaBusy = work ? 'true' : null;
  Promise.resolve(work).then(() => {
    item.ariaBusy = null;
    setTimeout(hide, undo ? TIME_TO_UNDO : TIME, item);
  });
  return item;
}

const isUsed = (item) => item.matches(':hover, :focus-within, :has(:disabled)');

/** Hides a toast when nobody uses it any more. */
function hide(item) {
  if (isUsed(item)) setTimeout(hide, 1000, item);
  else item.remove();
}

export const clearToasts = () => toasts.replaceChildren();

addEventListener('keydown', (event) => {
  const isUndo = event.key === 'z' && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  // A text field has an undo of its own.
  if (!isUndo || event.target.matches('input:not([type=checkbox]), textarea') || $('dialog[open]')) return;
  const last = $$('button:not([hidden], :disabled)', toasts).at(-1);
  if (!last) return;
  event.preventDefault();
  last.click();
});
