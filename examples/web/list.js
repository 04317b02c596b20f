// The list of tasks: asking for it, and drawing it.

import { hideAlert, setStandingAlert } from './alert.js';
import { ApiError } from './api.js';
import { ended } from './changes.js';
import { api } from './client.js';
import { $, $$, focusIsLost } from './dom.js';
import { isOverdue, textOf } from './due.js';
import { filters, isFiltered, showActiveFilters } from './filters.js';
import { run, valuesOf } from './forms.js';

const PAGE_SIZE = 50;
/** The server's limit. */
const MAX_PAGE_SIZE = 200;
/** A look at the window within this time of the last request is no new one, in milliseconds. */
const LOOK = 1000;

export const list = $('#tasks');

/** The tasks by ID, as the server last described them. */
export const tasks = new Map();
/** What the checkboxes of tasks should become, by ID, until the server has answered: `{completed}`. */
export const wishes = new Map();
/** The items of tasks that were added after the list was asked for. */
const added = new Set();
/** Where the rest of the list is, if there is more. */
let next = null;
/** The tag of the list that is shown, or null if another one was asked for. */
let etag = null;
let askedAt = 0;
let loading, loadTimer;
/** Asks again for what could not be loaded. */
let retry = null;

/** Asks for the list, or for its next page. Gives up an earlier request. */
export async function load(more = false) {
  clearTimeout(loadTimer);
  loading?.abort();
  loading = new AbortController();
  const { signal } = loading;
  retry = null;
  setStandingAlert(null);
  if (!more) {
    added.clear();
    forgetPages();
    showActiveFilters();
  }
  list.ariaBusy = 'true';
  try {
    const ask = () => (more ? api.nextPage(next, { signal }) : firstPage(PAGE_SIZE, { signal }));
    show(await upToDate(ask, signal), more);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    retry = () => load(more);
    setStandingAlert({ text: error.message, retry: retryByHand });
  } finally {
    if (signal === loading.signal) list.ariaBusy = 'false';
  }
}

/** Asks whether the list has changed when the user looks at the window again. If not, nothing is drawn. */
async function look() {
  const isAsked = list.ariaBusy === 'true' || retry || Date.now() - askedAt < LOOK;
  if (isAsked || !etag || document.hidden) return;
  loading = new AbortController();
  const { signal } = loading;
  const size = Math.min(Math.max(list.children.length, PAGE_SIZE), MAX_PAGE_SIZE);
  try {
    const page = await upToDate(() => firstPage(size, { etag, signal }), signal);
    if (!page) return;
    added.clear();
    show(page, false);
  } catch (error) {
    // The next look asks again.
    if (!signal.aborted && !(error instanceof ApiError)) throw error;
  }
}

addEventListener('focus', look);
document.addEventListener('visibilitychange', look);

const firstPage = (limit, options) => api.listTasks({ ...valuesOf(filters), limit }, options);

/** Returns a page that is not older than a change. If a change ended meanwhile, it is asked for again. */
async function upToDate(ask, signal) {
  let before, page;
  do {
    before = ended;
    askedAt = Date.now();
    [page] = await Promise.all([ask(), $('#who').textContent || api.me({ signal }).then(showUser)]);
  } while (before !== ended);
  return page;
}

function show(page, more) {
  const items = page.tasks.map(draw);
  const focused = document.activeElement;
  next = page.next;
  // An older page may be of an older list, so its tag stays.
  if (!more) ({ etag } = page);
  if (more) {
    const isFocusFree = focusIsLost() || focused === $('#load-more');
    const newItems = items.filter((item) => !item.isConnected);
    list.append(...newItems);
    if (isFocusFree && newItems.length > 0) $('input', newItems[0]).focus();
  } else {
    const onTop = [...list.children].filter((item) => added.has(item) && !items.includes(item));
    arrange([...onTop, ...items]);
    // An item that was moved has lost the focus.
    if (focusIsLost()) focused.focus({ preventScroll: true });
  }
  summarize();
}

/** Puts these items into the list, and moves none that is in its place: a click on it would be lost. */
function arrange(items) {
  for (const item of [...list.children]) if (!items.includes(item)) item.remove();
  for (const [index, item] of items.entries()) {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  }
}

