// The page: three views (sign in, sign up, the board with the tasks) and two dialogs, all of them in index.html.

import { ApiError, TOKEN_KEY, createApi } from './api.js';

const PAGE_SIZE = 50;

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const valuesOf = (form) => Object.fromEntries(new FormData(form));

const [signIn, signUp, board] = $$('.view');
const [newTask, editForm, filters, list] = ['#new-task', '#edit-task', '#filters', '#tasks'].map((id) => $(id));
const [editDialog, confirmDialog] = $$('dialog');

const apiUrl = $('meta[name=api-url]').content;
const api = createApi(apiUrl, {
  onSignedOut(error) {
    leave();
    // Here, as leaving aborts other requests, and the first of them to fail may be one of those.
    report(error);
  },
});

for (const place of $$('.details')) place.append($('#details-template').content.cloneNode(true));
$('#docs').href = `${apiUrl}/docs`;

// ---- What the user is told

function showAlert(text, retry) {
  const box = $('#alert');
  ($('dialog[open] form') ?? $('.view:not([hidden])')).prepend(box);
  $('p', box).textContent = text;
  $('#retry').hidden = !retry;
  $('#retry').onclick = retry;
  box.hidden = false;
}

function hideAlert() {
  $('#alert').hidden = true;
}

let toastTimer;

function toast(text) {
  $('#toast').textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $('#toast').replaceChildren(), 5000);
}

/** Says what went wrong, beside the fields of `form` when they are what is wrong. */
function report(error, { form, retry } = {}) {
  if (error.name === 'AbortError') return;
  if (!(error instanceof ApiError)) throw error;
  const refused = Object.entries(error.fields)
    .map(([name, text]) => [form?.elements.namedItem(name), text])
    .filter(([input]) => input);
  for (const [input, text] of refused) showFieldError(input, text);
  if (refused.length > 0) $('[aria-invalid]', form).focus();
  else showAlert(error.message, retry);
}

function showFieldError(input, text) {
  const error = document.createElement('p');
  error.className = 'field-error';
  error.id = `${input.form.id}-${input.name}-error`;
  error.textContent = text;
  input.closest('.field').append(error);
  input.setAttribute('aria-invalid', 'true');
  input.setAttribute('aria-describedby', error.id);
  input.closest('details')?.setAttribute('open', '');
}

function clearFieldErrors(form) {
  for (const error of $$('.field-error', form)) error.remove();
  for (const input of $$('[aria-invalid]', form)) {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  }
}

// ---- What the user asks for

/** Does what `control` stands for. It is disabled meanwhile, so that nothing is asked for twice. */
async function run(control, action, form) {
  hideAlert();
  control.disabled = true;
  try {
    await action();
  } catch (error) {
    report(error, { form });
  } finally {
    control.disabled = false;
    // What is disabled loses the focus.
    if (document.activeElement === document.body) control.focus({ preventScroll: true });
  }
}

/** The server alone judges the values, but for those it would never see, such as half a date. */
function onSubmit(form, action) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearFieldErrors(form);
    const unfinished = [...form.elements].find((input) => input.validity.badInput);
    if (!unfinished) return run($('[type=submit]', form), () => action(valuesOf(form)), form);
    showFieldError(unfinished, unfinished.validationMessage);
    unfinished.focus();
  });
}

function confirmed(text) {
  $('#confirm-title').textContent = text;
  confirmDialog.returnValue = '';
  confirmDialog.showModal();
  return new Promise((resolve) => {
    const answer = () => resolve(confirmDialog.returnValue === 'confirm');
    confirmDialog.addEventListener('close', answer, { once: true });
  });
}

// ---- Views

function show(view) {
  for (const each of [signIn, signUp, board]) each.hidden = each !== view;
  $('#session').hidden = view !== board;
  hideAlert();
  const heading = $('h1', view);
  document.title = `${heading.textContent} · Todo`;
  (view === board ? heading : $('input', view)).focus();
}

function enter(user) {
  if (user) showUser(user);
  show(board);
  load();
}

/** Nothing of one user is left for the next. */
function leave() {
  for (const dialog of [editDialog, confirmDialog]) dialog.close();
  for (const form of document.forms) {
    form.reset();
    clearFieldErrors(form);
  }
  loading?.abort();
  clearTimeout(loadTimer);
  clearList();
  $('#who').textContent = '';
  show(signIn);
}

function showUser({ username, email }) {
  $('#who').textContent = username ?? email;
  $('#who').title = email;
}

onSubmit(signIn, async (values) => {
  const user = await api.signIn(values);
  signIn.reset();
  enter(user);
});

onSubmit(signUp, async (values) => {
  const user = await api.signUp(values);
  signUp.reset();
  enter(user);
  toast('Welcome! Your account is ready.');
});

for (const reveal of $$('.reveal')) {
  const { password } = reveal.form.elements;
  const apply = () => { password.type = reveal.checked ? 'text' : 'password'; };
  reveal.addEventListener('change', apply);
  reveal.form.addEventListener('reset', () => setTimeout(apply));
}

$('#to-sign-up').addEventListener('click', () => show(signUp));
$('#to-sign-in').addEventListener('click', () => show(signIn));
$('#sign-out').addEventListener('click', () => {
  api.signOut();
  leave();
  toast('You are signed out.');
});

// Another tab has signed in or out.
addEventListener('storage', ({ key }) => key === TOKEN_KEY && location.reload());

// ---- The list

/** What is in the list, by id. */
const tasks = new Map();
/** Where the rest of the list is, if there is more. */
let next = null;
let loading, loadTimer;

