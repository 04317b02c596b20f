// The outbox: what the user has typed and the server has not taken. It has the tasks on their way, a form for each one
// that was refused, and what was typed when the session ended. It stays in this tab's memory, for one user.

import { api } from './client.js';
import { inTurn } from './changes.js';
import { $, focusIsLost } from './dom.js';
import { taskOf } from './due.js';
import {
  changedValues, clearFieldErrors, fill, onSubmit, showFieldError, showFieldErrors, valuesOf,
} from './forms.js';
import { draw, insert, remove } from './list.js';
import { toast } from './messages.js';

/** Where the outbox is kept in sessionStorage while the page is reloaded. */
const KEY = 'todo-outbox';

const LEFT = 'The page was left before the answer arrived: the task may have been saved. '
  + 'Please look before you try again.';

const [box, newTask] = [$('#outbox'), $('#new-task')];
/** The values of an empty form. */
const EMPTY = valuesOf(newTask);

let owner = null;
/** What was in the form for a new task when its user left. */
let draft = null;
/** Oldest first: `{number, values, edited, item, form}`. `edited` is `{id, initial}` if the task exists already. */
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
export function keep(values, error, edited) {
  const entry = add(values, edited);
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

function add(values, edited) {
  const item = document.createElement('li');
  const entry = { number: ++count, values, edited, item };
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
  const { number, values, edited, item } = entry;
  const waiting = document.createElement('p');
  waiting.className = 'task title';
  waiting.textContent = values.title;
  item.replaceChildren(waiting);
  item.ariaBusy = 'true';
  try {
    const task = await (edited
      ? inTurn(edited.id, () => api.updateTask(edited.id, changedValues(taskOf(values), taskOf(edited.initial)) ?? {}))
      : inTurn(entry, () => api.createTask(taskOf(values))));
    drop(entry);
    // The user may have left, and another may be here.
    if (task.user_id !== api.userId) return;
    if (edited) draw(task);
    else insert(task, number);
    toast(edited ? 'Task saved.' : 'Task added.');
    if (focusIsLost()) newTask.elements.title.focus();
  } catch (error) {
    // The user has signed out, so nobody asks for it any more.
    if (!entries.includes(entry)) return;
    if (error.code === 'task_not_found') remove(edited.id);
    refuse(entry, error);
    toast('A task was not saved.');
  }
}

/** Shows an entry in a form of its own. The focus stays where the user types. */
function refuse(entry, { message, status, code, fields = {} }) {
  entry.form ??= createForm(entry);
  const { form, item, values } = entry;
  if (code === 'task_not_found') {
    entry.edited = null;
    message = 'Another tab or device has deleted this task. Try again to add it as a new one.';
  }
  if (status === 401) message = 'The session ended before this was saved.';
  form.ariaLabel = `Not saved: ${values.title}`;
  item.replaceChildren(form);
  item.ariaBusy = 'false';
  const invalid = showFieldErrors(form, fields);
  $('.refusal', form).textContent = message;
  if (focusIsLost()) (invalid ?? form.elements.title).focus();
}

function createForm(entry) {
  const form = newTask.cloneNode(true);
  form.id = `unsaved-${entry.number}`;
  clearFieldErrors(form);
  fillTask(form, entry.values);
  $('[type=submit]', form).textContent = 'Try again';
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
  const kept = entries.map(({ values, edited, item, form }) => {
    if (item.ariaBusy === 'true') return { edited, values, message: LEFT };
    return { edited, values: valuesOf(form), message: $('.refusal', form).textContent };
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
  for (const { values, message, edited } of kept) keep(values, { message }, edited);
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
