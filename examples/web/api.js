// A client of the API, which openapi.yaml describes. It knows nothing of the page: copy it to any other front end.
//
// A session has an access token, which goes with every request, and a refresh token, which gets two new ones when the
// other was refused (401). A refresh token is for one refresh. For an hour it gets the same answer again, because
// answers get lost; after that it counts as stolen, and the session ends. A refresh then answers
// `invalid_refresh_token`. Nothing else signs the user out.
//
// Several devices of a user change the same tasks. A list has a tag (`etag`) and a task a `revision`, which are others
// after each change. A change with the revision that the user saw is refused (412 `changed_meanwhile`) if the task has
// another one by now. After a lost answer that may be the client's own change: read the task before you try again.

/** The key in localStorage, where all tabs share the session and every script of the page's origin can read it. */
const KEY = 'todo-session';
/** A refresh without an answer is given up after this time, as requests of all tabs wait for it. Times are in ms. */
const TIMEOUT = 10_000;
/** The pauses before a refresh or a sign-out is sent again. */
const PAUSES = [500, 2000];
/** After this time, other tabs read what a tab has written to localStorage. */
const SPREADING = 200;

/**
 * An error, whose message can be shown as it is. `status` is 0 if there was no answer, `code` is for programs, such as
 * `task_not_found`, `requestId` is in the server's log, `retryAfter` in seconds, and `fields` has a sentence for each
 * field that was refused.
 */
export class ApiError extends Error {
  name = 'ApiError';

  constructor(message, { status = 0, code, requestId, retryAfter, fields = {} } = {}) {
    super(message);
    Object.assign(this, { status, code, requestId, retryAfter, fields });
  }
}

/**
 * Every method returns what the API answers, and throws an {@link ApiError} or, when its `signal` is aborted, the
 * signal's reason. `baseUrl` has no slash at its end, and is empty for the page's own origin. `onSignedOut` gets the
 * error when the session has ended; `onOtherTab` is called when another tab has signed in or out, and so has this one,
 * or has changed the user.
 */
