import { invalid, type Refusal, truncateForMessage } from '../../errors.js';
import { existingDay, FIRST_YEAR } from '../dates/calendar.js';
import { clockTime, type Time } from '../dates/time-of-day.js';
import {
  WEEKDAY_CODES as CODES,
  codeOf,
  type Freq,
  fromDay,
  type NthWeekday,
  type Rule,
  toDay,
} from './occurrences.js';

/** A parsed RFC 5545 rule; besides the days it can have a time of day, and a time for its end. */
export interface RuleText {
  rule: Rule;
  time?: Time | undefined;
  /** The time of day of `rule.until`, and whether that is in UTC. */
  untilTime?: { time: string; utc: boolean } | undefined;
}

/** The largest count: finding the next occurrence of a counted series iterates from the first. */
export const MAX_COUNT = 1000;

export const RULE_HINT = 'Use for example FREQ=WEEKLY;BYDAY=MO,TH or FREQ=MONTHLY;BYDAY=-1FR;COUNT=12.';

const wrong = (what: string): Refusal => invalid(`repeats: ${what}.`, RULE_HINT);

/**
 * Reads `FREQ=WEEKLY;BYDAY=TU`, in any order and case, with or without `RRULE:`.
 *
 * @throws Refusal `invalid` for a rule that is malformed or not supported
 */
export function readRule(text: string): RuleText {
  const parts = new Map<string, string>();
  for (const part of text
    .toUpperCase()
    .replace(/^RRULE:\s*/, '')
    .split(';')) {
    const [, name = '', value = ''] = /^([A-Z]+)=([A-Z0-9,+-]+)$/.exec(part) ?? [];
    if (!name) throw wrong(`"${truncateForMessage(part)}" is not a valid part of a recurrence rule`);
    if (parts.has(name)) throw wrong(`${name} is given twice`);
    parts.set(name, value);
  }
  const take = (name: string) => {
    const value = parts.get(name);
    parts.delete(name);
    return value;
  };
  const number = (name: string, max: number) => numbers(name, take(name), 0, max)?.[0];
  const freq = readFreq(take('FREQ'));
  const until = readUntil(take('UNTIL'));
  const rule: Rule = {
    freq,
    interval: single('INTERVAL', take('INTERVAL'), 1000) ?? 1,
    count: single('COUNT', take('COUNT'), MAX_COUNT),
    until: until?.day,
    byMonth: numbers('BYMONTH', take('BYMONTH'), 1, 12),
    byWeekNo: numbers('BYWEEKNO', take('BYWEEKNO'), -53, 53),
    byYearDay: numbers('BYYEARDAY', take('BYYEARDAY'), -366, 366),
    byMonthDay: numbers('BYMONTHDAY', take('BYMONTHDAY'), -31, 31),
    byDay: readDays(take('BYDAY'), freq),
    bySetPos: numbers('BYSETPOS', take('BYSETPOS'), -366, 366),
    weekStart: CODES.indexOf(take('WKST') ?? 'MO') + 1,
  };
  for (const name of ['BYHOUR', 'BYMINUTE', 'BYSECOND'])
    if (parts.get(name)?.includes(',')) throw wrong(`a task can repeat at most once a day, so ${name} takes one value`);
  const [hour, minute, second] = [number('BYHOUR', 23), number('BYMINUTE', 59), number('BYSECOND', 59)];
  if (hour === undefined && (minute ?? second) !== undefined) throw wrong('BYMINUTE and BYSECOND need BYHOUR');
  const [unknown] = parts.keys();
  if (unknown) throw wrong(`${truncateForMessage(unknown)} is not supported`);
  refuseWrong(rule);
  const time = hour === undefined ? undefined : clockTime(hour, minute, second);
  return { rule: canonicalRule(rule), time, untilTime: until?.at };
}

