// The controls of a task on the board, and its keys: `e` to edit it, `x` to select it.

import { complete, erase } from './actions.js';
import { formOf, idsIn, list } from './board.js';
import { filterByTag } from './filters.js';
import { edit } from './outbox.js';
import { select } from './selection.js';

const idOf = (target) => target.closest('.task')?.dataset.id;

list.addEventListener('change', ({ target }) => {
  if (target.matches('.complete')) complete([idOf(target)], target.checked);
});

list.addEventListener('click', ({ target }) => {
  if (target.matches('.tag')) filterByTag(target.textContent);
  if (target.matches('.edit')) edit(idOf(target));
  if (target.matches('.delete')) erase([idOf(target)]);
  if (target.matches('.clear-done')) erase(idsIn(target.closest('section')).filter((id) => !formOf(id)));
});

list.addEventListener('keydown', (event) => {
  const { key, target, ctrlKey, metaKey, altKey } = event;
  const act = { e: edit, x: select }[key];
  if (!act || !idOf(target) || target.closest('form') || ctrlKey || metaKey || altKey) return;
  event.preventDefault();
  act(idOf(target));
});
