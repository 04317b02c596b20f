// Requests that change tasks.

import { api } from './client.js';

/** The last request of each key. */
const turns = new Map();

/**
 * Sends a request after the earlier ones with the same key, such as the task's ID. So the changes of a task are made in
 * the user's order, and their answers arrive in that order.
 */
export async function inTurn(key, send) {
  const user = api.userId;
  const earlier = turns.get(key) ?? Promise.resolve();
  const turn = earlier.catch(() => {}).then(() => {
    checkUser(user);
    return send();
  });
  turns.set(key, turn);
  try {
    return await turn;
  } finally {
    if (turns.get(key) === turn) turns.delete(key);
  }
}

/** Does the same as {@link inTurn}, and throws an AbortError if the user has signed out meanwhile. */
export async function change(id, send) {
  const user = api.userId;
  try {
    return await inTurn(id, send);
  } finally {
    checkUser(user);
  }
}

function checkUser(user) {
  if (api.userId !== user) throw new DOMException('The session ended before this was sent.', 'AbortError');
}
