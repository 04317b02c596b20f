// Selecting several tasks, to complete or delete them together.

import { complete, erase } from './actions.js';
import { itemOf, list, view } from './board.js';
import { $, $$, setStatus } from './dom.js';

const [bar, start] = [$('#selection'), $('#select')];

const picks = (state = '') => $$(`.task[aria-busy=false]:not(:has(form)) .pick${state}`, list);
const openOf = (ids) => ids.filter((id) => !view(id).completed);
const selected = () => picks(':checked').map((pick) => pick.closest('.task').dataset.id);

function show(isOn) {
  bar.hidden = !isOn;
  start.ariaPressed = String(isOn);
  count();
}

function count() {
  const ids = bar.hidden ? [] : selected();
  setStatus($('#selected'), bar.hidden ? '' : `${ids.length} selected`);
  $('#complete-selected').disabled = openOf(ids).length === 0;
  $('#delete-selected').disabled = ids.length === 0;
}

/** Selects a task, or no longer. */
export function select(id) {
  const pick = $('.pick', itemOf(id));
  pick.checked = !pick.checked;
  show(true);
}

export function clearSelection() {
  for (const pick of $$('.pick', list)) pick.checked = false;
  show(false);
}

function finish(act) {
  const ids = selected();
  clearSelection();
  start.focus();
  act(ids);
}

start.addEventListener('click', () => (bar.hidden ? show(true) : clearSelection()));
list.addEventListener('change', count);
// A task that leaves the list is no longer selected.
new MutationObserver(count).observe(list, { childList: true, subtree: true, attributeFilter: ['aria-busy'] });
$('#select-all').addEventListener('click', () => {
  for (const pick of picks()) pick.checked = true;
  count();
});
$('#complete-selected').addEventListener('click', () => {
  finish((ids) => complete(openOf(ids), true));
});
$('#delete-selected').addEventListener('click', () => finish(erase));
$('#end-selection').addEventListener('click', () => {
  clearSelection();
  start.focus();
});
