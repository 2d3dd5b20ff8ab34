import { Temporal } from 'temporal-polyfill';
import { invalid } from '../../errors.js';
import { type DayRange, LAST_YEAR, MONTHS, shortName, WEEKDAYS } from './calendar.js';
import { readDaysOrInstant, type TimeContext, todayIs, truncateForMessage, withOffset } from './read-date.js';

/**
 * A day or an instant, as a string: `2026-11-24` is a day, whatever the zone; `2026-11-24T16:00:00.000Z` is an
 * instant. A day is never converted to midnight.
 */
export type When = string;

export const isDay = (when: When): boolean => when.length === 10;

/**
 * Reads a date, or a date and time, in ISO 8601 or in English words; without an offset, in the user's zone.
 *
 * @param field the field's name, for refusals
 * @throws Refusal `invalid` if the text is not a date, is ambiguous or means several days, for words for the past, and
 *   for a time that the clocks skip or repeat
 */
export function parseWhen(text: string, context: TimeContext, field: string): When {
  const result = readDaysOrInstant(text, context, field, 'ahead');
  if (!result) throw notADate(text, context, field);
  if (result instanceof Temporal.Instant) return utc(result);
  if (result.day) return result.day.toString();
  throw invalid(
    `${field}: "${truncateForMessage(text)}" covers several days.`,
    `Use ${result.last} for the last one. ${todayIs(context)}`,
  );
}

const notADate = (text: string, context: TimeContext, field: string) =>
  invalid(
    `${field}: "${truncateForMessage(text)}" is not a date.`,
    `Use 2026-11-24, 2026-11-24T17:00 for a time in your timezone, or words such as tomorrow 9am. ${todayIs(context)}`,
  );

const utc = (instant: Temporal.Instant): When =>
  instant.round({ smallestUnit: 'second', roundingMode: 'floor' }).toString({ fractionalSecondDigits: 3 });

/** Formats for answers: `2026-11-24`, or `2026-11-24T17:00+01:00` in the user's zone. */
export const formatWhen = (when: When, timezone: string): string =>
  isDay(when) ? when : formatAt(Date.parse(when), timezone);

function formatAt(instant: number, timezone: string): string {
  const minutes = offsetAt(instant, timezone) / MINUTE;
  if (!Number.isInteger(minutes)) return withOffset(zoned(instant, timezone)); // seconds, as before standard time
  const [hours, rest] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60].map((n) =>
    `${n}`.padStart(2, '0'),
  );
  return `${wallClock(instant, timezone)}${minutes < 0 ? '-' : '+'}${hours}:${rest}`;
}

/** @param instant in milliseconds, or as ISO 8601 */
const zoned = (instant: number | string, timezone: string) =>
  (typeof instant === 'string'
    ? Temporal.Instant.from(instant)
    : Temporal.Instant.fromEpochMilliseconds(instant)
  ).toZonedDateTimeISO(timezone);

const [MINUTE, DAY] = [60_000, 86_400_000];

/** UTC offsets in milliseconds by `${day} ${timezone}`; undefined for days on which the clocks change. */
const offsets = new Map<string, number | undefined>();
const MOST_STEADY = 5_000;

/**
 * Returns a zone's UTC offset in milliseconds. Cached by day, since for the dozen instants of an answer Temporal takes
 * as long as the database; no zone changes its clocks twice in a day.
 */
function offsetAt(instant: number, timezone: string): number {
  const at = (moment: number) => zoned(moment, timezone).offsetNanoseconds / 1e6;
  const day = Math.floor(instant / DAY);
  const key = `${day} ${timezone}`;
  if (!offsets.has(key)) {
    if (offsets.size >= MOST_STEADY) offsets.clear();
    const [first, last] = [at(day * DAY), at((day + 1) * DAY)];
    offsets.set(key, first === last ? first : undefined);
  }
  return offsets.get(key) ?? at(instant);
}

/** Returns the wall-clock time in a zone: `2026-11-24T17:00`, with seconds if they are not 0. */
function wallClock(instant: number, timezone: string): string {
  const shown = new Date(instant + offsetAt(instant, timezone)).toISOString();
  return shown.slice(0, shown.startsWith('00', 17) ? 16 : 19);
}

let lastAsked: { now: number; timezone: string; day: When; midnight: Date } | undefined;

