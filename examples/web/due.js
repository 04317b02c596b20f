// Due dates. The API has three kinds: a day (2026-01-30), a time on the user's clock (2026-01-30T10:00:00) and an instant
// (2026-01-30T09:00:00Z). A form has a day and a time, and hides the due date that they were made of.

const isDay = (due) => !due.includes('T');
const isInstant = (due) => due.endsWith('Z');

/** Returns what the reader's calendar and clock show, such as 2026-01-30T10:00:00. */
function clockAt(instant) {
  const pad = (number) => String(number).padStart(2, '0');
  const year = String(instant.getFullYear()).padStart(4, '0');
  const day = [year, pad(instant.getMonth() + 1), pad(instant.getDate())];
  const time = [instant.getHours(), instant.getMinutes(), instant.getSeconds()].map(pad);
  return `${day.join('-')}T${time.join(':')}`;
}

/** Returns the values of a form for a task. */
export function valuesOfTask({ title, description, priority, tags, due_date }) {
  // A text area has line feeds alone.
  const text = description?.replace(/\r\n?/g, '\n') ?? '';
  return { title, description: text, priority, tags: tags ?? '', ...fieldsOf(due_date) };
}

/** Returns the values of a form's fields for a due date, which may be null. An instant is in the reader's zone. */
function fieldsOf(due) {
  const due_original = due ?? '';
  const [due_date, time = ''] = (isInstant(due_original) ? clockAt(new Date(due)) : due_original).split('T');
  // Seconds are shown if there are any.
  return { due_date, due_time: time.replace(/^(..:..):00$/, '$1'), due_original };
}

/** Returns the values of a form with their due date as the API answers it. */
export function taskOf({ due_date, due_time, due_original, ...others }) {
  return { ...others, due_date: join(due_date, due_time, due_original) };
}

/**
 * Returns the original if its day and time are unchanged, so that it does not move. Else an instant stays an instant,
 * unless its time is gone.
 */
function join(day, time, original) {
  const before = fieldsOf(original);
  if (day === before.due_date && time === before.due_time) return original;
  if (!time) return day;
  const clock = `${day}T${time.length === 5 ? `${time}:00` : time}`;
  const instant = new Date(clock);
  // The server says what is wrong with a day that does not exist here.
  if (!isInstant(original) || Number.isNaN(instant.getTime())) return clock;
  return instant.toISOString().replace(/\.\d+/, '');
}

/** Returns a due date in the reader's language, and an instant in the reader's zone. */
export function textOf(due) {
  // `Date` takes a day as one in UTC, and a time without a zone as one of the reader's clock.
  const options = isDay(due) ? { timeZone: 'UTC' } : { timeStyle: 'short' };
  return new Date(due).toLocaleString(undefined, { dateStyle: 'medium', ...options });
}

/** True if a time has passed, or if a day is over on the reader's clock. */
export function isOverdue(due, now) {
  return isDay(due) ? due < clockAt(now).split('T')[0] : new Date(due) < now;
}
