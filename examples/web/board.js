// The tasks on the board. Each is shown as the user wants it to be, until the server has answered.

import { $, $$, focusIsLost, setStatus } from './dom.js';
import { dayAfter, textOf } from './due.js';
import { filters, isFiltered } from './filters.js';
import { valuesOf } from './forms.js';
import { compare, groupOf, GROUPS } from './groups.js';

export const list = $('#tasks');

/** By ID, as the server last described them, in its order. One that is gone is `deleted`: it knows its place. */
export const tasks = new Map();
/** The items of tasks, by ID. */
const items = new Map();
/** Changes that the server has not answered yet, by the task's ID. */
const wishes = new Map();
/** The numbers of tasks that were added after the list was asked for, by ID. The last one is on top. */
const added = new Map();
/** True if the server has more tasks than these. */
let hasMore = false;
/** The filters and the order of the list that is shown. Another one may be on its way. */
let shownBy = {};
/** The day on which the tasks were drawn. */
let drawnOn;

const sections = Object.entries({ ...GROUPS, all: '' }).map(([name, title]) => {
  const section = $('#group-template').content.firstElementChild.cloneNode(true);
  section.dataset.group = name;
  $('.name', section).textContent = title;
  $('div', section).hidden = !title;
  $('.clear-done', section).hidden = name !== 'done';
  $('ul', section).ariaLabel = title || 'Tasks';
  list.append(section);
  return section;
});

export const itemOf = (id) => items.get(id);
/** Returns the form in the place of a task, if there is one. */
export const formOf = (id) => itemOf(id) && $('form', itemOf(id));

/** Returns a task as it is shown. */
export const view = (id) => Object.assign({ number: added.get(id) ?? 0 }, tasks.get(id), ...(wishes.get(id) ?? []));

/** Returns the IDs of the tasks in `root`, from top to bottom. */
export const idsIn = (root) => $$('.task', root).map((item) => item.dataset.id);

const isWaiting = (id) => !tasks.get(id)?.revision;

/** Takes over a task, unless a newer one is known. */
function put(task) {
  if (!(tasks.get(task.id)?.revision > task.revision)) tasks.set(task.id, task);
}

/** Returns a function that ends the place on top of the tasks that were added until now, and are saved. */
export function settleAdded() {
  const before = [...added.keys()].filter((id) => !isWaiting(id));
  return () => before.forEach((id) => added.delete(id));
}

/** Shows a list. What is edited stays, what was just added too, and the rest of the list before it if it `isPart`. */
export function show(fresh, isMore, isPart = false) {
  const before = [...tasks.values()];
  hasMore = isMore;
  shownBy = valuesOf(filters);
  tasks.clear();
  for (const task of fresh) tasks.set(task.id, task);
  for (const task of before) {
    if (isPart || tasks.has(task.id) || added.has(task.id) || formOf(task.id)) put(task);
  }
  for (const id of items.keys()) if (!tasks.has(id)) items.delete(id);
  redraw([...tasks.keys()]);
}

export function clear() {
  for (const each of [tasks, items, wishes, added]) each.clear();
  hasMore = false;
  render();
  $('#summary').textContent = '';
}

/**
 * Shows changes of tasks before the server has answered. Returns what ends that for one task, and takes over the task
 * that the server has answered, if it has.
 */
export function expect(ids, changes) {
  for (const id of ids) wishes.set(id, [...(wishes.get(id) ?? []), changes]);
  redraw(ids);
  let [waiting, isOutdated] = [ids.length, false];
  return (id, task) => {
    wishes.set(id, (wishes.get(id) ?? []).filter((other) => other !== changes));
    if (task && tasks.has(id)) put(task);
    // A list that was asked for before this change does not have the task.
    else if (task && !task.deleted) isOutdated = true;
    redraw([id]);
    waiting -= 1;
    if (waiting === 0 && isOutdated) dispatchEvent(new Event('outdated'));
  };
}

/** Draws a task that the server has answered. */
export function draw(task) {
  put(task);
  redraw([task.id]);
}

/** Draws a new task on top of its group, or in the place of one that has waited under the ID `instead`. */
export function insert(task, number, instead) {
  if (items.has(instead)) items.set(task.id, items.get(instead));
  for (const each of [tasks, items, added]) each.delete(instead);
  added.set(task.id, number);
  draw(task);
}

