// The account: its username and password, the sessions on all devices, and its end.

import { ApiError } from './api.js';
import { api } from './client.js';
import { $, $$ } from './dom.js';
import { clearFieldErrors, onSingleSubmit, run } from './forms.js';
import { showUser } from './list.js';
import { createRow, drop } from './rows.js';
import { toast } from './toasts.js';

const forms = $$('#account form');
const [usernameForm, passwordForm, deletionForm] = forms;
const { username } = usernameForm.elements;
const [list, endOthers] = [$('#sessions'), $('#end-others')];

/** Words in user agents, in the order in which they are looked for, and their names where these differ. */
const BROWSERS = ['Edg', 'OPR', 'FxiOS', 'Firefox', 'CriOS', 'Chrome', 'Safari'];
const SYSTEMS = ['iPhone', 'iPad', 'Android', 'Windows', 'Mac', 'CrOS', 'Linux'];
const NAMES = { Edg: 'Edge', OPR: 'Opera', FxiOS: 'Firefox', CriOS: 'Chrome', CrOS: 'ChromeOS' };

/** Returns a short name of a user agent, such as `Firefox on Linux` or `curl`. */
export function deviceName(userAgent) {
  const [browser, system] = [BROWSERS, SYSTEMS].map((parts) => {
    const found = parts.find((part) => userAgent?.includes(part));
    return NAMES[found] ?? found;
  });
  const name = browser ?? (userAgent?.split(/[/ ]/)[0] || 'Unknown device');
  return system ? `${name} on ${system}` : name;
}

/** Shows the account of the user until `signal` is aborted. */
export async function open(signal) {
  signal.addEventListener('abort', clear);
  showAccount(api.user);
  const [account, sessions] = await Promise.all([api.me({ signal }), api.sessions({ signal })]);
  showAccount(account);
  list.replaceChildren(...sessions.sort((a, b) => b.current - a.current).map(draw));
  endOthers.hidden = sessions.length < 2;
}

function clear() {
  username.defaultValue = '';
  for (const form of forms) {
    form.reset();
    clearFieldErrors(form);
  }
  list.replaceChildren();
  endOthers.hidden = true;
}

function showAccount(account) {
  showUser(account);
  $('#account-about').textContent = account.email;
  // Other than the value, it replaces nothing that was typed.
  username.defaultValue = account.username ?? '';
  passwordForm.elements.email.defaultValue = account.email;
}

function draw({ id, current, refreshed_at, user_agent, address }) {
  const time = new Date(refreshed_at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
  const title = deviceName(user_agent);
  const row = createRow({
    title,
    about: `Last refreshed ${time}${address ? ` · ${address}` : ''}`,
    label: current ? '' : 'Sign out',
    async act() {
      // Another device may have ended it.
      await api.endSession(id).catch((error) => { if (error.code !== 'session_not_found') throw error; });
      drop(row);
      endOthers.hidden = !list.children[1];
      toast(`Signed out ${title}.`);
    },
  });
  $('.current', row).hidden = !current;
  return row;
}

/** This session is the first. */
function dropOthers() {
  list.replaceChildren(...[...list.children].slice(0, 1));
  endOthers.hidden = true;
}

endOthers.addEventListener('click', () => run(endOthers, async () => {
  await api.endOtherSessions();
  dropOthers();
  $('#account-heading').focus();
  toast('Signed out everywhere else.');
}));

onSingleSubmit(usernameForm, async (values) => {
  showAccount(await api.changeUsername(values.username));
  usernameForm.reset();
  toast(username.value ? 'Username changed.' : 'Username removed.');
});

onSingleSubmit(passwordForm, async ({ current_password, new_password }) => {
  await api.changePassword(current_password, new_password);
  passwordForm.reset();
  dropOthers();
  toast('Password changed. Every other session has ended.');
});

onSingleSubmit(deletionForm, async ({ email, password }) => {
  if (email.trim().toLowerCase() !== api.user.email) {
    throw new ApiError('', { fields: { email: `Type ${api.user.email} to delete this account.` } });
  }
  await api.deleteAccount(password);
  dispatchEvent(new Event('account-deleted'));
});