/** Returns today in the user's zone, and its midnight in UTC. Cached, since every line of an answer needs it. */
function present({ now, timezone }: TimeContext): { day: When; midnight: Date } {
  if (lastAsked?.now !== now.getTime() || lastAsked.timezone !== timezone) {
    const day = wallClock(now.getTime(), timezone).slice(0, 10);
    lastAsked = { now: now.getTime(), timezone, day, midnight: new Date(day) };
  }
  return lastAsked;
}

/** Returns today in the user's zone. */
export const today = (context: TimeContext): Temporal.PlainDate => Temporal.PlainDate.from(present(context).day);

/** Formats for people: the weekday only if less than 7 days from today, the year only if it is not this one. */
export const sayWhen = (when: When, context: TimeContext): string =>
  sayClock(localTime(when, context.timezone), context);

/** Returns a day as it is, a moment as the wall-clock time in a zone. */
export const localTime = (when: When, timezone: string): string =>
  isDay(when) ? when : wallClock(Date.parse(when), timezone);

/** @param shown the day, or the wall-clock time in the zone */
function sayClock(shown: string, context: TimeContext): string {
  const [day, time] = shown.split('T') as [string, string?];
  const date = new Date(day);
  const { midnight } = present(context);
  const isNear = Math.abs(date.getTime() - midnight.getTime()) < 7 * DAY;
  return sayDate(date, isNear, date.getUTCFullYear() !== midnight.getUTCFullYear(), time);
}

/** @param date midnight of the day in UTC */
function sayDate(date: Date, weekday: boolean, year: boolean, time?: string): string {
  const words = [`${date.getUTCDate()}`, shortName(MONTHS, date.getUTCMonth() + 1)];
  if (weekday) words.unshift(shortName(WEEKDAYS, date.getUTCDay() || 7));
  if (year) words.push(`${date.getUTCFullYear()}`);
  if (time) words.push(time);
  return words.join(' ');
}

const toMinute = (instant: Date) => Math.floor(instant.getTime() / MINUTE) * MINUTE;

/** Formats when something happened, to the minute. */
export const formatStamp = (instant: Date, timezone: string): string => formatAt(toMinute(instant), timezone);
export const sayStamp = (instant: Date, context: TimeContext): string =>
  sayClock(wallClock(toMinute(instant), context.timezone), context);

/** Formats as `14:02` in the user's zone, with the day if it is not today. */
export function sayUntil(instant: Date, context: TimeContext): string {
  const [day, time] = wallClock(toMinute(instant), context.timezone).split('T') as [string, string];
  return day === present(context).day ? time : sayStamp(instant, context);
}

/** Formats today as `Sun 22 Nov 2026`. */
export const sayToday = (context: TimeContext): string => sayDate(present(context).midnight, true, true);

/** Returns the first instant of a day in a zone. */
export function startOfDay(day: Temporal.PlainDate, timezone: string): Date {
  return new Date(day.toZonedDateTime(timezone).epochMilliseconds);
}

/** The sort value of tasks without a due date, after all others. */
const NEVER = 'infinity';

/** Returns the instant a task is due by, to sort and compare: for a day, its last millisecond in the user's zone. */
export function dueSort(due: When | null, timezone: string): string {
  if (!due) return NEVER;
  if (!isDay(due)) return due;
  const next = startOfDay(Temporal.PlainDate.from(due).add({ days: 1 }), timezone);
  return new Date(next.getTime() - 1).toISOString();
}

/** Returns the instant from which a task may be started, to compare: for a day, its first in the user's zone. */
export function startSort(start: When | null, timezone: string): string {
  if (!start) return '-infinity';
  return isDay(start) ? startOfDay(Temporal.PlainDate.from(start), timezone).toISOString() : start;
}

/** The range of `dueSort` in a filter: from `from` (inclusive) to `until` (exclusive); `none` for no due date. */
export type Window = { from?: Date; until: Date } | 'none';

const WINDOWS =
  'Use overdue, today, week, none, words such as next week, a day such as 2026-11-24, or a range such as 2026-11-24..2026-11-30.';

/** No task is due on or after this day. The end of an open window: it excludes tasks without a due date. */
const AFTER_ALL = new Temporal.PlainDate(LAST_YEAR + 1, 1, 1);

/**
 * Reads the `due` filter: `overdue`, `none`, `week` (the 7 days from today), days in ISO 8601 or in words, or
 * `from..to`, both inclusive and one of them optional. "By friday" has no start, "within 3 days" starts today.
 *
 * @throws Refusal `invalid` if the text cannot be read or is ambiguous, or the window ends before it starts
 */
