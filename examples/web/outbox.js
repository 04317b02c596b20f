// The outbox: what the user has typed and the server has not taken. It has the tasks on their way, a form for each one
// that was refused, and what was typed when the session ended. It stays in this tab's memory, for one user.

import { newKey } from './api.js';
import { inTurn } from './changes.js';
import { api } from './client.js';
import { hideTheirs, rebase, saveEdit, saveOver, showTheirs } from './conflict.js';
import { $, focusIsLost } from './dom.js';
import { taskOf } from './due.js';
import {
  changedValues, clearFieldErrors, fill, onSubmit, showFieldError, showFieldErrors, valuesOf,
} from './forms.js';
import { draw, insert, remove } from './list.js';
import { toast } from './toasts.js';

/** Where the outbox is kept in sessionStorage while the page is reloaded. */
const KEY = 'todo-outbox';

const LEFT = 'The page was left before the answer arrived. Try again: nothing is saved twice.';
const DELETED = 'Another tab or device has deleted this task. Restore it with your changes, or discard them.';
const GONE = 'This task was deleted and can no longer be restored. Try again to add it as a new one.';
const ADDED_AND_DELETED = 'This task was added, and then deleted by another tab or device. '
  + 'Try again to add it as a new one.';

const [box, newTask] = [$('#outbox'), $('#new-task')];
/** The values of an empty form. */
const EMPTY = valuesOf(newTask);

let owner = null;
/** What was in the form for a new task when its user left. */
let draft = null;
/**
 * Oldest first: `{number, values, key, sent, edit, item, form}`. A new task has its idempotency key, and the values
 * that it was `sent` with when an answer was lost. A task that exists has an `edit` (conflict.js), which is `isDeleted`
 * or `isContested` if the user has to choose.
 */
let entries = [];
let count = 0;

/** Shows the outbox of this user. What is another user's is deleted. */
export function open(user) {
  if (!isOpenFor(user)) forget();
  owner = user;
  box.replaceChildren(...entries.map(({ item }) => item).reverse());
  if (draft && changedValues(valuesOf(newTask), EMPTY)) keep(draft, { message: 'This was not sent yet.' });
  else if (draft) fillTask(newTask, draft);
  draft = null;
}

/** True if the outbox is this user's. */
export const isOpenFor = (user) => user !== null && user === owner;

/** Takes everything off the page. */
export function close() {
  draft = typed() ?? draft;
  box.replaceChildren();
}

export function forget() {
  owner = null;
  entries = [];
  draft = null;
  box.replaceChildren();
  storage((store) => store.removeItem(KEY));
}

/** Keeps values that were not sent, or that were refused, in a form of their own. Returns the form. */
export function keep(values, error, about) {
  const entry = add(values, about);
  refuse(entry, error);
  return entry.form;
}

function typed() {
  const values = valuesOf(newTask);
  return changedValues(values, EMPTY) ? values : null;
}

function fillTask(form, values) {
  fill(form, values);
  const { title, ...details } = values;
  $('details', form).open = changedValues(details, EMPTY) !== null;
}

function add(values, about) {
  const item = document.createElement('li');
  const entry = { key: newKey(), ...about, number: ++count, values, item };
  entries.push(entry);
  box.prepend(item);
  return entry;
}

function drop(entry) {
  entries = entries.filter((other) => other !== entry);
  entry.item.remove();
}

/** Sends an entry. Each goes its own way, so that a slow or refused one stops no other. */
async function send(entry) {
  const { number, values, edit, item } = entry;
  const waiting = document.createElement('p');
  waiting.className = 'task title';
  waiting.textContent = values.title;
  item.replaceChildren(waiting);
  item.ariaBusy = 'true';
  try {
    const task = await (edit ? inTurn(edit.id, () => saveExisting(edit, values)) : inTurn(entry, () => create(entry)));
    drop(entry);
    // The user may have left, and another may be here.
    if (task.user_id !== api.userId) return;
    if (edit && !edit.isDeleted) draw(task);
    else insert(task, number);
    toast(edit ? 'Task saved.' : 'Task added.');
    if (focusIsLost()) newTask.elements.title.focus();
  } catch (error) {
    // The user has signed out, so nobody asks for it any more.
    if (!entries.includes(entry)) return;
    const isRefused = error.status >= 400 && error.status < 500;
    if (!isRefused) entry.sent ??= values;
    refuse(entry, error);
    toast('A task was not saved.');
  }
}

