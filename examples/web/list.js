// The list of tasks on the server: asking for it, and whether it has changed.

import { hideAlert, setStandingAlert } from './alert.js';
import { ApiError } from './api.js';
import { clear, list, settleAdded, show, tasks } from './board.js';
import { api } from './client.js';
import { $ } from './dom.js';
import { textOf } from './due.js';
import { filters, isFiltered, showActiveFilters } from './filters.js';
import { run, valuesOf } from './forms.js';
import { recall, remember } from './seen.js';

/** The server's limit of a page, and the tasks that are asked for at once. A button asks for more. */
const [PAGE_SIZE, ENOUGH] = [200, 1000];
/** A look at the window within this time of the last request is no new one, in milliseconds. */
const LOOK = 1000;

/** The URL of the rest of the list, if there is more. */
let next = null;
/** The tag of the list that is shown, or null if another one was asked for. */
let etag = null;
let askedAt = 0;
/** The time of the last answer about the list. */
let knownAt = 0;
let loading, loadTimer;
/** Asks again for what could not be loaded. */
let retry = null;

/** Asks for the list, or for more of it. Gives up an earlier request. */
export async function load(more = false) {
  stop();
  if (!more) {
    forgetPages();
    showActiveFilters();
  }
  list.ariaBusy = 'true';
  const { signal } = loading = new AbortController();
  try {
    await loadPages(signal, more);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    retry = () => load(more);
    setStandingAlert({ text: error.message + recallList(error), retry: retryByHand });
  } finally {
    if (signal === loading.signal) list.ariaBusy = 'false';
  }
}

/** Asks whether the list has changed, when the window is looked at or the network is back. If not, nothing is drawn. */
async function look() {
  const isAsked = list.ariaBusy === 'true' || retry || Date.now() - askedAt < LOOK;
  if (isAsked || !etag || document.hidden) return;
  const { signal } = loading = new AbortController();
  try {
    await loadPages(signal, false, etag);
  } catch (error) {
    // The next look asks again.
    if (!signal.aborted && !(error instanceof ApiError)) throw error;
  }
}

addEventListener('focus', look);
document.addEventListener('visibilitychange', look);

/** Loads pages one after the other, and shows each. With the tag of the list that is shown, brings it up to date. */
async function loadPages(signal, more, known) {
  const fresh = new Map(more ? tasks : []);
  const enough = fresh.size + Math.max(known ? tasks.size : 0, ENOUGH);
  const endAdded = settleAdded();
  let tag = etag;
  do {
    const isFirst = fresh.size === 0;
    const filter = { ...valuesOf(filters), limit: PAGE_SIZE };
    askedAt = Date.now();
    const page = await (isFirst ? api.listTasks(filter, { etag: known, signal }) : api.nextPage(next, { signal }));
    knownAt = Date.now();
    if (!page) return;
    if (isFirst) {
      endAdded();
      // An older page may be of an older list, so its tag stays.
      tag = page.etag;
    }
    for (const task of page.tasks) fresh.set(task.id, task);
    ({ next } = page);
    show(fresh.values(), Boolean(next), Boolean(known && next));
  } while (next && fresh.size < enough);
  if (known && next) show(fresh.values(), true);
  etag = tag;
  keepSeen();
}

/** Keeps the list as it is shown, unless it is that of a filter, or another one was asked for. */
function keepSeen() {
  const isSaved = ({ deleted, revision }) => !deleted && revision;
  if (etag && !isFiltered()) remember(api.userId, [...tasks.values()].filter(isSaved), knownAt);
}

/** Keeps what has changed since. Another tab may have kept a newer list, or have signed out: then none is kept. */
function keepChanges() {
  if (recall(api.userId)?.at <= knownAt) keepSeen();
}

addEventListener('pagehide', keepChanges);
document.addEventListener('visibilitychange', keepChanges);

/** Shows the list that was last seen if there is no network, and nothing else to show. Returns what to say about it. */
function recallList({ status }) {
  const seen = status === 0 && tasks.size === 0 && recall(api.userId);
  if (!seen) return '';
  if (isFiltered()) return ' Clear the filters to read the list that was last seen.';
  show(seen.tasks, false);
  return ` The tasks are those of ${textOf(seen.at.toISOString())}.`;
}

function retryByHand() {
  $('#board-heading').focus();
  retry?.();
}

addEventListener('online', () => (retry ?? look)());
// A change has ended that the list, asked for before it, does not have.
addEventListener('outdated', () => { if (api.user) load(); });

export function showUser({ username, email }) {
  $('#who').textContent = username ?? email;
  $('#who').title = email;
}

function stop() {
  clearTimeout(loadTimer);
  loading?.abort();
  retry = null;
  setStandingAlert(null);
}

function forgetPages() {
  next = null;
  etag = null;
  $('#load-more').hidden = true;
}

/** Nothing of one user is left for the next. */
export function clearList() {
  stop();
  forgetPages();
  clear();
  showActiveFilters();
  $('#who').textContent = '';
}

function loadSoon(delay = 0) {
  hideAlert();
  stop();
  forgetPages();
  loadTimer = setTimeout(load, delay);
}

filters.addEventListener('input', ({ target }) => loadSoon(target.type === 'search' ? 250 : 0));
filters.addEventListener('reset', () => loadSoon());
filters.addEventListener('submit', (event) => {
  event.preventDefault();
  load();
});

$('#load-more').addEventListener('click', ({ target }) => run(target, () => load(true)));
