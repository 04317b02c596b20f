// The groups of a list in the order of due dates, and the order in each of them.

import { clockOf, dayAfter, isOverdue } from './due.js';

export const GROUPS = { overdue: 'Overdue', today: 'Today', upcoming: 'Upcoming', undated: 'No date', done: 'Done' };

export function groupOf({ completed, due_date: due }, now) {
  if (completed) return 'done';
  if (!due) return 'undated';
  if (isOverdue(due, now)) return 'overdue';
  return clockOf(due).startsWith(dayAfter(now, 0)) ? 'today' : 'upcoming';
}

const inOrder = (a = '', b = '') => (a < b ? -1 : Number(a > b));

/** Compares two tasks of a group: by due date, what was added last on top, or what was done last. */
export function compare(a, b) {
  if (a.completed) return inOrder(b.completed_at, a.completed_at);
  return inOrder(a.due_date && clockOf(a.due_date), b.due_date && clockOf(b.due_date))
    || b.number - a.number
    || inOrder(b.created_at, a.created_at);
}
