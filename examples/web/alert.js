// The alert.

import { $ } from './dom.js';

/** The alert that stays until the list is loaded: `{text, retry}`, or null. */
let standing = null;

/** Shows an alert in the open dialog, or else in the view. */
export function showAlert(text, retry = $('#board').hidden ? null : standing?.retry) {
  const box = $('#alert');
  ($('dialog[open] form') ?? $('.view:not([hidden])')).prepend(box);
  $('p', box).textContent = text;
  $('#retry').hidden = !retry;
  $('#retry').onclick = retry;
  box.hidden = false;
}

/** Hides the alert. A standing one is shown again, beside the list. */
export function hideAlert() {
  $('#alert').hidden = true;
  if (standing && !$('#board').hidden) showAlert(standing.text);
}

export function setStandingAlert(alert) {
  standing = alert;
  hideAlert();
}
