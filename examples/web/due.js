// Due dates. The API has three kinds: a day (2026-01-30), a time on the user's clock (2026-01-30T10:00:00) and an
// instant (2026-01-30T09:00:00Z). A form has a day and a time, and hides the due date that they were made of.

const isDay = (due) => !due.includes('T');
const isInstant = (due) => due.endsWith('Z');

/** Returns what the reader's calendar and clock show, such as 2026-01-30T10:00:00. */
function clockAt(instant) {
  const pad = (number, length = 2) => String(number).padStart(length, '0');
  const day = [pad(instant.getFullYear(), 4), pad(instant.getMonth() + 1), pad(instant.getDate())];
  const time = [instant.getHours(), instant.getMinutes(), instant.getSeconds()].map((number) => pad(number));
  return `${day.join('-')}T${time.join(':')}`;
}

/** Returns a due date on the reader's clock, or the day alone. As texts, they are in the order of time. */
export const clockOf = (due) => (isInstant(due) ? clockAt(new Date(due)) : due);

/** Returns the reader's day, `days` after now. A day may have 23 or 25 hours, or begin at one o'clock. */
export const dayAfter = (now, days) => (
  clockAt(new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, 12)).split('T')[0]
);

/** Returns the days from now until the next `weekday` (0 is Sunday), which is not today. */
export const daysUntil = (weekday, now) => (weekday - now.getDay() + 6) % 7 + 1;

/** Returns the values of a form for a task. */
export function valuesOfTask({ title, description, priority, tags, due_date }) {
  // A text area has line feeds alone.
  const text = description?.replace(/\r\n?/g, '\n') ?? '';
  return { title, description: text, priority, tags: tags ?? '', ...fieldsOf(due_date) };
}

/** Returns the values of a form's fields for a due date, which may be null. An instant is in the reader's zone. */
function fieldsOf(due) {
  const due_original = due ?? '';
  const [due_date, time = ''] = clockOf(due_original).split('T');
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

const near = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

/** Returns a due date in the reader's language, and an instant in the reader's zone. */
export function textOf(due, now = new Date()) {
  // `Date` takes a day as one in UTC, and a time without a zone as one of the reader's clock.
  const [date, time] = [new Date(due), { timeStyle: 'short' }];
  const days = [-1, 0, 1].find((number) => clockOf(due).startsWith(dayAfter(now, number)));
  if (days !== undefined) {
    const day = near.format(days, 'day');
    return isDay(due) ? day : `${day}, ${date.toLocaleTimeString(undefined, time)}`;
  }
  return date.toLocaleString(undefined, { dateStyle: 'medium', ...(isDay(due) ? { timeZone: 'UTC' } : time) });
}

/** True if a time has passed, or if a day is over on the reader's clock. */
export const isOverdue = (due, now) => (isDay(due) ? due < dayAfter(now, 0) : new Date(due) < now);
