// A client of the API. It knows nothing of the page: copy this file to any other front end.
//
// A sign-in starts a session with two tokens. The access token goes with every request. After a week (ACCESS_TOKEN_TTL
// of the server) it is refused with 401, and the refresh token gets two new ones. A refresh token is for one refresh.
// For an hour it gets the same answer again, because answers get lost. After that, or when the next one has been used,
// it counts as stolen, and the session ends. The session also ends when the user signs out, ends it on another device,
// changes the password or does not refresh it for 30 days, and after 90 days in any case. A refresh then answers
// `invalid_refresh_token`. Nothing else signs the user out.
//
// Several devices of a user change the same tasks. A list and a task have a tag (`ETag`), and get a new one with each
// change. The tag of a task is its `revision`.
// - With the tag of the list that it has, a client gets the list again only if a task has changed (`If-None-Match`).
// - With the revision that the user saw, a change is refused with 412 `changed_meanwhile` if the task has changed since
//   (`If-Match`). If an answer was lost, that may be the client's own change: read the task before you try again.
// - With a key of its own, a new task can be sent again after a lost answer, and stays one task (`Idempotency-Key`).

/** The key of the session in localStorage, where all tabs share it and every script of the page's origin can read it. */
const KEY = 'todo-session';

/** A refresh without an answer is given up after this time, in milliseconds: requests of all tabs wait for it. */
const TIMEOUT = 10_000;
/** The pauses before a refresh or a sign-out is sent again, in milliseconds. */
const PAUSES = [500, 2000];
/** Other tabs read what a tab has written to localStorage after this time at the latest, in milliseconds. */
const SPREADING = 200;

/** Why a request has no better answer; `message` is a sentence, or several, to be shown as it is. */
export class ApiError extends Error {
  name = 'ApiError';

  /**
   * @param {string} message
   * @param {object} [about]
   * @param {number} [about.status] of HTTP; 0 when there was no answer
   * @param {string} [about.code] for programs, such as `task_not_found`
   * @param {string} [about.requestId] what the server's log calls this request
   * @param {number} [about.retryAfter] seconds until it is worth another try
   * @param {Record<string, string>} [about.fields] a sentence for each field that was refused, by name
   */
  constructor(message, { status = 0, code, requestId, retryAfter, fields = {} } = {}) {
    super(message);
    Object.assign(this, { status, code, requestId, retryAfter, fields });
  }
}

/**
 * Every method answers with what the API does, and throws an {@link ApiError} or, when its `signal` is aborted, the
 * signal's reason.
 *
 * @param {string} baseUrl such as `https://abc.execute-api.eu-central-1.amazonaws.com`; empty for the page's own origin
 * @param {object} [options]
 * @param {(error: ApiError) => void} [options.onSignedOut] called when the session has ended
 * @param {() => void} [options.onOtherTab] called when another tab has signed in or out, and so has this one
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

  /** Takes over what another tab has done. */
  function follow() {
    const [before, now] = [session, stored()];
    if (now === undefined) return;
    session = now;
    if (now?.user.id !== before?.user.id) onOtherTab();
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
    /** False if the user has signed out meanwhile. The answer then counts no longer. */
    const isCurrent = () => {
      follow();
      return session?.refresh_token === refresh_token;
    };
    try {
      const { body } = await persistently(() => (
        send('POST', '/auth/refresh', { body: { refresh_token }, signal: AbortSignal.timeout(TIMEOUT) })
      ));
      if (isCurrent()) keep(body);
      // The next tab gets the lock after that, and must find the new tokens.
      await pause(SPREADING);
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
    const isEmpty = response.status === 204 || response.status === 304;
    if (isEmpty || (response.ok && answer.body)) return answer;
    throw errorOf(response, answer.body ?? {});
  }

  /** Sends a request with the access token, and once more with a new one if that was refused. */
  async function request(method, path, options, isRepeated = false) {
    const { access_token: token, user } = session ?? {};
    try {
      return await send(method, path, { ...options, token });
    } catch (error) {
      if (error.status !== 401 || !token || isRepeated) throw error;
      await refresh(token);
      // The token of another user is not for this request.
      if (session?.user.id !== user.id) throw error;
      return request(method, path, options, true);
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
    return { tasks, next: query ? `/tasks${query}` : null, etag: headers.get('ETag') };
  }

  return {
    get signedIn() { return session !== null; },
    /** The ID of the signed-in user, or null. */
    get userId() { return session?.user.id ?? null; },
    signUp: ({ email, password, username }) => enter('/auth/signup', { email, password, username: username || null }),
    signIn: ({ email, password }) => enter('/auth/login', { email, password }),
    /**
     * Signs out all tabs at once, and tells the server without waiting for it. The access token may have expired. If the
     * server cannot be reached, the session goes on there until it expires, but this browser has no token of it.
     */
    signOut() {
      const token = session?.access_token;
      keep(null);
      persistently(() => send('POST', '/auth/logout', { token, keepalive: true })).catch(() => {});
    },
    me: (options) => bodyOf('GET', '/auth/me', options),

    /**
     * Returns a page of `filters.limit` tasks, its `etag`, and the `next` page for {@link nextPage}. A filter that is
     * empty is none. With the `etag` of the same list, returns null if no task of the user has changed since.
     */
    listTasks(filters = {}, { etag, ...options } = {}) {
      const set = Object.entries(filters).filter(([, value]) => value !== '' && value != null);
      const conditions = etag && { 'If-None-Match': etag };
      return page(`/tasks?${new URLSearchParams(set)}`, { ...options, conditions });
    },
    nextPage: page,
    readTask: (id) => bodyOf('GET', `/tasks/${id}`),
    /**
     * Creates a task, once for each key of {@link newKey}. Sent again with the same key, it is the task as it is now,
     * whatever else is sent: `replayed` is then true. If the task was deleted since, it is 410 `task_deleted`.
     */
    async createTask(task, key = newKey()) {
      const { body, headers } = await request('POST', '/tasks', { body: task, conditions: { 'Idempotency-Key': key } });
      return { task: body, replayed: headers.has('Idempotent-Replayed') };
    },
    /** Changes the fields that are sent; `null` or an empty string clears one. Without a revision, in any case. */
    updateTask: (id, changes, revision) => (
      bodyOf('PUT', `/tasks/${id}`, { body: changes, conditions: ifMatch(revision) })
    ),
    /** Needs no revision: it means the same whatever else has changed. */
    completeTask: (id, completed) => bodyOf('PATCH', `/tasks/${id}/complete`, { body: { completed } }),
    deleteTask: (id, revision) => bodyOf('DELETE', `/tasks/${id}`, { conditions: ifMatch(revision) }),
    /** Brings a deleted task back. 404 `task_not_found` if it is no longer kept, or not deleted. */
    restoreTask: (id) => bodyOf('POST', `/tasks/${id}/restore`),
  };
}

/** Makes the key of a new task. Keep it with the task until it is answered. Without HTTPS there is no `randomUUID`. */
export const newKey = () => crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join('-');

const ifMatch = (revision) => (revision === undefined ? {} : { 'If-Match': `"${revision}"` });

/**
 * Returns the result of `use`, or undefined where the browser forbids localStorage. A session then lasts as long as the
 * page, and each tab has its own.
 */
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

/** Asks again if there was no answer or a 5xx, for requests that may be carried out twice. */
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
  if (code === 'email_taken') fields.email = sentence(detail);
  if (code === 'username_taken') fields.username = sentence(detail);

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
