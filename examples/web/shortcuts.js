// The keyboard shortcuts of the page, and the dialog that lists all of them. Those of a task are in tasks.js.

import { $ } from './dom.js';
import { storage } from './storage.js';

const KEY = 'todo-shortcuts';

const dialog = $('#shortcuts');
/** Speech input types letters by mistake, so that they can be turned off (WCAG 2.1.4). */
const isOn = $('#shortcuts-on');

const actions = {
  n: () => onBoard('#new-task [name=title]'),
  '/': () => onBoard('#filters [name=search]'),
  '?': () => dialog.showModal(),
};

/** Goes to the board, if need be, and puts the focus there. */
function onBoard(field) {
  if ($('#board').hidden) {
    addEventListener('hashchange', () => $(field).focus(), { once: true });
    location.hash = '';
  } else $(field).focus();
}

addEventListener('keydown', (event) => {
  const { key, target, ctrlKey, metaKey, altKey, isComposing } = event;
  const isTyped = target.matches('input:not([type=checkbox]), textarea, select');
  const isOff = !isOn.checked || $('#session').hidden || $('dialog[open]');
  if (!actions[key] || isTyped || isOff || ctrlKey || metaKey || altKey || isComposing) return;
  event.preventDefault();
  actions[key]();
});

$('#show-shortcuts').addEventListener('click', () => dialog.showModal());

isOn.checked = storage((store) => store.getItem(KEY)) !== 'off';
isOn.addEventListener('change', () => storage((store) => store.setItem(KEY, isOn.checked ? 'on' : 'off')));