export function createApi(baseUrl, { onSignedOut = () => {}, onOtherTab = () => {} } = {}) {
  /** The answer to the last sign-in or refresh: `{access_token, refresh_token, user}`, or null. */
  let session = stored() ?? null;
  /** The refresh under way: every request that needs one waits for the same. */
  let refreshing = null;

  addEventListener('storage', follow);

  function keep(newSession) {
    session = newSession;
    storage((store) => (session ? store.setItem(KEY, JSON.stringify(session)) : store.removeItem(KEY)));
  }

  /** Keeps new tokens under the lock. The tab that gets it next must find them. */
  function replace(newSession) {
    keep(newSession);
    return pause(SPREADING);
  }

  /** Takes over what another tab has done. */
  function follow() {
    const [before, now] = [session, stored()];
    if (now === undefined) return;
    session = now;
    if (JSON.stringify(now?.user) !== JSON.stringify(before?.user)) onOtherTab();
  }

  /** Gets new tokens in the place of the `refused` access token, once for all tabs. */
  function refresh(refused) {
    refreshing ??= locked(() => refreshAlone(refused)).finally(() => { refreshing = null; });
    return refreshing;
  }

  async function refreshAlone(refused) {
    follow();
    // Another tab has refreshed, or signed out.
    if (session?.access_token !== refused) return;
    const { refresh_token } = session;
    /** False if the user has signed out meanwhile: the answer then counts no longer. */
    const isCurrent = () => {
      follow();
      return session?.refresh_token === refresh_token;
    };
    try {
      const { body } = await persistently(() => (
        send('POST', '/auth/refresh', { body: { refresh_token }, signal: AbortSignal.timeout(TIMEOUT) })
      ));
      if (isCurrent()) await replace(body);
    } catch (error) {
      if (error.code === 'invalid_refresh_token' && isCurrent()) {
        keep(null);
        onSignedOut(error);
      }
      throw error;
    }
  }

  /** Sends a request as it is. */
  async function send(method, path, { body, token, signal, keepalive, conditions } = {}) {
    const headers = { ...conditions };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body) headers['Content-Type'] = 'application/json';
    let response, text;
    try {
      response = await fetch(baseUrl + path, { method, headers, body: JSON.stringify(body), signal, keepalive });
      text = await response.text();
    } catch (error) {
      if (signal?.aborted && error.name !== 'TimeoutError') throw error;
      throw new ApiError('The server cannot be reached. Check your connection and try again.');
    }
    const answer = { headers: response.headers, body: parse(text) };
    if ([204, 304].includes(response.status) || (response.ok && answer.body)) return answer;
    throw errorOf(response, answer.body ?? {});
  }

  /** Sends a request with the access token, and once more with the new one of `renew` if that was refused. */
  async function request(method, path, options, renew = refresh) {
    const { access_token: token, user } = session ?? {};
    try {
      return await send(method, path, { ...options, token });
    } catch (error) {
      if (error.status !== 401 || !token || !renew) throw error;
      await renew(token);
      // The token of another user is not for this request.
      if (session?.user.id !== user.id) throw error;
      return request(method, path, options, null);
    }
  }

  const bodyOf = async (...args) => (await request(...args)).body;

  async function enter(path, user) {
    const { body } = await send('POST', path, { body: user });
    keep(body);
    return body.user;
  }

  async function page(path, options) {
    const { body: tasks, headers } = await request('GET', path, options);
    if (!tasks) return null;
    // Of the link only the query is new. The rest may lack what a proxy has before the path.
    const query = headers.get('Link')?.match(/<[^>?]*(\?[^>]*)>;\s*rel="?next"?/)?.[1];
    return { tasks, next: query ? path.split('?')[0] + query : null, etag: headers.get('ETag') };
  }

  return {
    /** The signed-in user, `{id, email, username}`, or null. */
    get user() { return session?.user ?? null; },
    get userId() { return session?.user.id ?? null; },
    signUp: ({ email, password, username }) => enter('/auth/signup', { email, password, username: username || null }),
    signIn: ({ email, password }) => enter('/auth/login', { email, password }),
    /** Signs out all tabs at once. If the server cannot be told, the session expires there, and its tokens are gone. */
    signOut() {
      const token = session?.access_token;
      keep(null);
      persistently(() => send('POST', '/auth/logout', { token, keepalive: true })).catch(() => {});
    },

    me: (options) => bodyOf('GET', '/auth/me', options),
    /** An empty username is none. */
    async changeUsername(username) {
      const user = await bodyOf('PATCH', '/auth/me', { body: { username: username || null } });
      if (session?.user.id === user.id) keep({ ...session, user });
      return user;
    },
    /** Ends every other session. This one gets new tokens: a refresh with the old ones would end it, and waits. */
    changePassword: (current_password, new_password) => locked(async () => {
      const passwords = { current_password, new_password };
      const { body } = await request('POST', '/auth/password', { body: passwords }, refreshAlone);
      follow();
      if (session?.user.id === body.user.id) await replace(body);
    }),
    /** Deletes the user with all that is theirs, and signs out all tabs. */
    async deleteAccount(password) {
      await request('POST', '/auth/me/delete', { body: { password } });
      keep(null);
    },
    /** Returns the user's sessions, newest first; this one is `current`. */
    sessions: (options) => bodyOf('GET', '/auth/sessions', options),
    endSession: (id) => request('DELETE', `/auth/sessions/${id}`),
    endOtherSessions: () => request('DELETE', '/auth/sessions'),

    /**
     * Returns `filters.limit` tasks, the `next` page for {@link nextPage}, and the list's `etag`. With that, the same
     * list is null if no task of the user has changed since. An empty filter is none.
     */
    listTasks(filters = {}, { etag, ...options } = {}) {
      const set = Object.entries(filters).filter(([, value]) => value !== '' && value != null);
      const conditions = etag && { 'If-None-Match': etag };
      return page(`/tasks?${new URLSearchParams(set)}`, { ...options, conditions });
    },
    /** The last deleted first. They are kept for 30 days. */
    deletedTasks: (limit, options) => page(`/tasks/deleted?limit=${limit}`, options),
    nextPage: page,
    readTask: (id) => bodyOf('GET', `/tasks/${id}`),
    /**
     * Creates a task, once for each key of {@link newKey}: after a lost answer, it is `replayed`, as it is now. 410
     * `task_deleted` if it was deleted since.
     */
    async createTask(task, key = newKey()) {
      const { body, headers } = await request('POST', '/tasks', { body: task, conditions: { 'Idempotency-Key': key } });
      return { task: body, replayed: headers.has('Idempotent-Replayed') };
    },
    /** Changes the fields that are sent; null or an empty string clears one. Without a revision, in any case. */
    updateTask: (id, changes, revision) => (
      bodyOf('PUT', `/tasks/${id}`, { body: changes, conditions: ifMatch(revision) })
    ),
    /** Needs no revision: it means the same whatever else has changed. */
    completeTask: (id, completed) => bodyOf('PATCH', `/tasks/${id}/complete`, { body: { completed } }),
    deleteTask: (id, revision) => bodyOf('DELETE', `/tasks/${id}`, { conditions: ifMatch(revision) }),
    /** Brings a deleted task back. 404 `task_not_found` if it is no longer kept, or not deleted. */
    restoreTask: (id) => bodyOf('POST', `/tasks/${id}/restore`),
    /** No deleted task can be restored after that. */
    clearDeleted: () => request('DELETE', '/tasks/deleted'),
  };
}

