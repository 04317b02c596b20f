// The buttons Today, Tomorrow and Next week of a due date. One that is pressed again clears it.

import { $$ } from './dom.js';
import { dayAfter, daysUntil } from './due.js';
import { fill } from './forms.js';

function dayOf({ dataset: { day } }) {
  const now = new Date();
  return dayAfter(now, day === 'week' ? daysUntil(1, now) : Number(day));
}

function showPressed({ target }) {
  const form = target.form ?? target;
  for (const button of $$('[data-day]', form)) {
    button.ariaPressed = String(dayOf(button) === form.elements.due_date.value);
  }
}

addEventListener('click', ({ target: button }) => {
  if (!button.matches('[data-day]')) return;
  // A time needs a day.
  const isPressed = button.ariaPressed === 'true';
  fill(button.form, isPressed ? { due_date: '', due_time: '' } : { due_date: dayOf(button) });
});

// The event does not bubble.
addEventListener('input', showPressed);
addEventListener('filled', showPressed, true);
