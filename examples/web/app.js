// The page: three views (sign in, sign up, the board with the tasks) and two dialogs, all of them in index.html.

import { hideAlert, showAlert } from './alert.js';
import { API_URL, api } from './client.js';
import { $, $$ } from './dom.js';
import { filters } from './filters.js';
import { clearFieldErrors, onSingleSubmit, report } from './forms.js';
import { clearList, load, showUser } from './list.js';
import * as outbox from './outbox.js';
import { closeDialogs } from './tasks.js';
import { clearToasts, toast } from './toasts.js';

const [signIn, signUp, board] = $$('.view');

$('#docs').href = `${API_URL}/docs`;

function show(view) {
  for (const each of [signIn, signUp, board]) each.hidden = each !== view;
  $('#session').hidden = view !== board;
  hideAlert();
  const heading = $('h1', view);
  document.title = `${heading.textContent} · Todo`;
  (view === board ? heading : $('input', view)).focus();
}

function enter(user) {
  if (user) showUser(user);
  show(board);
  outbox.open(api.userId);
  load();
}

/** Nothing of one user is left for the next. What was typed waits in the outbox until the same user is back. */
function leave() {
  closeDialogs('The session ended before this was saved.');
  outbox.close();
  for (const form of [signIn, signUp, $('#new-task'), filters]) {
    form.reset();
    clearFieldErrors(form);
  }
  clearList();
  clearToasts();
  show(signIn);
}

onSingleSubmit(signIn, async (values) => {
  const user = await api.signIn(values);
  signIn.reset();
  enter(user);
});

onSingleSubmit(signUp, async (values) => {
  const user = await api.signUp(values);
  signUp.reset();
  enter(user);
  toast('Welcome! Your account is ready.');
});

for (const reveal of $$('.reveal')) {
  const { password } = reveal.form.elements;
  const apply = () => { password.type = reveal.checked ? 'text' : 'password'; };
  reveal.addEventListener('change', apply);
  reveal.form.addEventListener('reset', () => setTimeout(apply));
}

$('#to-sign-up').addEventListener('click', () => show(signUp));
$('#to-sign-in').addEventListener('click', () => show(signIn));
$('#sign-out').addEventListener('click', () => {
  api.signOut();
  leave();
  outbox.forget();
  toast('You are signed out.');
});

addEventListener('signed-out', ({ detail: error }) => {
  leave();
  report(error);
});

addEventListener('other-tab', () => {
  const wasHere = !board.hidden;
  if (wasHere && outbox.isOpenFor(api.userId)) return;
  if (wasHere) leave();
  if (api.signedIn) enter();
  else if (wasHere) showAlert('You were signed out in another tab.');
});

addEventListener('pagehide', () => {
  closeDialogs('This was not saved yet.');
  outbox.save();
});

if (api.signedIn) enter();
else show(signIn);