export function parseWindow(text: string, context: TimeContext): Window {
  const { now, timezone } = context;
  const word = text.trim().toLowerCase();
  if (word === 'none') return 'none';
  if (word === 'overdue') return { until: now };
  const [from = '', to = from, ...more] = (word === 'week' ? 'today..in 6 days' : text)
    .replace(/^\s*(?:by|until|till|up to)\s+/i, '..')
    .replace(/^\s*within\s+/i, 'today..in ')
    .split('..')
    .map(trimmed);
  const [first, last] = [from, to].map((end) => (end ? readDaysOrInstant(end, context, 'due', 'either') : null));
  if (!isDays(first) || !isDays(last) || !(first ?? last) || more.length > 0)
    throw invalid(`due: "${truncateForMessage(text)}" is not a range of days.`, `${WINDOWS} ${todayIs(context)}`);
  if (first && last && Temporal.PlainDate.compare(first.first, last.last) > 0)
    throw invalid(`due: ${first.first} is after ${last.last}.`, WINDOWS);
  const after = last ? last.last.add({ days: 1 }) : AFTER_ALL;
  return { ...(first && { from: startOfDay(first.first, timezone) }), until: startOfDay(after, timezone) };
}

/** Formats the days of a window for people: `Mon 30 Nov to Sun 6 Dec`. */
export function sayWindow({ from, until }: Exclude<Window, 'none'>, context: TimeContext): string {
  const { timezone } = context;
  const day = (instant: Date) => sayWhen(formatStamp(instant, timezone).slice(0, 10), context);
  const last = day(new Date(until.getTime() - 1));
  if (!from) return `up to ${last}`;
  if (until.getTime() >= startOfDay(AFTER_ALL, timezone).getTime()) return `from ${day(from)} on`;
  return day(from) === last ? last : `${day(from)} to ${last}`;
}

const trimmed = (text: string) => text.trim();

/** Tells whether an end of a window was read as days, or is open (null). */
const isDays = (read: DayRange | Temporal.Instant | null | undefined): read is DayRange | null =>
  read !== undefined && !(read instanceof Temporal.Instant);

/** How far the caller's clock may be ahead of ours, in milliseconds. */
const SKEW = 3_600_000;

/**
 * Reads the instant since when something happened; for days, their first instant in the user's zone.
 *
 * @throws Refusal `invalid` if the text is not a date, is ambiguous, or is in the future
 */
export function sinceInstant(text: string, context: TimeContext, field: string): Date {
  const meant = readDaysOrInstant(text, context, field, 'back');
  if (!meant) throw notADate(text, context, field);
  const since =
    meant instanceof Temporal.Instant ? new Date(meant.epochMilliseconds) : startOfDay(meant.first, context.timezone);
  if (since.getTime() > context.now.getTime() + SKEW)
    throw invalid(
      `${field}: "${truncateForMessage(text)}" is in the future.`,
      `Use today or an earlier day. ${todayIs(context)}`,
    );
  return since;
}

/** Returns the calendar day of a day or moment in a zone. */
const plainDay = (when: When, timezone: string) =>
  isDay(when) ? Temporal.PlainDate.from(when) : zoned(when, timezone).toPlainDate();

/** Returns the wall-clock time of a moment in a zone: `09:00`. */
export const wallTimeAt = (moment: When, timezone: string): string => wallClock(Date.parse(moment), timezone).slice(11);

/** Returns the number of calendar days in a zone from one day or moment to another. */
export function daysBetween(from: When, to: When, timezone: string): number {
  return plainDay(from, timezone).until(plainDay(to, timezone)).days;
}

/** Returns the day or moment `days` days later; a moment keeps its time of day. */
export const shiftDays = (when: When, days: number, timezone: string): When =>
  addTo(when, Temporal.Duration.from({ days }), timezone);

/**
 * Returns the day or moment that is `amount` later; over days and months a moment keeps its time of day.
 *
 * @throws RangeError for values out of Temporal's range
 */
export function addTo(when: When, amount: Temporal.Duration, timezone: string): When {
  if (isDay(when)) return Temporal.PlainDate.from(when).add(amount).toString();
  return utc(zoned(when, timezone).add(amount).toInstant());
}