/** Takes tasks out of the list. */
export function remove(id) {
  if (tasks.has(id)) draw({ ...tasks.get(id), deleted: true });
}

function redraw(ids) {
  for (const id of ids) if (tasks.has(id)) drawItem(view(id));
  render();
}

function drawItem(task) {
  const { id, title, completed, due_date: due, priority } = task;
  const item = items.get(id) ?? $('#task-template').content.firstElementChild.cloneNode(true);
  const [check, pick] = $$('[type=checkbox]', item);
  items.set(id, item);
  item.dataset.id = id;
  item.dataset.group = groupOf(task, new Date());
  item.classList.toggle('done', completed);
  item.ariaBusy = String(isWaiting(id));
  check.checked = completed;
  check.disabled = isWaiting(id);
  pick.ariaLabel = `Select ${title}`;
  $('.title', item).textContent = title;
  $('.description', item).textContent = task.description;
  $('.priority', item).hidden = priority === 'medium';
  $('.priority', item).textContent = capitalize(`${priority} priority`);
  $('.priority', item).dataset.priority = priority;
  $('.due', item).hidden = !due;
  $('.overdue', item).hidden = item.dataset.group !== 'overdue';
  $('time', item).dateTime = due ?? '';
  $('time', item).textContent = due && capitalize(textOf(due));
  $('.tags', item).replaceChildren(...(task.tags || '').split(',').filter(Boolean).map(drawTag));
  for (const button of $$('.actions button', item)) button.ariaLabel = `${button.textContent} ${title}`;
}

const capitalize = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);

function drawTag(tag) {
  const button = document.createElement('button');
  Object.assign(button, { type: 'button', className: 'tag', dir: 'auto', textContent: tag });
  button.ariaLabel = `Only tasks tagged ${tag}`;
  return button;
}

/** Puts the items into their groups, in order. */
function render() {
  const { sort_by, order, completed } = shownBy;
  const isGrouped = sort_by === 'due_date' && order === 'asc';
  const focused = document.activeElement;
  const item = focused.closest('.task');
  const [group, index] = [item?.parentElement, idsIn(list).indexOf(item?.dataset.id)];
  // A new task and what is edited stay, whatever the filter.
  const isShown = (task) => !task.deleted && (!completed || completed === String(task.completed)
    || (task.number && !task.completed) || formOf(task.id));
  const shown = [...tasks.keys()].map(view).filter(isShown);
  const count = (number) => `${number}${hasMore ? '+' : ''}`;
  for (const section of sections) {
    const { group: name } = section.dataset;
    const its = shown.filter(({ id }) => name === (isGrouped ? itemOf(id).dataset.group : 'all'))
      .sort(isGrouped ? compare : (a, b) => b.number - a.number);
    arrange($('ul', section), its.map(({ id }) => itemOf(id)));
    section.hidden = its.length === 0;
    $('.count', section).textContent = count(its.length);
  }
  drawnOn = dayAfter(new Date(), 0);
  const none = isFiltered() ? 'No task matches the filters.' : 'No tasks yet. Add your first.';
  const many = `${count(shown.length)} ${shown.length === 1 ? 'task' : 'tasks'}`;
  setStatus($('#summary'), shown.length > 0 ? many : none);
  $('#load-more').hidden = !hasMore;
  if (!item || !focusIsLost()) return;
  // An item that was moved has lost the focus. The neighbor of one that is gone or done gets it.
  const isSame = item.isConnected && (item.parentElement === group || focused.type !== 'checkbox');
  const neighbor = itemOf(idsIn(list)[index]) ?? itemOf(idsIn(list).at(-1));
  (isSame ? focused : neighbor ? $('input', neighbor) : $('#board-heading')).focus({ preventScroll: isSame });
}

/** Puts items into a group, and moves none that is in its place: a click on it would be lost. */
function arrange(group, its) {
  for (const item of [...group.children]) if (!its.includes(item)) item.remove();
  for (const [index, item] of its.entries()) {
    if (group.children[index] !== item) group.insertBefore(item, group.children[index] ?? null);
  }
}

/** Draws what has become overdue, and everything on a new day. */
function age() {
  const now = new Date();
  const isNewDay = drawnOn !== dayAfter(now, 0);
  const old = [...tasks.keys()].filter((id) => isNewDay || itemOf(id).dataset.group !== groupOf(view(id), now));
  if (old.length > 0) redraw(old);
}

setInterval(age, 10_000);
