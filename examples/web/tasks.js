// The actions on a task of the list: complete, edit, delete.

import { hideAlert } from './alert.js';
import { change } from './changes.js';
import { api } from './client.js';
import { Conflict, deleteSeen, hideTheirs, rebase, saveEdit, showTheirs } from './conflict.js';
import { $ } from './dom.js';
import { taskOf, valuesOfTask } from './due.js';
import { filterByTag, filters } from './filters.js';
import { changedValues, clearFieldErrors, fill, onSingleSubmit, report, run, valuesOf } from './forms.js';
import { draw, list, load, remove, tasks, wishes } from './list.js';
import { keep } from './outbox.js';
import { toast } from './toasts.js';

const [editDialog, confirmDialog] = [$('#edit'), $('#confirm')];
const editForm = $('#edit-task');
/** The edit in the dialog (conflict.js), or null. */
let edited = null;

/** Sets a task to what its checkbox shows. The checkbox can be used again before the answer arrives. */
async function complete(id, completed) {
  const wish = { completed };
  wishes.set(id, wish);
  hideAlert();
  try {
    const task = await change(id, () => api.completeTask(id, completed));
    const putBack = settle(task, wish);
    const undo = async () => putBack(await change(id, () => api.completeTask(id, !completed)));
    toast(task.completed ? 'Task done.' : 'Task open again.', undo, id);
  } catch (error) {
    if (error.name === 'AbortError') return;
    settle(tasks.get(id), wish);
    // Another tab or device may have deleted it.
    if (error.code === 'task_not_found') remove(id);
    report(error);
  }
}

/**
 * Draws a task whose wish was answered. A later wish counts until it is answered too. Returns what draws the task when
 * this is undone.
 */
function settle(task, wish) {
  if (wishes.get(task.id) === wish) wishes.delete(task.id);
  draw(task);
  const filter = filters.elements.completed.value;
  return filter && !wishes.has(task.id) && filter !== String(task.completed) ? remove(task.id) : draw;
}

list.addEventListener('change', ({ target }) => complete(target.closest('.task').dataset.id, target.checked));

list.addEventListener('click', ({ target }) => {
  const task = tasks.get(target.closest('.task')?.dataset.id);
  if (target.matches('.tag')) filterByTag(target.textContent);
  if (target.matches('.edit')) edit(task);
  if (target.matches('.delete')) askToDelete(task, target);
});

function edit(task) {
  clearFieldErrors(editForm);
  hideAlert();
  fill(editForm, valuesOfTask(task));
  // The changes of another task may still be on their way.
  $('.save', editForm).disabled = false;
  begin({ id: task.id, revision: task.revision, initial: valuesOf(editForm) });
  editDialog.showModal();
}

function begin(edit) {
  edited = edit;
  hideTheirs(editForm);
  $('.save', editForm).textContent = edit.isContested ? 'Keep mine' : 'Save';
  $('.cancel', editForm).textContent = edit.isContested ? 'Take theirs' : 'Cancel';
}

/** Goes on with the task as it is now. What was typed since `initial` stays. Returns the form's values. */
function goOn(initial, now, isContested) {
  const [edit, values] = rebase({ initial }, valuesOf(editForm), now);
  begin({ ...edit, isContested });
  fill(editForm, values);
  draw(now);
  return values;
}

/** Sends only what the user has changed, so that it undoes no change of another tab. */
onSingleSubmit(editForm, async (values) => {
  const mine = edited;
  if (!changedValues(taskOf(values), taskOf(mine.initial))) return editDialog.close();
  try {
    const task = await change(mine.id, () => saveEdit(mine, values));
    toast('Task saved.');
    if (edited !== mine) return draw(task);
    const typed = goOn(values, task);
    // The dialog stays open if more was typed since the form was submitted.
    if (!changedValues(taskOf(typed), taskOf(edited.initial))) editDialog.close();
  } catch (error) {
    const isOpen = edited === mine;
    const isGone = error.code === 'task_not_found';
    if (error.name === 'AbortError') throw error;
    if (isOpen && error instanceof Conflict) {
      showTheirs(editForm, goOn(mine.initial, error.theirs, true), edited.initial);
      $('[aria-describedby]', editForm)?.focus();
    }
    if (isOpen && !isGone) throw error;
    // The task to save is gone, or the dialog was closed before the answer arrived.
    const form = keep(isOpen ? valuesOf(editForm) : values, error, { edit: mine });
    if (!isOpen) return;
    editDialog.close();
    form.elements.title.focus();
  }
});

editDialog.addEventListener('close', () => {
  if (editDialog.open) return;
  edited = null;
  // An alert in a closed dialog cannot be seen.
  if ($('#alert', editDialog)) hideAlert();
});

$('.cancel', editDialog).addEventListener('click', () => editDialog.close());

/** Closes the dialogs. What was typed in the edit dialog goes to the outbox, with a message that says why. */
export function closeDialogs(message) {
  const values = valuesOf(editForm);
  if (editDialog.open && changedValues(values, edited.initial)) keep(values, { message }, { edit: edited });
  editForm.reset();
  for (const dialog of [editDialog, confirmDialog]) dialog.close();
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

async function askToDelete(task, button) {
  const { id } = task;
  if (!(await confirmed(task.title))) return;
  await run(button, async () => {
    try {
      await change(id, () => deleteSeen(task));
    } catch (error) {
      if (error instanceof Conflict) draw(error.theirs);
      // Another tab or device may have deleted it.
      if (error.code === 'task_not_found') remove(id);
      throw error;
    }
    const putBack = remove(id);
    toast('Task deleted.', () => restore(id, putBack), id);
  });
}

async function restore(id, putBack) {
  try {
    putBack(await change(id, () => api.restoreTask(id)));
  } catch (error) {
    // Another tab or device may have restored it.
    if (error.code === 'task_not_found') load();
    throw error;
  }
}
