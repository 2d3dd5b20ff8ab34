import { Temporal } from 'temporal-polyfill';
import { invalid } from '../../errors.js';
import { type Days, LAST_YEAR, MONTHS, shortName, WEEKDAYS } from './calendar.js';
import { type Here, read, short, todayIs, withOffset } from './read-date.js';

/**
 * A day or a moment, as a string: `2026-11-24` is a day, whatever the zone; `2026-11-24T16:00:00.000Z` is an
 * instant. A day stays a day: it is never turned into midnight.
 */
export type When = string;

export const isDay = (when: When): boolean => when.length === 10;

/**
 * Reads a date, or a date and time, in ISO 8601 or in English words; what has no offset is of the user's zone.
 *
 * @param field the name for the refusal
 * @throws Refusal `invalid` for what is no date or can mean two, for words that lead to the past, for a time that the
 *   clocks skip, and for one they show twice
 */
export function parseWhen(text: string, here: Here, field: string): When {
  const meant = read(text, here, field, 'ahead');
  if (!meant) throw notADate(text, here, field);
  if (meant instanceof Temporal.Instant) return utc(meant);
  if (meant.day) return meant.day.toString();
  throw invalid(
    `${field}: "${short(text)}" is more than one day.`,
    `Use ${meant.last} for the last of them. ${todayIs(here)}`,
  );
}

const notADate = (text: string, here: Here, field: string) =>
  invalid(
    `${field}: "${short(text)}" is not a date.`,
    `Use 2026-11-24, 2026-11-24T17:00 for a time in your timezone, or words such as tomorrow 9am. ${todayIs(here)}`,
  );

const utc = (instant: Temporal.Instant): When =>
  instant.round({ smallestUnit: 'second', roundingMode: 'floor' }).toString({ fractionalSecondDigits: 3 });

/** As answers show it: `2026-11-24`, or `2026-11-24T17:00+01:00` in the user's zone. */
export const formatWhen = (when: When, timezone: string): string =>
  isDay(when) ? when : formatAt(Date.parse(when), timezone);

function formatAt(instant: number, timezone: string): string {
  const minutes = offsetAt(instant, timezone) / MINUTE;
  if (!Number.isInteger(minutes)) return withOffset(zoned(instant, timezone)); // as before there were time zones
  const [hours, rest] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60].map((n) =>
    `${n}`.padStart(2, '0'),
  );
  return `${wallClock(instant, timezone)}${minutes < 0 ? '-' : '+'}${hours}:${rest}`;
}

/** @param instant in milliseconds, or in words */
const zoned = (instant: number | string, timezone: string) =>
  (typeof instant === 'string'
    ? Temporal.Instant.from(instant)
    : Temporal.Instant.fromEpochMilliseconds(instant)
  ).toZonedDateTimeISO(timezone);

const [MINUTE, DAY] = [60_000, 86_400_000];

/** How far a zone is ahead of UTC on days on which its clocks are not changed. */
const steady = new Map<string, number | undefined>();
const MOST_STEADY = 5_000;

/**
 * How far the clocks of a zone are ahead of UTC, in milliseconds. An answer holds a dozen moments, and Temporal would
 * take as long to find this for them as the database takes to answer; no zone changes its clocks twice in a day.
 */
function offsetAt(instant: number, timezone: string): number {
  const at = (moment: number) => zoned(moment, timezone).offsetNanoseconds / 1e6;
  const day = Math.floor(instant / DAY);
  const key = `${day} ${timezone}`;
  if (!steady.has(key)) {
    if (steady.size >= MOST_STEADY) steady.clear();
    const [first, last] = [at(day * DAY), at((day + 1) * DAY)];
    steady.set(key, first === last ? first : undefined);
  }
  return steady.get(key) ?? at(instant);
}

/** What a clock in a zone shows: `2026-11-24T17:00`, with the seconds if there are any. */
function wallClock(instant: number, timezone: string): string {
  const shown = new Date(instant + offsetAt(instant, timezone)).toISOString();
  return shown.slice(0, shown.startsWith('00', 17) ? 16 : 19);
}

let lastAsked: { now: number; timezone: string; day: When; midnight: Date } | undefined;

/** The present day in the user's zone, and its midnight in UTC. Every line of an answer asks for it. */
function present(now: Date, timezone: string): { day: When; midnight: Date } {
  if (lastAsked?.now !== now.getTime() || lastAsked.timezone !== timezone) {
    const day = wallClock(now.getTime(), timezone).slice(0, 10);
    lastAsked = { now: now.getTime(), timezone, day, midnight: new Date(day) };
  }
  return lastAsked;
}

/** Today in the user's zone. */
export const today = (now: Date, timezone: string): Temporal.PlainDate =>
  Temporal.PlainDate.from(present(now, timezone).day);

/** For people: the weekday only within 7 days of today, the year only if it is not this one. */
export const sayWhen = (when: When, now: Date, timezone: string): string =>
  sayClock(isDay(when) ? when : wallClock(Date.parse(when), timezone), now, timezone);

/** @param shown what a calendar or a clock in the zone shows */
function sayClock(shown: string, now: Date, timezone: string): string {
  const [day, time] = shown.split('T') as [string, string?];
  const date = new Date(day);
  const { midnight } = present(now, timezone);
  const near = Math.abs(date.getTime() - midnight.getTime()) < 7 * DAY;
  return sayDate(date, near, date.getUTCFullYear() !== midnight.getUTCFullYear(), time);
}

