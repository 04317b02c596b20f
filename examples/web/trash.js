// The trash: what the user has deleted in the last 30 days.

import { change } from './changes.js';
import { api } from './client.js';
import { $, focusIsLost, setStatus } from './dom.js';
import { report, run } from './forms.js';
import { load } from './list.js';
import { createRow, drop } from './rows.js';
import { toast } from './toasts.js';

const PAGE_SIZE = 50;

const [list, more, empty, dialog] = ['#deleted', '#more-deleted', '#empty', '#empty-trash'].map((id) => $(id));
/** The URL of the rest of the trash, or null. */
let next;

/** Shows the trash until `signal` is aborted. */
export async function open(signal) {
  signal.addEventListener('abort', clear);
  const begin = async () => {
    const page = await api.deletedTasks(PAGE_SIZE, { signal });
    list.replaceChildren();
    append(page);
    if (focusIsLost()) $('#trash-heading').focus();
  };
  more.onclick = () => run(more, async () => append(await api.nextPage(next, { signal })));
  addEventListener('outdated', () => begin().catch(report), { signal });
  await begin();
}

function append({ tasks, ...page }) {
  ({ next } = page);
  list.append(...tasks.map(draw));
  summarize();
}

function clear() {
  next = null;
  list.replaceChildren();
  summarize();
  $('#trash-about').textContent = '';
}

function summarize() {
  more.hidden = !next;
  empty.hidden = !list.firstElementChild;
  setStatus($('#trash-about'), empty.hidden ? 'The trash is empty.' : 'Tasks stay here for 30 days.');
}

function draw({ id, title, deleted_at }) {
  const day = new Date(deleted_at).toLocaleDateString(undefined, { dateStyle: 'medium' });
  return createRow({ title, about: `Deleted ${day}`, label: 'Restore', act: (row) => restore(id, row) });
}

async function restore(id, row) {
  try {
    await change(id, () => api.restoreTask(id));
    toast('Task restored.');
  } catch (error) {
    if (error.code !== 'task_not_found') throw error;
    toast('This task was no longer in the trash.');
  }
  drop(row);
  summarize();
  load();
}

empty.addEventListener('click', () => {
  dialog.returnValue = '';
  dialog.showModal();
});

dialog.addEventListener('close', () => {
  if (dialog.returnValue !== 'confirm') return;
  run(empty, async () => {
    await api.clearDeleted();
    clear();
    summarize();
    $('#trash-heading').focus();
  });
});
