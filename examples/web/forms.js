// Forms: their values, their errors, and what happens when they are submitted.

import { hideAlert, showAlert } from './alert.js';
import { ApiError } from './api.js';
import { $, $$, focusIsLost } from './dom.js';

export const valuesOf = (form) => Object.fromEntries(new FormData(form));

/** Sets the fields that `values` names. Null empties a field. */
export function fill(form, values) {
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value ?? '';
  form.dispatchEvent(new Event('filled'));
}

/** Returns the values that differ from the initial ones, or null if none does. */
export function changedValues(values, initial) {
  const changed = Object.entries(values).filter(([name, value]) => value !== initial[name]);
  return changed.length > 0 ? Object.fromEntries(changed) : null;
}

export function showFieldError(input, text) {
  const error = document.createElement('p');
  error.className = 'field-error';
  error.id = `${input.form.id}-${input.name}-error`;
  error.textContent = text;
  input.closest('.field').append(error);
  input.setAttribute('aria-invalid', 'true');
  input.setAttribute('aria-describedby', error.id);
  input.closest('details')?.setAttribute('open', '');
}

export function clearFieldErrors(form) {
  for (const error of $$('.field-error', form)) error.remove();
  for (const input of $$('[aria-invalid]', form)) {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  }
}

/** Shows the errors of the form's fields. Returns the first of these fields, or null if there is none. */
export function showFieldErrors(form, fields) {
  for (const [name, text] of Object.entries(fields)) {
    const input = form.elements.namedItem(name);
    if (input) showFieldError(input, text);
  }
  return $('[aria-invalid]', form);
}

/** Shows an error: at the fields of `form` if it has errors of fields, else as an alert. */
export function report(error, form) {
  if (error.name === 'AbortError') return;
  if (!(error instanceof ApiError)) throw error;
  const invalid = form && showFieldErrors(form, error.fields);
  if (invalid) invalid.focus();
  else showAlert(error.message);
}

/** Runs an action while its control is disabled, so that a request is not sent twice. */
export async function run(control, action, form) {
  hideAlert();
  control.disabled = true;
  try {
    await action();
  } catch (error) {
    report(error, form);
  } finally {
    control.disabled = false;
    // A disabled control loses the focus.
    if (focusIsLost()) control.focus({ preventScroll: true });
  }
}

/**
 * Calls `action` when the form is submitted. The server alone judges the values, except those that are not to be sent:
 * half a date, a time without a day, a task without a title.
 */
export function onSubmit(form, action) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    hideAlert();
    clearFieldErrors(form);
    const { title, due_date: day, due_time: time } = form.elements;
    const unfinished = [...form.elements].find((input) => input.validity.badInput);
    if (unfinished) showFieldError(unfinished, unfinished.validationMessage);
    else if (title && !title.value.trim()) showFieldError(title, 'Title should not be empty.');
    else if (time?.value && !day.value) showFieldError(day, 'A time needs a day. Enter the day, or clear the time.');
    else return action(valuesOf(form));
    $('[aria-invalid]', form).focus();
  });
}

/** Does the same as {@link onSubmit}. The form cannot be submitted again until the action has ended. */
export function onSingleSubmit(form, action) {
  onSubmit(form, (values) => run($('[type=submit]', form), () => action(values), form));
}

// The values are reset after the event.
addEventListener('reset', ({ target: form }) => setTimeout(fill, 0, form, {}));

addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || !event.target.form) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});
