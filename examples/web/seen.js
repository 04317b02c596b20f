// The list that was last seen: it stays readable where there is no network.

import { storage } from './storage.js';

const KEY = 'todo-seen';
/** The most that is kept, in characters: localStorage has room for five million. */
const MOST = 1_000_000;

/** Keeps the tasks that a user had at a time, in the place of any others: the first of them if they are too long. */
export function remember(user, tasks, at) {
  let text;
  do {
    text = JSON.stringify({ user, at, tasks });
    tasks = tasks.slice(0, tasks.length / 2);
  } while (text.length > MOST);
  storage((store) => store.setItem(KEY, text));
}

/** Returns the user's `tasks` and since when they are so (`at`, a Date), or null. */
export function recall(user) {
  const seen = storage((store) => JSON.parse(store.getItem(KEY)));
  return seen?.user === user ? { tasks: seen.tasks, at: new Date(seen.at) } : null;
}

export const forget = () => storage((store) => store.removeItem(KEY));