function readFreq(freq = ''): Freq {
  if (freq === 'DAILY' || freq === 'WEEKLY' || freq === 'MONTHLY' || freq === 'YEARLY') return freq;
  if (/^(HOUR|MINUTE|SECOND)LY$/.test(freq))
    throw wrong('a task can repeat at most once a day: make one task for each time of day');
  throw wrong('FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY');
}

function single(name: string, text: string | undefined, max: number): number | undefined {
  if (text !== undefined && !/^\d{1,9}$/.test(text)) throw wrong(`${name} must be a number`);
  return numbers(name, text, 1, max)?.[0];
}

/** Reads a list without duplicates, positive numbers first: 1, 15, -1. Zero is allowed only if `min` is 0. */
function numbers(name: string, text: string | undefined, min: number, max: number): number[] | undefined {
  if (text === undefined) return undefined;
  const all = text.split(',').map((item) => (/^[+-]?\d{1,9}$/.test(item) ? Number(item) : Number.NaN));
  if (all.some((value) => !(value >= min && value <= max) || (value === 0 && min !== 0)))
    throw wrong(`${name} must be between ${min} and ${max}${min < 0 ? ', not 0' : ''}`);
  return [...new Set(all)].sort(countedOrder);
}

export const countedOrder = (a: number, b: number) => (a > 0 === b > 0 ? a - b : b - a);

function readDays(text: string | undefined, freq: Freq): NthWeekday[] | undefined {
  if (text === undefined) return undefined;
  const most = freq === 'MONTHLY' ? 5 : freq === 'YEARLY' ? 52 : 0;
  const days = text.split(',').map((item) => {
    const [, nth = '0', code = ''] = /^([+-]?\d{1,2})?([A-Z]{2})$/.exec(item) ?? [];
    if (!CODES.includes(code)) throw wrong(`BYDAY: "${truncateForMessage(item)}" is not a weekday such as MO or 2TU`);
    if (Math.abs(Number(nth)) > most) throw wrong(`BYDAY=${item} does not fit FREQ=${freq}`);
    return { nth: Number(nth) || 0, weekday: CODES.indexOf(code) + 1 };
  });
  return [...new Map(days.map((day) => [`${day.nth} ${day.weekday}`, day])).values()].sort(
    (a, b) => countedOrder(a.nth, b.nth) || a.weekday - b.weekday,
  );
}

function readUntil(text: string | undefined) {
  if (text === undefined) return undefined;
  const [, y, m, d, hour, minute, second, utc] =
    /^(\d{4})(\d\d)(\d\d)(?:T([01]\d|2[0-3])([0-5]\d)([0-5]\d)(Z)?)?$/.exec(text) ?? [];
  const [day] = existingDay(Number(y), Number(m), Number(d));
  if (!day || day.year < FIRST_YEAR) throw wrong(`UNTIL=${truncateForMessage(text)} is not a date such as 20270630`);
  const at = hour === undefined ? undefined : { time: `${hour}:${minute}:${second}`, utc: utc !== undefined };
  return { day: day.toString(), at };
}

function refuseWrong(rule: Rule): void {
  const { freq, byMonth, byWeekNo, byYearDay, byMonthDay, byDay, bySetPos } = rule;
  if (rule.weekStart === 0) throw wrong('WKST must be a weekday, such as MO');
  if (rule.count !== undefined && rule.until) throw wrong('COUNT and UNTIL cannot be combined');
  if (byMonthDay && freq === 'WEEKLY') throw wrong('BYMONTHDAY does not fit FREQ=WEEKLY');
  if (byYearDay && freq !== 'YEARLY') throw wrong('BYYEARDAY needs FREQ=YEARLY');
  if (byWeekNo && freq !== 'YEARLY') throw wrong('BYWEEKNO needs FREQ=YEARLY');
  refuseUnsupported(rule);
  if (!bySetPos) return;
  if (!byMonth && !byMonthDay && !byDay) throw wrong('BYSETPOS needs another BY part to choose from');
  const most = { DAILY: 1, WEEKLY: byDay?.length ?? 1, MONTHLY: 31, YEARLY: 366 }[freq];
  if (bySetPos.every((position) => Math.abs(position) > most)) throw wrong('no day matches BYSETPOS');
}