/** Makes the key of a new task. Keep it with the task until it is answered. Without HTTPS there is no `randomUUID`. */
export const newKey = () => crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join('-');

const ifMatch = (revision) => (revision === undefined ? {} : { 'If-Match': `"${revision}"` });

/** Returns undefined where the browser forbids localStorage. Each tab then has its own session, while it is open. */
function storage(use) {
  try {
    return use(localStorage);
  } catch {
    return undefined;
  }
}

/** Returns the session that a tab has kept, null if there is none, or undefined if it cannot be read. */
const stored = () => storage((store) => JSON.parse(store.getItem(KEY)));

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Runs `action` in one tab at a time, unless there is no HTTPS and so no locks, or no localStorage to share. */
const locked = (action) => (storage(() => navigator.locks) ? navigator.locks.request(KEY, action) : action());

/** Asks again if there was no answer or a 5xx. The request may be carried out twice. */
async function persistently(ask) {
  for (const time of PAUSES) {
    try {
      return await ask();
    } catch (error) {
      if (error.status > 0 && error.status < 500) throw error;
      await pause(time);
    }
  }
  return ask();
}

const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

/** `detail`, a sentence or a list of fields, is the API's; `message` is API Gateway's own, such as "Not Found". */
function errorOf({ status, headers }, { detail, message, code, request_id: requestId }) {
  const retryAfter = Number(headers.get('Retry-After')) || undefined;
  const fields = Array.isArray(detail) ? fieldsOf(detail) : {};
  const [, taken] = code?.match(/^(email|username)_taken$/) ?? [];
  if (taken) fields[taken] = sentence(detail);

  let text = Object.values(fields).join(' ');
  text ||= sentence(detail ?? message ?? `The server gave an unexpected answer (${status})`);
  if (/^invalid_(refresh_)?token$/.test(code)) text = 'Your session has ended. Please sign in again.';
  if (status === 429) text = `Too many attempts. Please try again in ${retryAfter ? wait(retryAfter) : 'a moment'}.`;
  return new ApiError(text, { status, code, requestId, retryAfter, fields });
}

/** `[{loc: ["body", "title"], msg: "Title should not be empty"}]` → `{title: "Title should not be empty."}` */
function fieldsOf(detail) {
  return Object.fromEntries(detail.map(({ loc, msg }) => {
    const [part, name = part] = loc;
    const label = name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ');
    return [name, sentence(msg.replace(/^Field required$/, `${label} is required`).replace(/^Input /, `${label} `))];
  }));
}

const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** 90 → "2 minutes" */
function wait(seconds) {
  const [unit, count] = seconds < 60 ? ['second', seconds] : ['minute', Math.ceil(seconds / 60)];
  return new Intl.NumberFormat('en', { style: 'unit', unit, unitDisplay: 'long' }).format(count);
}
