import { Temporal } from 'temporal-polyfill';
import { MONTHS, shortName, WEEKDAYS } from './date-words.js';

/** The present, and the zone of the user. */
export interface TimeContext {
  now: Date;
  timezone: string;
}

/**
 * A day or an instant, as a string: `2026-11-24` is a day, whatever the zone; `2026-11-24T16:00:00.000Z` is an
 * instant. A day is never converted to midnight.
 */
export type When = string;

export const isDay = (when: When): boolean => when.length === 10;

/** Returns an instant as it is stored. */
export const instantWhen = (instant: Temporal.Instant): When =>
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

/** Formats as `2026-11-24T17:00+01:00`. */
export const withOffset = (zoned: Temporal.ZonedDateTime) =>
  zoned.toString({ smallestUnit: zoned.second === 0 ? 'minute' : 'second', timeZoneName: 'never' });

/** @param instant in milliseconds, or as ISO 8601 */
const zoned = (instant: number | string, timezone: string) =>
  (typeof instant === 'string'
    ? Temporal.Instant.from(instant)
    : Temporal.Instant.fromEpochMilliseconds(instant)
  ).toZonedDateTimeISO(timezone);

const [MINUTE, DAY] = [60_000, 86_400_000];

/** UTC offsets in milliseconds by `${day} ${timezone}`; undefined for days on which the clocks change. */
const offsets = new Map<string, number | undefined>();
const MAX_OFFSETS = 5_000;

/**
 * Returns a zone's UTC offset in milliseconds. Cached by day, since for the dozen instants of an answer Temporal takes
 * as long as the database; no zone changes its clocks twice in a day.
 */
function offsetAt(instant: number, timezone: string): number {
  const at = (moment: number) => zoned(moment, timezone).offsetNanoseconds / 1e6;
  const day = Math.floor(instant / DAY);
  const key = `${day} ${timezone}`;
  if (!offsets.has(key)) {
    if (offsets.size >= MAX_OFFSETS) offsets.clear();
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
  return sayDate(date, { weekday: isNear, year: date.getUTCFullYear() !== midnight.getUTCFullYear(), time });
}

/** @param date midnight of the day in UTC */
function sayDate(date: Date, parts: { weekday: boolean; year: boolean; time?: string | undefined }): string {
  const words = [`${date.getUTCDate()}`, shortName(MONTHS, date.getUTCMonth() + 1)];
  if (parts.weekday) words.unshift(shortName(WEEKDAYS, date.getUTCDay() || 7));
  if (parts.year) words.push(`${date.getUTCFullYear()}`);
  if (parts.time) words.push(parts.time);
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
export const sayToday = (context: TimeContext): string =>
  sayDate(present(context).midnight, { weekday: true, year: true });

/** Returns `Today is Sun 22 Nov 2026 (2026-11-22).`, which agents often do not know. */
export const todayIs = (context: TimeContext): string => `Today is ${sayToday(context)} (${present(context).day}).`;

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
  return instantWhen(zoned(when, timezone).add(amount).toInstant());
}
