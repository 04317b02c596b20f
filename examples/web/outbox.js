// The outbox: what the user has typed and the server has not taken. It has the forms of tasks that are edited or were
// refused, the tasks on their way, and what was typed when the session ended. This tab's memory has it, for one user.

import { newKey } from './api.js';
import { draw, expect, formOf, insert, itemOf, remove, view } from './board.js';
import { inTurn } from './changes.js';
import { api } from './client.js';
import { changesOf, rebase, saveEdit, saveOver, showTheirs } from './conflict.js';
import { $, focusIsLost } from './dom.js';
import { taskOf, valuesOfTask } from './due.js';
import { changedValues, clearFieldErrors, fill, onSubmit, showFieldErrors, valuesOf } from './forms.js';
import { storage } from './storage.js';
import { toast } from './toasts.js';

/** The outbox's key in sessionStorage while the page is reloaded. */
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
let isShown = false;
/** The values of the form for a new task when its user left. */
let draft = null;
/**
 * Oldest first: `{number, values, key, sent, edit, message, form}`. A new task has its idempotency key, and the values
 * that it was `sent` with when an answer was lost. A task that exists has an `edit` (conflict.js), which is `isDeleted`
 * or `isContested` if the user has to choose. An entry on its way has no form.
 */
let entries = [];
let count = 0;

/** Shows the outbox of this user. What is another user's is deleted. */
export function open(user) {
  if (!isOpenFor(user)) forget();
  owner = user;
  isShown = true;
  for (const { form } of entries) if (form) place(form);
  if (draft && changedValues(valuesOf(newTask), EMPTY)) keep(draft, { message: 'This was not sent yet.' });
  else if (draft) fillTask(newTask, draft);
  draft = null;
}

/** True if the outbox is this user's. */
export const isOpenFor = (user) => user !== null && user === owner;

/** Takes everything off the page. The message says why an edit was not saved. */
export function close(message) {
  keepEdits(message);
  draft = typed() ?? draft;
  isShown = false;
  box.replaceChildren();
}

export function forget() {
  owner = null;
  entries = [];
  draft = null;
  box.replaceChildren();
  storage((store) => store.removeItem(KEY), 'sessionStorage');
}

/** Opens a form in the place of a task. */
export function edit(id) {
  const { revision, ...task } = view(id);
  if (!revision || formOf(id)) return;
  const initial = valuesOfTask(task);
  const entry = add({ values: initial, edit: { id, revision, initial } });
  showForm(entry);
  put(entry.form, itemOf(id));
  entry.form.elements.title.focus();
}

