// The actions on a task of the list: complete, edit, delete.

import { change } from './changes.js';
import { api } from './client.js';
import { $ } from './dom.js';
import { fieldsOf, taskOf } from './due.js';
import { filterByTag, filters } from './filters.js';
import { changedValues, clearFieldErrors, fill, onSingleSubmit, report, run, valuesOf } from './forms.js';
import { draw, list, remove, tasks, wishes } from './list.js';
import { hideAlert, toast } from './messages.js';
import { keep } from './outbox.js';

const [editDialog, confirmDialog] = [$('#edit'), $('#confirm')];
const editForm = $('#edit-task');
/** The task in the edit dialog, with the form's values when it was opened: `{id, initial}`. */
let edited = null;

/** Sets a task to what its checkbox shows. The checkbox can be used again before the answer arrives. */
async function complete(id, completed) {
  const wish = { completed };
  wishes.set(id, wish);
  hideAlert();
  try {
    const task = await change(id, () => api.completeTask(id, completed));
    settle(task, wish);
    toast(task.completed ? 'Task done.' : 'Task open again.');
  } catch (error) {
    if (error.name === 'AbortError') return;
    settle(tasks.get(id), wish);
    // Another tab or device may have deleted it.
    if (error.code === 'task_not_found') remove(id);
    report(error);
  }
}

/** Draws a task whose wish was answered. A later wish counts until it is answered too. */
function settle(task, wish) {
  if (wishes.get(task.id) === wish) wishes.delete(task.id);
  draw(task);
  const filter = filters.elements.completed.value;
  if (filter && !wishes.has(task.id) && filter !== String(task.completed)) remove(task.id);
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
  const { title, description, priority, tags, due_date } = task;
  fill(editForm, { title, description, priority, tags, ...fieldsOf(due_date) });
  // The changes of another task may still be on their way.
  $('.save', editForm).disabled = false;
  edited = { id: task.id, initial: valuesOf(editForm) };
  editDialog.showModal();
}

/** Sends only what the user has changed, so that it undoes no change of another tab. */
onSingleSubmit(editForm, async (values) => {
  const mine = edited;
  const changes = changedValues(taskOf(values), taskOf(mine.initial));
  if (!changes) return editDialog.close();
  try {
    draw(await change(mine.id, () => api.updateTask(mine.id, changes)));
  } catch (error) {
    const isOpen = edited === mine;
    const isGone = error.code === 'task_not_found';
    if (error.name === 'AbortError' || (isOpen && !isGone)) throw error;
    // The task to save is gone, or the dialog was closed before the answer arrived.
    const form = keep(isOpen ? valuesOf(editForm) : values, error, mine);
    if (isOpen) editDialog.close();
    if (isGone) remove(mine.id);
    if (isOpen) form.elements.title.focus();
    return;
  }
  toast('Task saved.');
  if (edited !== mine) return;
  mine.initial = values;
  // The dialog stays open if more was typed since the form was submitted.
  if (!changedValues(valuesOf(editForm), values)) editDialog.close();
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
  if (editDialog.open && changedValues(values, edited.initial)) keep(values, { message }, edited);
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

async function askToDelete({ id, title }, button) {
  if (!(await confirmed(title))) return;
  await run(button, async () => {
    try {
      await change(id, () => api.deleteTask(id));
    } catch (error) {
      // Another tab or device may have deleted it.
      if (error.code === 'task_not_found') remove(id);
      throw error;
    }
    remove(id);
    toast('Task deleted.');
  });
}
