import { Temporal } from 'temporal-polyfill';
import { invalid } from '../errors.js';

/**
 * A day or a moment, as a string: `2026-11-24` is a day, whatever the zone; `2026-11-24T16:00:00.000Z` is an
 * instant. A day stays a day: it is never turned into midnight.
 */
export type When = string;

export const isDay = (when: When): boolean => when.length === 10;

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const MOMENT = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?$/i;
const FIRST_YEAR = 1900;
const LAST_YEAR = 2999;

/**
 * Reads an ISO 8601 date, or date and time; a time without an offset is of the user's zone.
 *
 * @param field the name for the refusal
 * @throws Refusal `invalid` for what is no date, for a time that the clocks skip, and for one they show twice
 */
export function parseWhen(text: string, timezone: string, field: string): When {
  const day = DAY.exec(text);
  if (day) return parseDay(text, field).toString();
  const moment = MOMENT.exec(text);
  if (!moment) throw notADate(text, field);
  const [, date = '', time = '', offset] = moment;
  parseDay(date, field);
  try {
    if (offset) return utc(Temporal.Instant.from(`${date}T${time}${offset.toUpperCase()}`));
    return utc(resolveLocal(Temporal.PlainDateTime.from(`${date}T${time}`, { overflow: 'reject' }), timezone, field));
  } catch (error) {
    if (error instanceof RangeError) throw notADate(text, field);
    throw error;
  }
}

const utc = (instant: Temporal.Instant): When =>
  instant.round({ smallestUnit: 'second', roundingMode: 'floor' }).toString({ fractionalSecondDigits: 3 });

const notADate = (text: string, field: string) =>
  invalid(
    `${field}: "${text.slice(0, 40)}" is not a date.`,
    'Use 2026-11-24, or 2026-11-24T17:00 for a time in your timezone.',
  );

function parseDay(text: string, field: string): Temporal.PlainDate {
  try {
    const day = Temporal.PlainDate.from(text, { overflow: 'reject' });
    if (day.year >= FIRST_YEAR && day.year <= LAST_YEAR) return day;
  } catch {}
  throw notADate(text, field);
}

/** A wall-clock time, unless the clocks skip it or show it twice that day: then both readings are offered. */
function resolveLocal(local: Temporal.PlainDateTime, timezone: string, field: string): Temporal.Instant {
  const earlier = local.toZonedDateTime(timezone, { disambiguation: 'earlier' });
  const later = local.toZonedDateTime(timezone, { disambiguation: 'later' });
  if (earlier.epochMilliseconds === later.epochMilliseconds) return earlier.toInstant();
  const skipped = !earlier.toPlainDateTime().equals(local);
  throw invalid(
    `${field}: ${minutes(local)} ${skipped ? 'does not exist' : 'happens twice'} in ${timezone}: the clocks change then.`,
    `Use ${withOffset(earlier)} or ${withOffset(later)}.`,
  );
}

const minutes = (local: Temporal.PlainDateTime) => local.toString({ smallestUnit: 'minute' });
const withOffset = (zoned: Temporal.ZonedDateTime) =>
  zoned.toString({ smallestUnit: zoned.second === 0 ? 'minute' : 'second', timeZoneName: 'never' });

/** As answers show it: `2026-11-24`, or `2026-11-24T17:00+01:00` in the user's zone. */
export function formatWhen(when: When, timezone: string): string {
  return isDay(when) ? when : withOffset(zoned(when, timezone));
}

const zoned = (instant: string, timezone: string) => Temporal.Instant.from(instant).toZonedDateTimeISO(timezone);

let lastAsked: { now: number; timezone: string; day: Temporal.PlainDate } | undefined;

/** Today in the user's zone. Every line of an answer asks for the same one. */
export function today(now: Date, timezone: string): Temporal.PlainDate {
  if (lastAsked?.now !== now.getTime() || lastAsked.timezone !== timezone)
    lastAsked = { now: now.getTime(), timezone, day: zoned(now.toISOString(), timezone).toPlainDate() };
  return lastAsked.day;
}

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** For people: the weekday only within 7 days of today, the year only if it is not this one. */
export function sayWhen(when: When, now: Date, timezone: string): string {
  const local = isDay(when) ? undefined : zoned(when, timezone).toPlainDateTime();
  const day = local?.toPlainDate() ?? Temporal.PlainDate.from(when);
  const from = today(now, timezone);
  const near = Math.abs(from.until(day).days) < 7;
  const time = local?.toPlainTime().toString({ smallestUnit: local.second === 0 ? 'minute' : 'second' });
  return [
    near ? WEEKDAYS[day.dayOfWeek - 1] : undefined,
    day.day,
    MONTHS[day.month - 1],
    day.year === from.year ? undefined : day.year,
    time,
  ]
    .filter((part) => part !== undefined)
    .join(' ');
}

