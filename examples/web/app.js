// The page: its views, all of them in index.html, and who may see them.

import { open as openAccount } from './account.js';
import { hideAlert, showAlert } from './alert.js';
import { ApiError } from './api.js';
import { API_URL, api } from './client.js';
import { $, $$ } from './dom.js';
import { filters, readFilters } from './filters.js';
import { clearFieldErrors, onSingleSubmit, report } from './forms.js';
import { clearList, load, showUser } from './list.js';
import './due-buttons.js';
import './new-task.js';
import * as outbox from './outbox.js';
import * as seen from './seen.js';
import { clearSelection } from './selection.js';
import './shortcuts.js';
import './tasks.js';
import { clearToasts, toast } from './toasts.js';
import { open as openTrash } from './trash.js';
// The others import these. Named here, they are asked for with the others, not after them.
import './actions.js';
import './board.js';
import './changes.js';
import './conflict.js';
import './due.js';
import './groups.js';
import './quick-add.js';
import './rows.js';
import './storage.js';

const [signIn, signUp] = $$('.view');
/** Functions that ask for a view's data when it is shown, by ID. */
const openings = { account: openAccount, trash: openTrash };

/** The user who is shown, or null. */
let user = null;
/** Aborted when another view is shown. */
let shown = new AbortController();

$('#docs').href = `${API_URL}/docs`;

/** Returns the view that the URL names, such as `#trash`. So the Back button leaves a view as it leaves a page. */
function viewOfUrl() {
  const names = user ? ['#board', '#account', '#trash'] : ['#sign-in', '#sign-up'];
  return $(names.find((name) => name === location.hash) ?? names[0]);
}

async function show() {
  shown.abort();
  const { signal } = shown = new AbortController();
  const view = viewOfUrl();
  for (const each of $$('.view')) each.hidden = each !== view;
  for (const link of $$('#session a')) link.ariaCurrent = link.hash === `#${view.id}` ? 'page' : null;
  $('#session').hidden = !user;
  hideAlert();
  const heading = $('h1', view);
  document.title = `${heading.textContent} · Todo`;
  const missing = () => $$('input', view).find(({ value }) => !value) ?? $('[type=submit]', view);
  (user ? heading : missing()).focus({ preventScroll: true });
  try {
    await openings[view.id]?.(signal);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    showAlert(error.message, show);
  }
}

/** Leaves the views and the filters of the URL. */
const clearUrl = () => history.replaceState(null, '', location.pathname);

function enter() {
  ({ user } = api);
  if (location.hash === '#sign-up') clearUrl();
  showUser(user);
  show();
  outbox.open(user.id);
  load();
}

/** Nothing of one user is left for the next. What was typed waits in the outbox until the same user is back. */
function leave(email = '') {
  for (const dialog of $$('dialog[open]')) dialog.close();
  outbox.close('The session ended before this was saved.');
  for (const form of [signIn, signUp, $('#new-task'), filters]) {
    form.reset();
    clearFieldErrors(form);
  }
  seen.forget();
  clearSelection();
  clearList();
  clearToasts();
  user = null;
  signIn.elements.email.value = email;
  show();
}

/** Leaves as the user wishes. */
function signOut(text) {
  clearUrl();
  leave();
  outbox.forget();
  toast(text);
}

for (const [form, send, text] of [[signIn, api.signIn], [signUp, api.signUp, 'Welcome! Your account is ready.']]) {
  onSingleSubmit(form, async (values) => {
    await send(values);
    form.reset();
    enter();
    if (text) toast(text);
  });
}

for (const reveal of $$('.reveal')) {
  const passwords = $$('[type=password]', reveal.form);
  const apply = () => { for (const each of passwords) each.type = reveal.checked ? 'text' : 'password'; };
  reveal.addEventListener('change', apply);
  reveal.form.addEventListener('reset', () => setTimeout(apply));
}

$('#sign-out').addEventListener('click', () => {
  api.signOut();
  signOut('You are signed out.');
});
addEventListener('account-deleted', () => signOut('Your account is deleted.'));

addEventListener('signed-out', ({ detail: error }) => {
  leave(user?.email);
  report(error);
});

addEventListener('other-tab', () => {
  const wasHere = user !== null;
  if (wasHere && outbox.isOpenFor(api.userId)) return showUser(api.user);
  if (wasHere) leave();
  if (api.user) enter();
  else if (wasHere) showAlert('You were signed out in another tab.');
});

// The user has followed a link of the page, or gone back or forward.
addEventListener('popstate', () => {
  if (!readFilters()) return;
  if (user) return load();
  // These are the filters of a user who has left.
  history.replaceState(null, '', location.pathname + location.hash);
  readFilters();
});
addEventListener('hashchange', () => { if (viewOfUrl().hidden) show(); });

addEventListener('pagehide', outbox.save);

if (api.user) enter();
else show();

// The page opens without a network, except where the browser has no service workers or forbids them.
navigator.serviceWorker?.register('sw.js').catch(() => {});