/** Creates a task. If an earlier attempt had arrived, what the user has changed since is an edit of its task. */
async function create({ values, key, sent }) {
  const { task, replayed } = await api.createTask(taskOf(values), key);
  if (!replayed || !sent || !changedValues(values, sent)) return task;
  return saveOver(task, { id: task.id, initial: sent }, values);
}

/** Saves an edit. A deleted task is restored first, unless that has been done, or it is no longer kept. */
async function saveExisting(edit, values) {
  if (edit.isDeleted) {
    await api.restoreTask(edit.id).catch((error) => { if (error.code !== 'task_not_found') throw error; });
  }
  return saveEdit(edit, values);
}

/** Changes a refused entry to what the user can do with it. Returns the message to show. */
function settle(entry, { message, status, code, theirs }) {
  const { number, values, sent, edit } = entry;
  if (theirs) {
    const [rebased, filled] = rebase(edit ?? { initial: sent }, values, theirs);
    Object.assign(entry, { edit: { ...rebased, isContested: true }, values: filled });
    if (edit && !edit.isDeleted) draw(theirs);
    else insert(theirs, number);
  }
  if (code === 'task_deleted' || (code === 'task_not_found' && !edit)) {
    Object.assign(entry, { key: newKey(), sent: null });
    return ADDED_AND_DELETED;
  }
  if (code === 'task_not_found') {
    remove(edit.id);
    // If it was deleted before, it could not be restored.
    entry.edit = edit.isDeleted ? null : { ...edit, isDeleted: true, isContested: false };
    return entry.edit ? DELETED : GONE;
  }
  return status === 401 ? 'The session ended before this was saved.' : message;
}

/** Shows an entry in a form of its own. The focus stays where the user types. */
function refuse(entry, error) {
  const message = settle(entry, error);
  entry.form ??= createForm(entry);
  const { form, item, values, edit } = entry;
  fillTask(form, values);
  hideTheirs(form);
  if (edit?.isContested) showTheirs(form, values, edit.initial);
  $('[type=submit]', form).textContent = edit?.isContested ? 'Keep mine' : edit?.isDeleted ? 'Restore' : 'Try again';
  $('.discard', form).textContent = edit?.isContested ? 'Take theirs' : 'Discard';
  form.ariaLabel = `Not saved: ${values.title}`;
  item.replaceChildren(form);
  item.ariaBusy = 'false';
  const invalid = showFieldErrors(form, error.fields ?? {});
  $('.refusal', form).textContent = message;
  if (focusIsLost()) (invalid ?? form.elements.title).focus();
}

function createForm(entry) {
  const form = newTask.cloneNode(true);
  form.id = `unsaved-${entry.number}`;
  clearFieldErrors(form);
  form.prepend($('#refusal-template').content.cloneNode(true));
  $('.discard', form).addEventListener('click', () => {
    drop(entry);
    newTask.elements.title.focus();
  });
  onSubmit(form, (values) => {
    entry.values = values;
    send(entry);
  });
  return form;
}

onSubmit(newTask, (values) => {
  const { title } = newTask.elements;
  title.focus();
  // Without a title there is nothing to send, and nothing to take out of the form.
  if (!values.title.trim()) return showFieldError(title, 'Title should not be empty.');
  newTask.reset();
  send(add(values));
});

/** Keeps the outbox over a reload of the page. It is in sessionStorage only as long as the page is not there. */
export function save() {
  const kept = entries.map(({ values, key, sent, edit, item, form }) => {
    if (item.ariaBusy === 'true') return { values, key, sent: sent ?? values, edit, message: LEFT };
    return { values: valuesOf(form), key, sent, edit, message: $('.refusal', form).textContent };
  });
  const state = JSON.stringify({ owner, draft: typed() ?? draft, kept });
  storage((store) => store.setItem(KEY, state));
}

function restore() {
  const state = storage((store) => store.getItem(KEY));
  storage((store) => store.removeItem(KEY));
  if (!state) return;
  const { kept, ...rest } = JSON.parse(state);
  ({ owner, draft } = rest);
  for (const { values, message, ...about } of kept) keep(values, { message }, about);
  box.replaceChildren();
}

/** Returns null where the browser forbids sessionStorage: a reload then loses what was typed. */
function storage(use) {
  try {
    return use(sessionStorage);
  } catch {
    return null;
  }
}

restore();
