import type { RRuleTemporal } from 'rrule-temporal';
import { LAST_YEAR } from '../dates/calendar.js';
import { LazyModule } from '../lazy-module.js';

/**
 * A recurrence rule (RFC 5545, section 3.3.10) for days alone, without clocks or zones. In this file a day is its
 * number counted from 1 January 1970.
 *
 * `rrule-temporal` finds the days, one range of the calendar at a time. `rrule.ts` refuses rules that it gets wrong.
 */
export interface Rule {
  freq: Freq;
  interval: number;
  count?: number | undefined;
  /** The last day it may fall on, for example `2027-06-30`. */
  until?: string | undefined;
  byMonth?: number[] | undefined;
  byWeekNo?: number[] | undefined;
  byYearDay?: number[] | undefined;
  byMonthDay?: number[] | undefined;
  byDay?: NthWeekday[] | undefined;
  bySetPos?: number[] | undefined;
  /** 1 is Monday, 7 is Sunday. */
  weekStart: number;
}

export type Freq = 'DAILY' | 'WEEKLY' | 'MONTHLY' | 'YEARLY';

/** `nth` is 0 for every such weekday, and counts from the end if negative. Weekday 1 is Monday. */
export interface NthWeekday {
  nth: number;
  weekday: number;
}

/** The library that finds the days of a rule; loaded on first use. */
export const rruleLibrary = new LazyModule(async () => (await import('rrule-temporal')).RRuleTemporal);

export const WEEKDAY_CODES = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];
export const codeOf = ({ nth, weekday }: NthWeekday): string => `${nth || ''}${WEEKDAY_CODES[weekday - 1]}`;

const DAY = 86_400_000;

export const toDay = (iso: string): number => Date.parse(`${iso}T00:00Z`) / DAY;
const dateOf = (day: number) => new Date(day * DAY);
const monthOf = (day: number) => dateOf(day).getUTCMonth() + 1;
const newYear = (year: number) => Date.UTC(year, 0, 1) / DAY;
export const fromDay = (day: number): string => dateOf(day).toISOString().slice(0, 10);

/** 1 is Monday, 7 is Sunday. */
export const weekdayOf = (day: number): number => ((((day + 3) % 7) + 7) % 7) + 1;

/** Searches end at the last possible date, or after this many days without a match. */
const LAST_DAY = toDay(`${LAST_YEAR}-12-31`);
const SILENCE = 100 * 366;

/** Days per library call, doubled from `first` to `longest`: long ranges are slow, and so are many short ones. */
const STEP = { first: 64, longest: 4096 };

/** Yields the days of a rule in order, from `from` on and never before `anchor`. Ignores `count`. */
export function* daysOf(rule: Rule, anchor: number, from = anchor): Generator<number, void> {
  const weekday = rule.freq === 'DAILY' && rule.interval % 7 === 0 ? weekdayOf(anchor) : undefined;
  if (weekday && rule.byDay?.every((day) => day.weekday !== weekday)) return; // no day matches
  const last = rule.until ? Math.min(LAST_DAY, toDay(rule.until)) : LAST_DAY;
  const library = libraryRule(rule, anchor);
  let opening = Math.max(anchor, from);
  let patience = opening + SILENCE;
  for (let length = STEP.first; opening <= Math.min(last, patience); length *= 2) {
    const closing = Math.min(opening + Math.min(length, STEP.longest) - 1, last);
    for (const { epochMilliseconds } of library.between(dateOf(opening), dateOf(closing), true)) {
      const day = epochMilliseconds / DAY;
      if (!fits(rule, anchor, day)) continue;
      patience = day + SILENCE;
      yield day;
    }
    opening = closing + 1;
  }
}

/**
 * Builds the rule for the library. It can match more days than `rule`, which `fits` then removes, because the library
 * is slow with some rules: it steps through each day of a daily rule with conditions and each week of a weekly one, and
 * is slow with week numbers and days of the year.
 */
function libraryRule(rule: Rule, anchor: number): RRuleTemporal {
  const Library = rruleLibrary.get();
  const { freq, byMonthDay, byDay, byYearDay, byWeekNo, bySetPos, weekStart } = rule;
  const inMonths = freq === 'DAILY' && (rule.byMonth || byMonthDay || byDay);
  const asked = inMonths ? 'MONTHLY' : byWeekNo ? 'WEEKLY' : freq;
  const byMonth = byYearDay ? monthsOf(byYearDay) : rule.byMonth;
  const everyDay = (inMonths && !byDay) || byYearDay ? Array.from({ length: 31 }, (_, index) => index + 1) : undefined;
  const days = byMonthDay ?? everyDay;
  return new Library({
    freq: asked,
    interval: inMonths ? 1 : rule.interval,
    ...(byMonth && asked !== 'WEEKLY' && { byMonth }),
    ...(days && { byMonthDay: days }),
    ...(byDay && { byDay: byDay.map(codeOf) }),
    ...(bySetPos && { bySetPos }),
    wkst: WEEKDAY_CODES[weekStart - 1] as string,
    dtstart: { timeZoneId: 'UTC', toString: () => `${fromDay(anchor)}T00:00:00+00:00[UTC]` },
    maxIterations: STEP.longest + 32, // never reached: a range has no more periods than days
  });
}

/** Returns the months that days of a year can be in, in common and leap years. */
const monthsOf = (yearDays: number[]): number[] =>
  [2023, 2024].flatMap((year) =>
    yearDays.map((nth) => monthOf(nth > 0 ? newYear(year) + nth - 1 : newYear(year + 1) + nth)),
  );

/** Tells whether a day that the library returned is one of the rule's. */
function fits({ freq, interval, byMonth, byYearDay, byWeekNo, weekStart }: Rule, anchor: number, day: number): boolean {
  if (freq === 'DAILY' && (day - anchor) % interval !== 0) return false;
  if (byMonth && !byMonth.includes(monthOf(day))) return false;
  const numbers = byYearDay ?? byWeekNo;
  if (!numbers) return true;
  // A week belongs to the year of its fourth day. Weeks and days are counted from either end of the year.
  const [at, length] = byYearDay ? [day, 1] : [startOfWeek(day, weekStart) + 3, 7];
  const year = dateOf(at).getUTCFullYear();
  const nth = Math.ceil((at + 1 - newYear(year)) / length);
  return numbers.includes(nth) || numbers.includes(-Math.ceil((newYear(year + 1) - at) / length));
}

const startOfWeek = (day: number, weekStart: number) => day - ((weekdayOf(day) - weekStart + 7) % 7);

/** Returns the last day of the rule's period (day, week, month or year) that contains a day. */
export function endOfPeriod({ freq, weekStart }: Rule, day: number): number {
  if (freq === 'DAILY') return day;
  if (freq === 'WEEKLY') return startOfWeek(day, weekStart) + 6;
  const date = dateOf(day);
  return Date.UTC(date.getUTCFullYear(), freq === 'YEARLY' ? 12 : date.getUTCMonth() + 1, 0) / DAY;
}