/** Refuses rules that the library gets wrong or is slow with, such as yearly ones with conditions that it ignores. */
function refuseUnsupported(rule: Rule): void {
  const { freq, byMonth, byWeekNo, byYearDay, byMonthDay, byDay, bySetPos } = rule;
  const ordinals = byDay?.filter(({ nth }) => nth !== 0).length ?? 0;
  if ((byYearDay ?? byWeekNo) && (byMonth || byMonthDay || bySetPos || ordinals > 0 || (byYearDay && byWeekNo)))
    throw wrong('BYYEARDAY and BYWEEKNO can be combined only with plain weekdays in BYDAY: use BYMONTH and BYMONTHDAY');
  // A week across New Year is in two years; implementations disagree on which one the interval counts.
  if (byWeekNo && rule.interval > 1) throw wrong('BYWEEKNO cannot be combined with INTERVAL: use FREQ=WEEKLY');
  if (freq === 'YEARLY' && !byMonth && ordinals > 0 && (byMonthDay || ordinals !== byDay?.length))
    throw wrong('BYDAY with ordinals needs BYMONTH beside BYMONTHDAY or plain weekdays: add it, or make two tasks');
  if (freq === 'WEEKLY' && byMonth && bySetPos)
    throw wrong('BYSETPOS with FREQ=WEEKLY cannot be combined with BYMONTH: name the weekday in BYDAY');
}

/** Normalizes rules that have the same meaning to one form. */
export function canonicalRule(rule: Rule): Rule {
  const { freq, interval, byDay, byMonthDay, bySetPos, byWeekNo, weekStart } = rule;
  const weekly = freq === 'WEEKLY' || (freq === 'DAILY' && interval === 1 && byDay !== undefined && !byMonthDay);
  const inMonths = freq === 'MONTHLY' || freq === 'YEARLY';
  const fromStart = ({ weekday }: NthWeekday) => (weekday - weekStart + 7) % 7;
  const week = freq === 'WEEKLY' ? byDay?.toSorted((a, b) => fromStart(a) - fromStart(b)) : undefined;
  const chosen = bySetPos?.map((position) => week?.at(position > 0 ? position - 1 : position));
  return {
    ...rule,
    freq: weekly ? 'WEEKLY' : freq,
    byDay: week && chosen ? byDay?.filter((day) => chosen.includes(day)) : byDay,
    bySetPos: inMonths ? bySetPos : undefined,
    weekStart: byWeekNo || (freq === 'WEEKLY' && interval > 1) ? weekStart : 1,
  };
}

/** Formats a rule as `FREQ=WEEKLY;INTERVAL=2;BYDAY=TU`. `UNTIL` is a day in the user's zone, inclusive. */
export function writeRule(rule: Rule): string {
  const list = (name: string, values: (number | string)[] | undefined) => values && `${name}=${values.join(',')}`;
  return [
    `FREQ=${rule.freq}`,
    rule.interval > 1 && `INTERVAL=${rule.interval}`,
    rule.count !== undefined && `COUNT=${rule.count}`,
    rule.until && `UNTIL=${rule.until.replaceAll('-', '')}`,
    list('BYMONTH', rule.byMonth),
    list('BYWEEKNO', rule.byWeekNo),
    list('BYYEARDAY', rule.byYearDay),
    list('BYMONTHDAY', rule.byMonthDay),
    list('BYDAY', rule.byDay?.map(codeOf)),
    list('BYSETPOS', rule.bySetPos),
    rule.weekStart !== 1 && `WKST=${CODES[rule.weekStart - 1]}`,
  ]
    .filter(Boolean)
    .join(';');
}

/** Returns the day before, for a series whose end is earlier in the day than the task's time. */
export const dayBefore = (day: string): string => fromDay(toDay(day) - 1);