/** @param date its midnight in UTC */
function sayDate(date: Date, weekday: boolean, year: boolean, time?: string): string {
  const words = [`${date.getUTCDate()}`, shortName(MONTHS, date.getUTCMonth() + 1)];
  if (weekday) words.unshift(shortName(WEEKDAYS, date.getUTCDay() || 7));
  if (year) words.push(`${date.getUTCFullYear()}`);
  if (time) words.push(time);
  return words.join(' ');
}

const toMinute = (instant: Date) => Math.floor(instant.getTime() / MINUTE) * MINUTE;

/** When something happened, to the minute: nobody needs the seconds. */
export const formatStamp = (instant: Date, timezone: string): string => formatAt(toMinute(instant), timezone);
export const sayStamp = (instant: Date, now: Date, timezone: string): string =>
  sayClock(wallClock(toMinute(instant), timezone), now, timezone);

/** `14:02` in the user's zone, or with its day if that is not today. */
export function sayUntil(instant: Date, now: Date, timezone: string): string {
  const [day, time] = wallClock(toMinute(instant), timezone).split('T') as [string, string];
  return day === present(now, timezone).day ? time : sayStamp(instant, now, timezone);
}

/** `Sun 22 Nov 2026`. */
export const sayToday = (now: Date, timezone: string): string => sayDate(present(now, timezone).midnight, true, true);

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

const WINDOWS =
  'Use overdue, today, week, none, words such as next week, a day as 2026-11-24, or days as 2026-11-24..2026-11-30.';

/** No task is due on this day or later. */
const AFTER_ALL = new Temporal.PlainDate(LAST_YEAR + 1, 1, 1);

/**
 * Reads the `due` filter: `overdue`, `none`, `week` (the 7 days from today), days in ISO 8601 or in words, or
 * `from..to`, both included, of which one may be left out. "By friday" is up to then, "within 3 days" from today on.
 */
export function parseWindow(text: string, now: Date, timezone: string): Window {
  const here = { now, timezone };
  const word = text.trim().toLowerCase();
  if (word === 'none') return 'none';
  if (word === 'overdue') return { until: now };
  const [from = '', to = from, ...more] = (word === 'week' ? 'today..in 6 days' : text)
    .replace(/^\s*(?:by|until|till|up to)\s+/i, '..')
    .replace(/^\s*within\s+/i, 'today..in ')
    .split('..')
    .map(trimmed);
  const [first, last] = [from, to].map((end) => (end ? read(end, here, 'due', 'either') : null));
  if (!isDays(first) || !isDays(last) || !(first ?? last) || more.length > 0)
    throw invalid(`due: "${short(text)}" is not a window of days.`, `${WINDOWS} ${todayIs(here)}`);
  if (first && last && Temporal.PlainDate.compare(first.first, last.last) > 0)
    throw invalid(`due: ${first.first} is after ${last.last}.`, WINDOWS);
  const after = last ? last.last.add({ days: 1 }) : AFTER_ALL;
  return { ...(first && { from: startOf(first.first, timezone) }), until: startOf(after, timezone) };
}

/** The days of a window, for people: `Mon 30 Nov to Sun 6 Dec`. */
export function sayWindow({ from, until }: Exclude<Window, 'none'>, { now, timezone }: Here): string {
  const day = (instant: Date) => sayWhen(formatStamp(instant, timezone).slice(0, 10), now, timezone);
  const last = day(new Date(until.getTime() - 1));
  if (!from) return `up to ${last}`;
  if (until.getTime() >= startOf(AFTER_ALL, timezone).getTime()) return `from ${day(from)} on`;
  return day(from) === last ? last : `${day(from)} to ${last}`;
}

const trimmed = (text: string) => text.trim();

/** Days, or the null of an end that is open; an open end excludes what is never due, which sorts behind all years. */
const isDays = (read: Days | Temporal.Instant | null | undefined): read is Days | null =>
  read !== undefined && !(read instanceof Temporal.Instant);

/** How far a caller’s clock may be ahead of ours, in milliseconds. */
const SKEW = 3_600_000;

/** The instant from which on something happened: of days, their first in the user's zone. */
export function sinceInstant(text: string, here: Here, field: string): Date {
  const meant = read(text, here, field, 'back');
  if (!meant) throw notADate(text, here, field);
  const since =
    meant instanceof Temporal.Instant ? new Date(meant.epochMilliseconds) : startOf(meant.first, here.timezone);
  if (since.getTime() > here.now.getTime() + SKEW)
    throw invalid(`${field}: "${short(text)}" is still to come.`, `Use a day up to today. ${todayIs(here)}`);
  return since;
}

/** The day of a moment, on the calendar of a zone. */
const plainDay = (when: When, timezone: string) =>
  isDay(when) ? Temporal.PlainDate.from(when) : zoned(when, timezone).toPlainDate();

/** What clocks in a zone show at a moment: `09:00`. */
export const clockAt = (moment: When, timezone: string): string => wallClock(Date.parse(moment), timezone).slice(11);

/** Days from one day or moment to another, as the calendar on the wall counts them. */
export function daysBetween(from: When, to: When, timezone: string): number {
  return plainDay(from, timezone).until(plainDay(to, timezone)).days;
}

/** A day or moment so many days later; a moment keeps its time of day. */
export const shiftDays = (when: When, days: number, timezone: string): When =>
  later(when, Temporal.Duration.from({ days }), timezone);

/**
 * A day or moment so much later; a moment keeps its time of day over days and months.
 *
 * @throws RangeError beyond what Temporal knows
 */
export function later(when: When, amount: Temporal.Duration, timezone: string): When {
  if (isDay(when)) return Temporal.PlainDate.from(when).add(amount).toString();
  return utc(zoned(when, timezone).add(amount).toInstant());
}
