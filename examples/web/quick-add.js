// Quick add: words in the title of a new task that set its other fields, such as "Call Ada fri 9:00 !high #work".
//
// `!high`, `!medium`, `!low` and `#tag` are read anywhere, a day and a time at the end alone: "Buy sun cream" has none.
// A comma may follow each of them. A backslash before a word keeps it as it is, and so do quotation marks around words.
// The words are English.

import { dayAfter, daysUntil, taskOf, textOf } from './due.js';

/** Words, some of which have a space. */
const WORDS = /(?<!\S)(?:"[^"]*"|\\?next\s+week,?|\\?\d[\d:]*\s+[ap]m,?)(?!\S)|\S+/gi;
const PRIORITY = /^!(high|medium|low),?$/i;
const TAG = /^#(\p{L}[\p{L}\p{M}\p{N}_-]*),?$/u;
const TIME = /^(\d\d?)(?::([0-5]\d))?\s*([ap]m)?,?$/i;
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

/** Returns the day that a word means, or undefined. Next week begins on Monday. Today is not called by its weekday. */
function dayOf(word, now) {
  const name = word.toLowerCase().replace(/,$/, '');
  if (name === 'today') return dayAfter(now, 0);
  if (name === 'tomorrow') return dayAfter(now, 1);
  if (/^next\s+week$/.test(name)) return dayAfter(now, daysUntil(1, now));
  const weekday = WEEKDAYS.findIndex((each) => each === name || each.slice(0, 3) === name);
  return weekday < 0 ? undefined : dayAfter(now, daysUntil(weekday, now));
}

/** Returns the time that a word means, such as 21:30 for `9:30pm`, or undefined. */
function timeOf(word) {
  const [, digits, minutes = '00', half] = TIME.exec(word) ?? [];
  let hour = Number(digits);
  // A number alone is no time.
  if (!digits || (half ? hour < 1 || hour > 12 : hour > 23 || !word.includes(':'))) return undefined;
  if (half) hour = hour % 12 + (/p/i.test(half) ? 12 : 0);
  return `${String(hour).padStart(2, '0')}:${minutes}`;
}

/** Returns the values of a form after the words in its title have been read. */
export function read(values, now) {
  const words = values.title.match(WORDS) ?? [];
  const find = (pattern) => words.flatMap((word) => pattern.exec(word)?.[1] ?? []);
  const kept = words.filter((word) => !PRIORITY.test(word) && !TAG.test(word));
  let day, time;
  while (kept.length > 1) {
    const word = kept.at(-1);
    const [itsDay, itsTime] = [day ? undefined : dayOf(word, now), time ? undefined : timeOf(word)];
    const isBetween = (day || time) && /^(at|by|on)$/i.test(word);
    if (!itsDay && !itsTime && !isBetween) break;
    day ??= itsDay;
    time ??= itsTime;
    kept.pop();
  }
  const isRead = (word) => PRIORITY.test(word) || TAG.test(word) || dayOf(word, now) || timeOf(word);
  const title = kept.map((word) => (word[0] === '\\' && isRead(word.slice(1)) ? word.slice(1) : word));
  // A title remains, as it was typed if there is nothing to read in it.
  if (kept.length === 0 || title.join() === words.join()) return values;
  // A time without a day is the next one.
  const isOver = time && time <= now.toTimeString().slice(0, 5);
  if (time && !day) day = values.due_date || dayAfter(now, isOver ? 1 : 0);
  return {
    ...values,
    title: title.join(' '),
    due_date: day ?? values.due_date,
    due_time: time ?? (day ? '' : values.due_time),
    priority: find(PRIORITY).at(-1)?.toLowerCase() ?? values.priority,
    tags: [values.tags, ...find(TAG)].filter(Boolean).join(', '),
  };
}

/** Says what a new task will have besides its title, such as "Due tomorrow, high, #home". */
export function describe(values, now) {
  const { due_date: due, priority, tags } = taskOf(values);
  const parts = [
    values.due_date && !Number.isNaN(Date.parse(due)) && `Due ${textOf(due, now)}`,
    priority !== 'medium' && priority,
    ...tags.split(',').map((tag) => tag.trim() && `#${tag.trim()}`),
  ];
  return parts.filter(Boolean).join(', ');
}