function retryByHand() {
  $('#board-heading').focus();
  retry?.();
}

addEventListener('online', () => retry?.());

export function showUser({ username, email }) {
  $('#who').textContent = username ?? email;
  $('#who').title = email;
}

/** Nothing of one user is left for the next. */
export function clearList() {
  loading?.abort();
  clearTimeout(loadTimer);
  retry = null;
  setStandingAlert(null);
  forgetPages();
  for (const each of [tasks, wishes, added]) each.clear();
  list.replaceChildren();
  showActiveFilters();
  for (const text of ['#summary', '#who']) $(text).textContent = '';
}

function forgetPages() {
  next = null;
  etag = null;
  $('#load-more').hidden = true;
}

function loadSoon(delay = 0) {
  hideAlert();
  clearTimeout(loadTimer);
  // The request on its way and the next page are of the old filters.
  loading?.abort();
  retry = null;
  forgetPages();
  loadTimer = setTimeout(load, delay);
}

function summarize() {
  const count = list.children.length;
  const many = `${count} ${count === 1 ? 'task' : 'tasks'}`;
  const none = isFiltered() ? 'No task matches the filters.' : 'No tasks yet. Add your first.';
  $('#summary').textContent = count === 0 ? none : next ? `${many}, and there are more` : many;
  $('#load-more').hidden = !next;
}

const itemOf = (id) => $(`[data-id="${id}"]`, list);

/** Returns the item of a task: the one in the list, brought up to date, or a new one. */
export function draw(task) {
  const item = itemOf(task.id) ?? $('#task-template').content.firstElementChild.cloneNode(true);
  const due = task.due_date;
  const tags = task.tags?.split(',') ?? [];
  const { completed } = wishes.get(task.id) ?? task;
  tasks.set(task.id, task);
  item.dataset.id = task.id;
  item.classList.toggle('done', completed);
  $('input', item).checked = completed;
  $('.title', item).textContent = task.title;
  $('.description', item).textContent = task.description;
  $('.priority', item).textContent = `${task.priority} priority`;
  $('.priority', item).dataset.priority = task.priority;
  $('.due', item).hidden = !due;
  $('.overdue', item).hidden = !due || completed || !isOverdue(due, new Date());
  $('time', item).dateTime = due ?? '';
  $('time', item).textContent = due && textOf(due);
  $('.tags', item).replaceChildren(...tags.map(drawTag));
  for (const button of $$('.actions button', item)) button.ariaLabel = `${button.textContent} ${task.title}`;
  return item;
}

function drawTag(tag) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'tag';
  button.textContent = tag;
  button.ariaLabel = `Only tasks tagged ${tag}`;
  return button;
}

/** Puts a new task on top, but below those that were submitted later. */
export function insert(task, number) {
  const item = draw(task);
  item.number = number;
  added.add(item);
  const earlier = [...list.children].find((other) => other !== item && !(other.number > number));
  list.insertBefore(item, earlier ?? null);
  summarize();
}

/**
 * Takes a task out of the list. If the focus was in it, the neighbor gets it. Returns what puts the task back to its
 * place.
 */
export function remove(id) {
  const item = itemOf(id);
  if (!item) return draw;
  const { nextElementSibling: following, previousElementSibling: preceding } = item;
  const [followingId, precedingId] = [following?.dataset.id, preceding?.dataset.id];
  const neighbor = following ?? preceding;
  const hadFocus = focusIsLost() || item.contains(document.activeElement);
  item.remove();
  summarize();
  if (hadFocus) (neighbor ? $('input', neighbor) : $('#board-heading')).focus();
  return (task) => {
    const back = draw(task);
    list.insertBefore(back, itemOf(followingId) ?? itemOf(precedingId)?.nextSibling ?? null);
    summarize();
    if (focusIsLost()) $('input', back).focus();
  };
}

filters.addEventListener('input', ({ target }) => loadSoon(target.type === 'search' ? 250 : 0));
filters.addEventListener('reset', () => loadSoon());
filters.addEventListener('submit', (event) => {
  event.preventDefault();
  load();
});

$('#load-more').addEventListener('click', ({ target }) => run(target, () => load(true)));
