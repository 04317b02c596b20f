// A client of the API. It knows nothing of the page: copy this file to any other front end.

/** Where the tokens are kept in localStorage. */
const TOKEN_KEY = 'todo-token';
const REFRESH_KEY = 'todo-refresh-token';

/** An access token is refreshed this long before it expires, in seconds. */
const MARGIN = 30;
/** The pauses before a refresh is sent again whose answer was lost, in milliseconds. */
const PAUSES = [500, 2000];

const OUTCOME_UNKNOWN = 'The server did not answer: the change may have been made. Please look before you try again.';

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
 * @param {(error: ApiError) => void} [options.onSignedOut] called when the server no longer takes the token
 * @param {() => void} [options.onOtherTab] called when another tab has signed in or out, and so has this one
 */
export function createApi(baseUrl, { onSignedOut = () => {}, onOtherTab = () => {} } = {}) {
  const stored = (key) => storage((store) => store.getItem(key));
  let token = stored(TOKEN_KEY);
  let refreshToken = stored(REFRESH_KEY);

  // The key is null when everything was cleared.
  addEventListener('storage', ({ key }) => {
    if (key !== TOKEN_KEY && key !== null) return;
    const { sid } = claimsOf(token);
    read();
    // A tab that has only refreshed changes nothing for the others.
    if (claimsOf(token).sid !== sid) onOtherTab();
  });

  function read() {
    token = stored(TOKEN_KEY) ?? null;
    refreshToken = stored(REFRESH_KEY) ?? null;
  }

  function keep({ access_token: newToken = null, refresh_token: newRefreshToken = null } = {}) {
    token = newToken;
    refreshToken = newRefreshToken;
    // The access token last: its event makes other tabs read both.
    for (const [key, value] of [[REFRESH_KEY, refreshToken], [TOKEN_KEY, token]]) {
      storage((store) => (value ? store.setItem(key, value) : store.removeItem(key)));
    }
  }

  /** Gets a new access token in the place of `old`, once for all tabs: another one may have done it meanwhile. */
  const refresh = (old) => locked(async () => {
    if (storage(() => true)) read();
    if (token !== old || !refreshToken) return;
    try {
      const body = { refresh_token: refreshToken };
      keep(await persistently(() => send('POST', '/auth/refresh', { body, isPublic: true })));
    } catch (error) {
      if (error.code === 'invalid_refresh_token') signedOut(error);
      throw error;
    }
  });

  function signedOut(error) {
    keep();
    onSignedOut(error);
  }

  /** `doubles` is true if the request does more when it is sent twice, `isPublic` if it needs no token. */
  async function request(method, path, { body, signal, doubles = false, isPublic = false, isLast = false } = {}) {
    if (!isPublic && refreshToken && expires(token)) await refresh(token);
    const sent = isPublic ? null : token;
    const isOffline = navigator.onLine === false;
    const headers = {};
    if (sent) headers.Authorization = `Bearer ${sent}`;
    if (body) headers['Content-Type'] = 'application/json';
    let response, text;
    try {
      response = await fetch(baseUrl + path, { method, headers, body: JSON.stringify(body), signal });
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      if (doubles && !isOffline) throw new ApiError(OUTCOME_UNKNOWN, { code: 'outcome_unknown' });
      throw new ApiError('The server cannot be reached. Check your connection and try again.');
    }
    const answer = parse(text);
    if (response.ok && answer) return { answer, response };
    const error = errorOf(response, answer ?? {}, sent);
    // The answer to an older token says nothing about the one that has taken its place.
    if (response.status === 401 && sent && sent === token) {
      // The clock of this machine may be slow, and the token have expired.
      if (refreshToken && !isLast) {
        await refresh(sent);
        return request(method, path, { body, signal, doubles, isLast: true });
      }
      signedOut(error);
    }
    throw error;
  }

  async function send(...args) {
    const { answer } = await request(...args);
    return answer;
  }

  async function enter(path, body) {
    const session = await send('POST', path, { body, isPublic: true });
    keep(session);
    return session.user;
  }

  async function page(path, options) {
    const { answer: tasks, response } = await request('GET', path, options);
    // Of the link only the query is new. The rest may lack what a proxy has before the path.
    const query = response.headers.get('Link')?.match(/<[^>?]*(\?[^>]*)>;\s*rel="?next"?/)?.[1];
    return { tasks, next: query ? `/tasks${query}` : null };
  }

  return {
    get signedIn() { return token !== null; },
    /** The ID of the signed-in user, or null. */
    get userId() { return claimsOf(token).sub ?? null; },
    signUp: ({ email, password, username }) => enter('/auth/signup', { email, password, username: username || null }),
    signIn: ({ email, password }) => enter('/auth/login', { email, password }),
    /** Ends the session. The server is told, but not waited for. */
    signOut() {
      const headers = { Authorization: `Bearer ${token}` };
      fetch(`${baseUrl}/auth/logout`, { method: 'POST', headers, keepalive: true }).catch(() => {});
      keep();
    },
    me: (options) => send('GET', '/auth/me', options),

    /** A page of `filters.limit` tasks, and the `next` one for {@link nextPage}. A filter that is empty is none. */
    listTasks(filters = {}, options) {
      const set = Object.entries(filters).filter(([, value]) => value !== '' && value != null);
      return page(`/tasks?${new URLSearchParams(set)}`, options);
    },
    nextPage: page,
    createTask: (task) => send('POST', '/tasks', { body: task, doubles: true }),
    /** Changes the fields that are sent; `null` or an empty string clears one. */
    updateTask: (id, changes) => send('PUT', `/tasks/${id}`, { body: changes }),
    completeTask: (id, completed) => send('PATCH', `/tasks/${id}/complete`, { body: { completed } }),
    deleteTask: (id) => send('DELETE', `/tasks/${id}`),
  };
}

/** What `use` makes of localStorage, or null where the browser forbids it: the token then lives as long as the page. */
function storage(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Runs `action` in one tab of the browser at a time. Where there are no locks, as in a page without HTTPS, it just runs. */
const locked = (action) => (navigator.locks ? navigator.locks.request(REFRESH_KEY, action) : action());

/** Asks again when the answer was lost. A refresh that was carried out gets the same answer again. */
async function persistently(ask) {
  for (const pause of PAUSES) {
    try {
      return await ask();
    } catch (error) {
      if (error.status > 0 && error.status < 500) throw error;
      await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
  }
  return ask();
}

const expires = (token) => claimsOf(token).exp < Date.now() / 1000 + MARGIN;

/** The token is a JWT: three parts in base64url, of which the second has the claims. */
function claimsOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
  } catch {
    return {};
  }
}

/** `detail`, a sentence or a list of fields, is the API's; `message` is API Gateway's own, such as "Not Found". */
function errorOf({ status, headers }, { detail, message, code, request_id: requestId }, token) {
  const retryAfter = Number(headers.get('Retry-After')) || undefined;
  const fields = Array.isArray(detail) ? fieldsOf(detail) : {};
  if (code === 'email_taken') fields.email = sentence(detail);
  if (code === 'username_taken') fields.username = sentence(detail);

  let text = Object.values(fields).join(' ');
  text ||= sentence(detail ?? message ?? `The server gave an unexpected answer (${status})`);
  const hasEnded = status === 401 && (token || code === 'invalid_refresh_token');
  if (hasEnded) text = 'Your session has ended. Please sign in again.';
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
