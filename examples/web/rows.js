// The rows of the account and of the trash: each has one action.

import { $, focusIsLost } from './dom.js';
import { run } from './forms.js';

/** Creates a row. `label` is the text of its button; without one it has none. */
export function createRow({ title, about, label, act }) {
  const row = $('#row-template').content.firstElementChild.cloneNode(true);
  const button = $('button', row);
  $('b', row).textContent = title;
  $('small', row).textContent = about;
  button.hidden = !label;
  button.textContent = label;
  button.ariaLabel = `${label} ${title}`;
  button.addEventListener('click', () => run(button, () => act(row)));
  return row;
}

/** Removes a row. If the focus was in it, the next one gets it. */
export function drop(row) {
  const neighbor = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  if (focusIsLost()) (neighbor && $('button:not([hidden])', neighbor) || $('.view:not([hidden]) h1')).focus();
}