const toMinute = (instant: Date) => new Date(Math.floor(instant.getTime() / 60_000) * 60_000).toISOString();

/** When something happened, to the minute: nobody needs the seconds. */
export const formatStamp = (instant: Date, timezone: string): string => formatWhen(toMinute(instant), timezone);
export const sayStamp = (instant: Date, now: Date, timezone: string): string =>
  sayWhen(toMinute(instant), now, timezone);

/** `Sun 22 Nov 2026`. */
export function sayToday(now: Date, timezone: string): string {
  const day = today(now, timezone);
  return `${WEEKDAYS[day.dayOfWeek - 1]} ${day.day} ${MONTHS[day.month - 1]} ${day.year}`;
}

/** First instant of a day in a zone. */
export function startOf(day: Temporal.PlainDate, timezone: string): Date {
  return new Date(day.toZonedDateTime(timezone).epochMilliseconds);
}

/** What tasks without a due date sort as, after all others. */
const NEVER = 'infinity';

/** The instant a task is due by, to sort and compare: of a day, its last millisecond in the user's zone. */
export function dueSort(due: When | null, timezone: string): string {
  if (!due) return NEVER;
  if (!isDay(due)) return due;
  const next = startOf(Temporal.PlainDate.from(due).add({ days: 1 }), timezone);
  return new Date(next.getTime() - 1).toISOString();
}

/** The instant from which on a task may be started, to compare: of a day, its first in the user's zone. */
export function startSort(start: When | null, timezone: string): string {
  if (!start) return '-infinity';
  return isDay(start) ? startOf(Temporal.PlainDate.from(start), timezone).toISOString() : start;
}

/** The part of `dueSort` that a filter asks for: from `from` (included) up to `until` (not included). */
export type Window = { from?: Date; until: Date } | 'none';

const WINDOWS = 'Use overdue, today, week, none, 2026-11-24 or 2026-11-24..2026-11-30.';

/**
 * Reads the `due` filter: `overdue`, `today`, `week` (the 7 days from today), `none`, a day, or `from..to`,
 * both included.
 */
export function parseWindow(text: string, now: Date, timezone: string): Window {
  const day = today(now, timezone);
  const days = (first: Temporal.PlainDate, last: Temporal.PlainDate): Window => ({
    from: startOf(first, timezone),
    until: startOf(last.add({ days: 1 }), timezone),
  });
  switch (text.toLowerCase()) {
    case 'none':
      return 'none';
    case 'overdue':
      return { until: now };
    case 'today':
      return days(day, day);
    case 'week':
      return days(day, day.add({ days: 6 }));
  }
  const [, first = '', last = first] = /^(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?$/.exec(text) ?? [];
  if (!first) throw invalid(`due: "${text.slice(0, 40)}" is not a window of days.`, WINDOWS);
  const [from, to] = [parseDay(first, 'due'), parseDay(last, 'due')];
  if (Temporal.PlainDate.compare(from, to) > 0) throw invalid(`due: ${first} is after ${last}.`, WINDOWS);
  return days(from, to);
}

/** The instant from which on something happened: of a day, its first in the user's zone. */
export function sinceInstant(text: string, timezone: string, field: string): Date {
  const when = parseWhen(text, timezone, field);
  return isDay(when) ? startOf(Temporal.PlainDate.from(when), timezone) : new Date(when);
}

/** Whether a name is one of an IANA time zone that this machine knows. */
export function isTimezone(name: string): boolean {
  try {
    Temporal.Now.zonedDateTimeISO(name);
    return /^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name); // not an offset or a date with a zone, which it would take too
  } catch {
    return false;
  }
}

/** The day of a moment, on the calendar of a zone. */
export const dayOf = (when: When, timezone: string): When => plainDay(when, timezone).toString();

const plainDay = (when: When, timezone: string) =>
  isDay(when) ? Temporal.PlainDate.from(when) : zoned(when, timezone).toPlainDate();

/** Days from one day or moment to another, as the calendar on the wall counts them. */
export function daysBetween(from: When, to: When, timezone: string): number {
  return plainDay(from, timezone).until(plainDay(to, timezone)).days;
}

/** A day or moment so many days later; a moment keeps its time of day. */
export function shiftDays(when: When, days: number, timezone: string): When {
  if (isDay(when)) return Temporal.PlainDate.from(when).add({ days }).toString();
  return utc(zoned(when, timezone).add({ days }).toInstant());
}
