import { Temporal } from 'temporal-polyfill';
import { type Refusal, truncateForMessage } from '../../errors.js';
import { existingDay, inRange, MONTHS, WEEKDAYS, withinRange } from '../dates/calendar.js';
import { readDays } from '../dates/relative-days.js';
import { fromDay, toDay, weekdayOf } from './occurrences.js';
import { type Cursor, numberOfName, repeatsRefusal } from './word-cursor.js';

export interface DateContext {
  today: string;
  /** A date without a year is the first such day on or after this one. */
  from: string;
  /** Which day to take if the words mean several, such as a month. */
  edge: 'first' | 'last';
  /** Whether a weekday may differ from its date, whose year is not yet known. */
  anyWeekday?: boolean;
}

/**
 * Reads the day on which a phrase starts or ends: `2027-06-30`, `30 jun`, `june 30th 2027`, `june`, `friday`,
 * `tomorrow`, or other words for a due day, such as `next friday` or `end of year`. Consumes nothing if there is none.
 */
export function readDate(cursor: Cursor, context: DateContext): string | undefined {
  const start = cursor.at();
  for (const read of [readDay, readWords]) {
    const day = read(cursor, context);
    if (day !== undefined) return day;
    cursor.back(start);
  }
  return undefined;
}

/** Words that introduce an end. */
export const UNTIL = ['until', 'till', 'til', 'ending', 'ends'];

/** Words that begin another part of the phrase. */
const NEXT = [...UNTIL, 'starting', 'beginning', 'from', 'at', 'in', 'for', 'after', ','];

function readWords(cursor: Cursor, { today, edge }: DateContext): string | undefined {
  const words = cursor.eat('in') ? ['in'] : []; // as in "in two weeks"
  for (let word = cursor.peek(); word !== undefined && !NEXT.includes(word); word = cursor.peek()) {
    words.push(word);
    cursor.eat();
  }
  const said = words.join(' ');
  const found = said ? withinRange(() => readDays(said, Temporal.PlainDate.from(today), 'ahead')) : undefined;
  if (found && !Array.isArray(found)) throw wrongWeekday(found.not.toString());
  const [days, other] = found?.map((each) => each[edge].toString()) ?? [];
  if (other)
    throw repeatsRefusal(`"${truncateForMessage(said)}" can mean ${days} or ${other}.`, 'Use one of these dates.');
  return days;
}

const wrongWeekday = (day: string): Refusal =>
  repeatsRefusal(`${day} is a ${WEEKDAYS[weekdayOf(toDay(day)) - 1]}.`, 'Use the date of the intended day.');

function readDay(cursor: Cursor, context: DateContext): string | undefined {
  const { today, from, edge, anyWeekday } = context;
  const word = cursor.peek() ?? '';
  if (/^\d{4}-/.test(word)) {
    cursor.eat();
    return isoDay(Number(word.slice(0, 4)), Number(word.slice(5, 7)), Number(word.slice(8)));
  }
  const weekday = numberOfName(WEEKDAYS, word);
  if (weekday) {
    cursor.eat();
    const start = cursor.at();
    cursor.eat(',');
    const date = readDay(cursor, context); // as in "fri 25 dec"
    if (date !== undefined && !anyWeekday && weekdayOf(toDay(date)) !== weekday) throw wrongWeekday(date);
    if (date !== undefined) return date;
    cursor.back(start);
    return fromDay(toDay(from) + ((weekday - weekdayOf(toDay(from)) + 7) % 7));
  }
  const daysAhead = ['today', 'tomorrow'].indexOf(word);
  if (daysAhead >= 0) {
    cursor.eat();
    return fromDay(toDay(today) + daysAhead);
  }
  cursor.eat('the');
  if (cursor.eat('end') && !cursor.eat('of')) return undefined;
  let date = cursor.ordinal() ?? cursor.number();
  cursor.eat('of');
  const month = numberOfName(MONTHS, cursor.peek() ?? '');
  if (!month) return undefined;
  cursor.eat();
  if (date === undefined && !/^\d{4}$/.test(cursor.peek() ?? '')) {
    const before = cursor.at();
    date = cursor.ordinal() ?? cursor.number();
    // In `until june 10 times` or `from june 9 am` the number is not a day.
    if (/^(?:times?|occurrences?|am|pm)$/.test(cursor.peek() ?? '')) {
      cursor.back(before);
      date = undefined;
    }
  }
  if (cursor.peek() === ',' && /^\d{4}$/.test(cursor.peek(1) ?? '')) cursor.eat();
  const year = /^\d{4}$/.test(cursor.peek() ?? '') ? cursor.number() : undefined;
  const on = (year: number) =>
    date === undefined && edge === 'last' ? lastDay(year, month) : isoDay(year, month, date ?? 1);
  if (year !== undefined) return on(year);
  const near = Number(from.slice(0, 4));
  // 29 February can be 8 years away, since most years that end a century are not leap years.
  for (let of = near; of <= near + 8; of++) {
    const day = on(of);
    if (day !== undefined && day >= from) return day;
  }
  return undefined;
}

const isoDay = (year: number, month: number, day: number) => existingDay(year, month, day).find(inRange)?.toString();

const lastDay = (year: number, month: number) =>
  existingDay(year, month, 1).find(inRange)?.with({ day: 31 }).toString();