/** Ends the edits that were not sent. What was typed stays in a form, with the message. */
function keepEdits(message) {
  for (const entry of [...entries]) {
    const { form, edit: its } = entry;
    if (!form || entry.message) continue;
    if (!changedValues(valuesOf(form), its.initial)) drop(entry);
    else {
      entry.values = valuesOf(form);
      form.remove();
      refuse(entry, { message });
    }
  }
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

function add(about) {
  const entry = { key: newKey(), ...about, number: ++count };
  entries.push(entry);
  return entry;
}

function drop(entry) {
  entries = entries.filter((other) => other !== entry);
  takeOff(entry);
}

/** Takes the form of an entry off the page. If it had the focus, its task gets it. */
function takeOff({ form, edit: its }) {
  if (!form) return;
  const item = form.closest('.task');
  const hadFocus = form.contains(document.activeElement);
  if (item) form.remove();
  else form.closest('li')?.remove();
  if (hadFocus) ($('.edit', itemOf(its?.id) ?? box) ?? newTask.elements.title).focus();
}

/** Sends an entry. Each goes its own way, so that a slow or refused one stops no other. */
async function send(entry) {
  const { number, values, key, edit: its } = entry;
  const isEdit = its && !its.isDeleted;
  const changes = its && changesOf(values, its.initial);
  entry.form = null;
  entry.message = '';
  const settle = isEdit ? expect([its.id], changes) : showWaiting(entry);
  try {
    const task = await (its ? inTurn(its.id, () => saveExisting(its, values)) : inTurn(entry, () => saveNew(entry)));
    drop(entry);
    // The user may have left, and another may be here.
    if (task.user_id !== api.userId) return;
    if (isEdit) settle(its.id, task);
    else insert(task, number, key);
    toast(its ? 'Task saved.' : 'Task added.');
  } catch (error) {
    // The user has signed out, so nobody asks for it any more.
    if (!entries.includes(entry)) return;
    const isRefused = error.status >= 400 && error.status < 500;
    if (!isRefused) entry.sent ??= values;
    settle(its?.id);
    refuse(entry, error);
    toast('A task was not saved.');
  }
}

/** Shows a new task before the server has answered. Returns what takes it out of the list again. */
function showWaiting({ number, values, key }) {
  insert({ ...taskOf(values), id: key, completed: false }, number);
  return () => remove(key);
}

/** Creates a task. If an earlier attempt had arrived, what the user has changed since is an edit of its task. */
async function saveNew({ values, key, sent }) {
  const { task, replayed } = await api.createTask(taskOf(values), key);
  if (!replayed || !sent || !changedValues(values, sent)) return task;
  return saveOver(task, { id: task.id, initial: sent }, values);
}

/** Saves an edit. A deleted task is restored first, unless that has been done, or it is no longer kept. */
async function saveExisting(its, values) {
  if (its.isDeleted) {
    await api.restoreTask(its.id).catch((error) => { if (error.code !== 'task_not_found') throw error; });
  }
  return saveEdit(its, values);
}

/** Changes a refused entry to what the user can do with it. Returns the message to show. */
function settleRefused(entry, { message, status, code, theirs }) {
  const { number, values, sent, edit: its } = entry;
  if (theirs) {
    const [rebased, filled] = rebase(its ?? { initial: sent }, values, theirs);
    Object.assign(entry, { edit: { ...rebased, isContested: true }, values: filled });
    if (its && !its.isDeleted) draw(theirs);
    else insert(theirs, number);
  }
  if (code === 'task_deleted' || (code === 'task_not_found' && !its)) {
    Object.assign(entry, { key: newKey(), sent: null });
    return ADDED_AND_DELETED;
  }
  if (code === 'task_not_found') {
    remove(its.id);
    // If it was deleted before, it could not be restored.
    entry.edit = its.isDeleted ? null : { ...its, isDeleted: true, isContested: false };
    return entry.edit ? DELETED : GONE;
  }
  return status === 401 ? 'The session ended before this was saved.' : message;
}

/** Shows an entry in a form, in the place of its task or in the box. The focus stays where the user types. */
function refuse(entry, error) {
  const isFree = focusIsLost() || itemOf(entry.edit?.id)?.contains(document.activeElement);
  entry.message = settleRefused(entry, error);
  const { edit: its } = entry;
  const item = its && !its.isDeleted && itemOf(its.id);
  showForm(entry, error.fields);
  if (!isShown) return;
  if (item?.isConnected && !formOf(its.id)) put(entry.form, item);
  else place(entry.form);
  if (isFree) ($('[aria-describedby]', entry.form) ?? entry.form.elements.title).focus();
}

/** Puts a form on top of the box. */
function place(form) {
  const item = document.createElement('li');
  box.prepend(item);
  put(form, item);
}

function put(form, item) {
  item.append(form);
  fill(form, {});
}

/** Gives an entry its form, which is a copy of the form for a new task. */
function showForm(entry, errors = {}) {
  const { number, values, edit: its, message } = entry;
  const form = newTask.cloneNode(true);
  const [submit, cancel] = [$('[type=submit]', form), $('.cancel', form)];
  entry.form = form;
  form.id = `task-${number}`;
  form.ariaLabel = `${message ? 'Not saved' : 'Edit'}: ${values.title}`;
  $('.read', form).textContent = '';
  $('.buttons', form).append(submit);
  clearFieldErrors(form);
  fillTask(form, values);
  if (its) $('details', form).open = true;
  submit.textContent = its?.isContested ? 'Keep mine' : its?.isDeleted ? 'Restore' : message ? 'Try again' : 'Save';
  cancel.textContent = its?.isContested ? 'Take theirs' : message ? 'Discard' : 'Cancel';
  $('.refusal', form).textContent = message ?? '';
  if (its?.isContested) showTheirs(form, values, its.initial);
  showFieldErrors(form, errors);
  cancel.addEventListener('click', () => drop(entry));
  form.addEventListener('keydown', ({ key, target, isComposing }) => {
    // In Firefox, the key that closes a list or a calendar arrives here.
    if (key !== 'Escape' || isComposing || target.matches('select, [type=date]')) return;
    if (its && (its.isContested || !message)) drop(entry);
  });
  onSubmit(form, (submitted) => submitEntry(entry, submitted));
}

function submitEntry(entry, values) {
  const { edit: its } = entry;
  entry.values = values;
  // Nothing was changed.
  if (its && !its.isDeleted && Object.keys(changesOf(values, its.initial)).length === 0) return drop(entry);
  takeOff(entry);
  send(entry);
}

/** Sends a new task. */
export const create = (values) => send(add({ values }));

/** Keeps values that were not sent in a form. */
function keep(values, error, about) {
  const entry = add({ ...about, values });
  refuse(entry, error);
}

/** Keeps the outbox over a reload of the page. It is in sessionStorage only as long as the page is not there. */
export function save() {
  keepEdits('This was not saved yet.');
  const kept = entries.map(({ values, key, sent, edit: its, message, form }) => (
    form ? { values: valuesOf(form), key, sent, edit: its, message }
      : { values, key, sent: sent ?? values, edit: its, message: LEFT }
  ));
  const state = JSON.stringify({ owner, draft: typed() ?? draft, kept });
  storage((store) => store.setItem(KEY, state), 'sessionStorage');
}

function restore() {
  const state = storage((store) => store.getItem(KEY), 'sessionStorage');
  storage((store) => store.removeItem(KEY), 'sessionStorage');
  if (!state) return;
  const { kept, ...rest } = JSON.parse(state);
  ({ owner, draft } = rest);
  for (const { values, message, ...about } of kept) keep(values, { message }, about);
}

restore();
