// Completing and deleting tasks. It shows at once, is put right if the server refuses, and can be undone.

import { hideAlert } from './alert.js';
import { draw, expect, itemOf, remove, tasks, view } from './board.js';
import { change } from './changes.js';
import { api } from './client.js';
import { deleteSeen } from './conflict.js';
import { $, focusIsLost } from './dom.js';
import { report } from './forms.js';
import { toast } from './toasts.js';

/** The requests that are sent at the same time. */
const AT_ONCE = 4;

export const complete = (ids, completed) => act(
  ids,
  { changes: { completed, completed_at: new Date().toJSON() }, send: (id) => api.completeTask(id, completed) },
  { changes: { completed: !completed }, send: (id) => api.completeTask(id, !completed) },
  completed ? 'done' : 'open again',
);

export function erase(ids) {
  const seen = new Map(ids.map((id) => [id, view(id)]));
  const send = async (id) => {
    await deleteSeen(seen.get(id));
    return { ...tasks.get(id) ?? seen.get(id), deleted: true };
  };
  const undo = { changes: { deleted: false }, send: (id) => api.restoreTask(id) };
  return act(ids, { changes: { deleted: true }, send }, undo, 'deleted');
}

/** Acts on tasks. Says at once what is done, such as "Task done.", and offers to undo it. */
async function act(ids, action, undo, done) {
  if (ids.length === 0) return;
  hideAlert();
  const work = carryOut(ids, action);
  let left;
  const takeBack = async () => {
    const { answers, error } = await work;
    left ??= answers;
    if (left.length === 0) throw error;
    for (const task of left) if (!tasks.has(task.id)) draw(task);
    const undone = await carryOut(left.map(({ id }) => id), undo);
    const item = itemOf(left[0].id);
    left = left.filter(({ id }) => undone.failed.includes(id));
    if (undone.error) throw undone.error;
    if (item && focusIsLost()) $('input', item).focus();
  };
  const text = (count) => `${count === 1 ? 'Task' : `${count} tasks`} ${done}.`;
  const offer = toast(text(ids.length), takeBack, { subject: ids.join(), work });
  const { answers, error } = await work;
  if (answers.length === 0) offer.remove();
  else $('p', offer).textContent = text(answers.length);
  if (error) report(error);
}

/** Sends an action on tasks, and shows at once what it changes. Returns what was answered, and the first error. */
async function carryOut(ids, { changes, send }) {
  const [settle, waiting, answers, failed] = [expect(ids, changes), [...ids], [], []];
  let error;
  const work = async () => {
    for (let id = waiting.shift(); id; id = waiting.shift()) {
      try {
        const task = await change(id, () => send(id));
        settle(id, task);
        answers.push(task);
      } catch (refusal) {
        settle(id);
        failed.push(id);
        error ??= refusal;
        if (refusal.theirs) draw(refusal.theirs);
        // Another tab or device may have deleted or restored it.
        if (refusal.code === 'task_not_found' && tasks.has(id)) remove(id);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  // The trash may be shown by now.
  if ($('#board').hidden) dispatchEvent(new Event('outdated'));
  return { answers, failed, error };
}
