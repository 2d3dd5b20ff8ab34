/**
 * The days of a recurrence rule (RFC 5545, section 3.3.10), reckoned on the calendar alone: a day is its number
 * counted from 1 January 1970, and neither clocks nor zones are known here.
 *
 * Our own, for rules here have at most one occurrence a day. A library for all of RFC 5545 brings a Temporal of
 * its own to every start, searches in vain for longer than a server may, and is wrong on some rules; the tests
 * hold this against one.
 */
export interface Rule {
  freq: Freq;
  interval: number;
  count?: number | undefined;
  /** The last day it may fall on, `2027-06-30`. */
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

/** `nth` is 0 for every one of that weekday, and counts from the end if negative; Monday is 1. */
export interface NthWeekday {
  nth: number;
  weekday: number;
}

const DAY = 86_400_000;

/** Searches end here, as dates do, and where nothing came for so long that nothing need be waited for. */
const LAST_DAY = dayNumber(2999, 12, 31);
const SILENCE = 200 * 366;

function dayNumber(year: number, month: number, day: number): number {
  return Date.UTC(year, month - 1, day) / DAY;
}

export const toDay = (iso: string): number => Date.parse(`${iso}T00:00Z`) / DAY;
export const fromDay = (day: number): string => new Date(day * DAY).toISOString().slice(0, 10);

/** 1 is Monday, 7 is Sunday. */
export const weekdayOf = (day: number): number => ((((day + 3) % 7) + 7) % 7) + 1;
const afterWeekday = (day: number, weekday: number) => (weekdayOf(day) - weekday + 7) % 7;

interface Span {
  first: number;
  length: number;
}
const yearOf = (year: number): Span => span(dayNumber(year, 1, 1), dayNumber(year + 1, 1, 1));
const monthOf = (year: number, month: number): Span => span(dayNumber(year, month, 1), dayNumber(year, month + 1, 1));
const span = (first: number, next: number): Span => ({ first, length: next - first });

const MONTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/** The days a rule falls on, in order, from `from` on and never before `anchor`; `count` is not looked at. */
export function* daysOf(rule: Rule, anchor: number, from = anchor): Generator<number, void> {
  const first = Math.max(anchor, from);
  const last = Math.min(LAST_DAY, rule.until ? toDay(rule.until) : LAST_DAY);
  // Daily rules are looked for in months: of those with conditions, most have no day.
  const stride = rule.freq === 'DAILY' ? 1 : rule.interval;
  const start = periodOf(rule, first);
  const wait = (((periodOf(rule, anchor) - start) % stride) + stride) % stride;
  const shapes = new Map<number, number[]>();
  let patience = first + SILENCE;
  for (let period = start + wait; ; period += stride) {
    const opening = firstDayOf(rule, period);
    if (opening > last || opening > patience) return;
    for (const offset of offsetsIn(rule, period, shapes)) {
      const day = opening + offset;
      if (day < first) continue;
      if (day > last) return;
      if (rule.freq === 'DAILY' && (day - anchor) % rule.interval !== 0) continue;
      patience = day + SILENCE;
      yield day;
    }
  }
}

/**
 * The days of a period, from its first, which is 0. There are few kinds of months and years, and a search in vain
 * over centuries sees each of them often.
 */
function offsetsIn(rule: Rule, period: number, shapes: Map<number, number[]>): number[] {
  if (rule.byMonth && (rule.freq === 'DAILY' || rule.freq === 'MONTHLY'))
    if (!rule.byMonth.includes((period % 12) + 1)) return [];
  const opening = firstDayOf(rule, period);
  const shape = rule.freq === 'WEEKLY' && rule.byMonth ? undefined : shapeOf(rule, period);
  const known = shape === undefined ? undefined : shapes.get(shape);
  if (known) return known;
  const offsets = daysIn(rule, period).map((day) => day - opening);
  if (shape !== undefined) shapes.set(shape, offsets);
  return offsets;
}

/** How long a period is, on which weekday it starts, and how long the one before was, for its weeks reach over. */
function shapeOf(rule: Rule, period: number): number {
  const [before = 0, first = 0, next = 0] = [-1, 0, 1].map((step) => firstDayOf(rule, period + step));
  return ((next - first) * 8 + weekdayOf(first)) * 400 + (rule.freq === 'YEARLY' ? first - before : 0);
}

/** The last day of the period, in the rule's own measure, that a day is in. */
export const endOfPeriod = (rule: Rule, day: number): number =>
  rule.freq === 'DAILY' ? day : firstDayOf(rule, periodOf(rule, day) + 1) - 1;

/** Which week, month or year a day is in, counted on without gaps. */
function periodOf(rule: Rule, day: number): number {
  if (rule.freq === 'WEEKLY') return (day - afterWeekday(day, rule.weekStart) - weekZero(rule)) / 7;
  const date = new Date(day * DAY);
  const year = date.getUTCFullYear();
  return rule.freq === 'YEARLY' ? year : year * 12 + date.getUTCMonth();
}

function firstDayOf(rule: Rule, period: number): number {
  if (rule.freq === 'WEEKLY') return period * 7 + weekZero(rule);
  return rule.freq === 'YEARLY' ? dayNumber(period, 1, 1) : dayNumber(Math.floor(period / 12), (period % 12) + 1, 1);
}

/** The first start of a week from 1 January 1970 on, a Thursday. */
const weekZero = (rule: Rule) => (rule.weekStart + 3) % 7;

function daysIn(rule: Rule, period: number): number[] {
  const days = candidates(rule, period);
  const { bySetPos } = rule;
  if (!bySetPos || rule.freq === 'DAILY') return days;
  return days.filter((_, index) => bySetPos.includes(index + 1) || bySetPos.includes(index - days.length));
}

function candidates(rule: Rule, period: number): number[] {
  if (rule.freq === 'WEEKLY') {
    const days = Array.from({ length: 7 }, (_, index) => firstDayOf(rule, period) + index);
    return days.filter(
      (day) =>
        (rule.byDay?.some(({ weekday }) => weekday === weekdayOf(day)) ?? true) &&
        (rule.byMonth?.includes(new Date(day * DAY).getUTCMonth() + 1) ?? true),
    );
  }
  if (rule.freq === 'YEARLY') return within(rule, yearOf(period), period, rule.byMonth ?? MONTHS);
  const [year, month] = [Math.floor(period / 12), (period % 12) + 1];
  return within(rule, monthOf(year, month), year, [month]);
}

/** What all the conditions of a rule leave of a month or a year. */
function within(rule: Rule, whole: Span, year: number, months: number[]): number[] {
  const spans = months.length === 12 ? [whole] : months.map((month) => monthOf(year, month));
  const sets: number[][] = [];
  if (rule.byMonthDay) {
    const { byMonthDay } = rule;
    sets.push(months.flatMap((month) => counted(byMonthDay, monthOf(year, month))));
  }
  if (rule.byYearDay) sets.push(counted(rule.byYearDay, whole));
  if (rule.byWeekNo) sets.push(inWeeks(rule.byWeekNo, rule.weekStart, year));
  if (rule.byDay) {
    const { byDay } = rule;
    // An ordinal counts in the month if the rule speaks of months, otherwise in the year.
    const frames = rule.byMonth && rule.freq === 'YEARLY' ? months.map((month) => monthOf(year, month)) : [whole];
    sets.push(frames.flatMap((frame) => byDay.flatMap((which) => weekdays(which, frame))));
  }
  sets.push(...(sets.length === 0 || rule.byYearDay || rule.byWeekNo ? [spans.flatMap(everyDay)] : []));
  const [shortest = [], ...others] = sets.sort((a, b) => a.length - b.length);
  const rest = others.map((set) => new Set(set));
  return [...new Set(shortest)].filter((day) => rest.every((set) => set.has(day))).sort((a, b) => a - b);
}

const everyDay = ({ first, length }: Span) => Array.from({ length }, (_, index) => first + index);

/** The nth days of a span, from its end if negative. */
const counted = (nths: number[], { first, length }: Span): number[] =>
  nths.filter((nth) => Math.abs(nth) <= length).map((nth) => first + (nth > 0 ? nth - 1 : length + nth));

function weekdays({ nth, weekday }: NthWeekday, { first, length }: Span): number[] {
  const all: number[] = [];
  for (let day = first + ((weekday - weekdayOf(first) + 7) % 7); day < first + length; day += 7) all.push(day);
  if (nth === 0) return all;
  const one = all.at(nth > 0 ? nth - 1 : nth);
  return one === undefined ? [] : [one];
}

/** Week 1 is the first that has four days of its year, so that weeks reach over the turn of the year. */
function inWeeks(numbers: number[], weekStart: number, year: number): number[] {
  const weekOne = (of: number) => {
    const fourth = dayNumber(of, 1, 4);
    return fourth - afterWeekday(fourth, weekStart);
  };
  return [year - 1, year, year + 1].flatMap((of) => {
    const weeks = { first: 0, length: (weekOne(of + 1) - weekOne(of)) / 7 };
    return counted(numbers, weeks).flatMap((week) => everyDay({ first: weekOne(of) + week * 7, length: 7 }));
  });
}