/** Reads the list anew, or its next page, and gives up what is on its way for an older question. */
async function load(more = false) {
  clearTimeout(loadTimer);
  loading?.abort();
  loading = new AbortController();
  const { signal } = loading;
  hideAlert();
  list.setAttribute('aria-busy', 'true');
  try {
    const [page] = await Promise.all([
      more ? api.nextPage(next, { signal }) : api.listTasks({ ...valuesOf(filters), limit: PAGE_SIZE }, { signal }),
      $('#who').textContent || api.me({ signal }).then(showUser),
    ]);
    if (!more) list.replaceChildren();
    next = page.next;
    const items = page.tasks.map(draw);
    list.append(...items);
    summarize();
    if (more) $('input', items[0])?.focus();
  } catch (error) {
    if (error.name === 'AbortError') return;
    if (!more) clearList();
    report(error, { retry: api.signedIn && (() => retry(more)) });
  } finally {
    if (signal === loading.signal) list.setAttribute('aria-busy', 'false');
  }
}

function clearList() {
  next = null;
  tasks.clear();
  list.replaceChildren();
  $('#summary').replaceChildren();
  $('#load-more').hidden = true;
}

function retry(more) {
  $('h1', board).focus();
  load(more);
}

function loadSoon(delay = 0) {
  clearTimeout(loadTimer);
  loadTimer = setTimeout(load, delay);
}

function summarize() {
  const count = list.children.length;
  const { search, tag, completed, priority } = valuesOf(filters);
  const many = `${count} ${count === 1 ? 'task' : 'tasks'}`;
  const filtered = search || tag || completed || priority;
  const none = filtered ? 'No task matches the filters.' : 'No tasks yet. Add your first.';
  $('#summary').textContent = count === 0 ? none : next ? `${many}, and there are more` : many;
  $('#load-more').hidden = !next;
}

const itemOf = (id) => $(`[data-id="${id}"]`, list);

/** The item of a task: the one in the list, brought up to date, or a new one. */
function draw(task) {
  const item = itemOf(task.id) ?? $('#task-template').content.firstElementChild.cloneNode(true);
  const due = task.due_date && new Date(task.due_date);
  const tags = task.tags?.split(',') ?? [];
  tasks.set(task.id, task);
  item.dataset.id = task.id;
  item.classList.toggle('done', task.completed);
  $('input', item).checked = task.completed;
  $('.title', item).textContent = task.title;
  $('.description', item).textContent = task.description;
  $('.priority', item).textContent = `${task.priority} priority`;
  $('.priority', item).dataset.priority = task.priority;
  $('.due', item).hidden = !due;
  $('.overdue', item).hidden = !due || task.completed || due > new Date();
  $('time', item).dateTime = task.due_date ?? '';
  $('time', item).textContent = due?.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
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

/** Takes a task out of the list; the focus goes to the one that comes in its place. */
function remove(id) {
  const item = itemOf(id);
  if (!item) return;
  const neighbor = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  summarize();
  (neighbor ? $('input', neighbor) : $('h1', board)).focus();
}

/** Another tab or device may have deleted the task. */
function removeIfGone(error, id) {
  if (error.code === 'task_not_found') remove(id);
  throw error;
}

// Where there is room, as style.css has it, they are always to be seen.
const hasRoom = matchMedia('(min-width: 40rem)');
const unfold = () => { $('details', filters).open = hasRoom.matches; };
hasRoom.addEventListener('change', unfold);
unfold();

filters.addEventListener('input', ({ target }) => loadSoon(target.type === 'search' ? 250 : 0));
filters.addEventListener('reset', () => loadSoon());
filters.addEventListener('submit', (event) => {
  event.preventDefault();
  load();
});

$('#load-more').addEventListener('click', ({ target }) => run(target, () => load(true)));

onSubmit(newTask, async (values) => {
  list.prepend(draw(await api.createTask(values)));
  newTask.reset();
  newTask.elements.title.focus();
  summarize();
  toast('Task added.');
});

list.addEventListener('change', async ({ target: checkbox }) => {
  const { id } = checkbox.closest('.task').dataset;
  await run(checkbox, async () => {
    const task = await api.completeTask(id, checkbox.checked).catch((error) => removeIfGone(error, id));
    draw(task);
    const { completed } = valuesOf(filters);
    if (completed && completed !== String(task.completed)) remove(id);
    toast(task.completed ? 'Task done.' : 'Task open again.');
  });
  checkbox.checked = tasks.get(id)?.completed;
});

list.addEventListener('click', ({ target }) => {
  const item = target.closest('.task');
  if (target.matches('.tag')) filterByTag(target.textContent);
  if (target.matches('.edit')) edit(item);
  if (target.matches('.delete')) askToDelete(item);
});

function filterByTag(tag) {
  filters.elements.tag.value = tag;
  load();
  $('#clear-filters').focus();
}

function edit(item) {
  const task = tasks.get(item.dataset.id);
  editForm.dataset.id = task.id;
  clearFieldErrors(editForm);
  hideAlert();
  for (const name of ['title', 'description', 'priority', 'tags', 'due_date']) {
    editForm.elements[name].value = task[name] ?? '';
  }
  editDialog.showModal();
}

onSubmit(editForm, async (values) => {
  const { id } = editForm.dataset;
  draw(await api.updateTask(id, values).catch((error) => removeIfGone(error, id)));
  editDialog.close();
  toast('Task saved.');
});

$('.cancel', editDialog).addEventListener('click', () => editDialog.close());

async function askToDelete(item) {
  const { id, title } = tasks.get(item.dataset.id);
  if (!(await confirmed(title))) return;
  await run($('.delete', item), async () => {
    await api.deleteTask(id).catch((error) => removeIfGone(error, id));
    remove(id);
    toast('Task deleted.');
  });
}

if (api.signedIn) enter();
else show(signIn);
