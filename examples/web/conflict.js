// Changes of a task that another tab or device changes too.
//
// An edit is `{id, revision, initial}`: the task, and the values of its form before the user changed them.

import { ApiError } from './api.js';
import { api } from './client.js';
import { $ } from './dom.js';
import { taskOf, textOf, valuesOfTask } from './due.js';
import { changedValues } from './forms.js';

/** The user must decide: `theirs` is the task as it is now. */
export class Conflict extends ApiError {
  constructor(theirs, message) {
    super(`Another tab or device has changed this task. ${message}`, { status: 412, code: 'changed_meanwhile' });
    this.theirs = theirs;
  }
}

/** Returns the fields of a task that the values of a form change. */
export const changesOf = (values, initial) => changedValues(taskOf(values), taskOf(initial)) ?? {};

/** True if two texts of a field differ in more than the white space that the server removes. */
function differs(a, b) {
  const [one, other] = [a, b].map((text) => text.trim().replace(/\s*,\s*/g, ','));
  return one !== other;
}

/** Saves an edit. Throws a {@link Conflict} if somebody has changed the same fields to something else. */
export async function saveEdit(edit, values, revision = edit.revision) {
  try {
    return await api.updateTask(edit.id, changesOf(values, edit.initial), revision);
  } catch (error) {
    if (error.code !== 'changed_meanwhile') throw error;
    return saveOver(await api.readTask(edit.id), edit, values);
  }
}

/** Saves an edit over a newer version of its task. What was changed in other fields stays. */
export function saveOver(theirs, edit, values) {
  const [now, before] = [taskOf(valuesOfTask(theirs)), taskOf(edit.initial)];
  const isContested = Object.entries(changesOf(values, edit.initial))
    .some(([name, mine]) => differs(now[name], before[name]) && differs(now[name], mine));
  if (isContested) throw new Conflict(theirs, 'Keep your version, or take theirs.');
  return saveEdit(edit, values, theirs.revision);
}

/** Deletes a task, unless it is no longer the one that the user saw. */
export async function deleteSeen(task) {
  try {
    return await api.deleteTask(task.id, task.revision);
  } catch (error) {
    if (error.code !== 'changed_meanwhile') throw error;
  }
  const theirs = await api.readTask(task.id);
  // Whether it is completed makes no difference.
  if (!changedValues(valuesOfTask(theirs), valuesOfTask(task))) return deleteSeen(theirs);
  throw new Conflict(theirs, 'It was not deleted, and is shown as it is now.');
}

/** Returns an edit of the task as it is now, with the values that the user has changed. */
export function rebase(edit, values, now) {
  const initial = valuesOfTask(now);
  const changes = changesOf(values, edit.initial);
  const { due_date, due_time, due_original } = 'due_date' in changes ? values : initial;
  const rebased = { id: now.id, revision: now.revision, initial };
  return [rebased, { ...initial, ...changes, due_date, due_time, due_original }];
}

/** Shows their version beside each field of a form that has another value. */
export function showTheirs(form, values, theirs) {
  for (const name of Object.keys(changesOf(values, theirs))) {
    const input = form.elements[name];
    const box = $('#theirs-template').content.firstElementChild.cloneNode(true);
    const value = name === 'due_date' ? theirs.due_original && textOf(theirs.due_original) : theirs[name];
    box.id = `${form.id}-${name}-theirs`;
    $('.value', box).textContent = $(`option[value="${CSS.escape(value)}"]`, input)?.textContent ?? (value || 'None');
    input.closest('.field').append(box);
    input.setAttribute('aria-describedby', box.id);
  }
}
