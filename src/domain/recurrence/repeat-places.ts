import { MONTHS, numberOfName, WEEKDAYS } from '../dates/date-words.js';
import { isDayPart } from '../dates/time-of-day.js';
import type { Freq, NthWeekday, Rule } from './occurrences.js';
import { canonicalRule, countedOrder } from './rrule.js';
import { type Cursor, repeatsRefusal, unexpectedWord } from './word-cursor.js';

interface PlaceOptions {
  /** Whether a bare number is a day of the month, as after `on`, but not after `every`. */
  bareNumbers: boolean;
}

/** The days of a week, month or year that a phrase names. The ordinal of "last" is -1. */
export interface NamedDays {
  weekdays: number[];
  nths: NthWeekday[];
  monthDays: number[];
  /** The nth workday (Monday to Friday) of a month. */
  workday?: number | undefined;
  month?: number | undefined;
  leapDay?: boolean;
}

const WORKDAYS = [1, 2, 3, 4, 5];

/**
 * Reads `mon, wed and fri`, `the last fri of nov`, `the 1st and 15th`, `24 nov`.
 *
 * @throws Refusal `invalid` for a word that is not understood
 */
export function readPlaces(cursor: Cursor, options: PlaceOptions): NamedDays {
  const places: NamedDays = { weekdays: [], nths: [], monthDays: [] };
  let ordinals: number[] = [];
  let before = cursor.at();
  for (let first = true; ; first = false) {
    const read = readPlace(cursor, places, ordinals, options);
    if (!read && first) throw unexpectedWord(cursor);
    if (!read) cursor.back(before);
    ordinals = read ?? ordinals;
    before = cursor.at();
    if (!read || !(cursor.eat('and', ',', '&', '/') ?? numberOfName(WEEKDAYS, cursor.peek() ?? ''))) break;
    cursor.eat('and');
    cursor.eat('every', 'each');
  }
  if (ordinals.includes(-1)) throw unexpectedWord(cursor);
  places.monthDays.push(...ordinals);
  readMonth(cursor, places);
  return places;
}

/** Reads one item of a list into `places`. Returns ordinals whose noun is still to come; undefined if there is none. */
function readPlace(cursor: Cursor, places: NamedDays, waiting: number[], options: PlaceOptions): number[] | undefined {
  cursor.eat('the');
  const name = cursor.peek() ?? '';
  const weekday = numberOfName(WEEKDAYS, name);
  if (weekday) {
    cursor.eat();
    if (waiting.length === 0) places.weekdays.push(...readRange(cursor, weekday));
    places.nths.push(...waiting.map((nth) => ({ nth, weekday })));
    return [];
  }
  if (eatWorkday(cursor)) {
    if (waiting.length > 1 || places.workday) throw unexpectedWord(cursor);
    if (waiting.length === 0) places.weekdays.push(...WORKDAYS);
    places.workday = waiting[0];
    return [];
  }
  if (waiting.length === 0 && cursor.eat('weekend', 'weekends')) {
    places.weekdays.push(6, 7);
    return [];
  }
  if (name === 'leap' && cursor.peek(1) === 'day') {
    cursor.eat();
    cursor.eat();
    places.leapDay = true;
    return [];
  }
  const month = waiting.length + places.monthDays.length === 0 ? numberOfName(MONTHS, name) : undefined;
  if (month && !places.month) {
    cursor.eat();
    places.month = month;
    const day = cursor.ordinal() ?? cursor.number();
    if (day === undefined) throw repeatsRefusal('a day of the month is missing.', 'Use for example "every 1 jan".');
    places.monthDays.push(day);
    return [];
  }
  const nth = cursor.ordinal() ?? readNumber(cursor, options);
  if (nth === undefined) return undefined;
  return readCounted(cursor, places, [...waiting, nth], options);
}

/** Reads the noun of ordinals into `places`: `day` (of a month) or a weekday. Returns the ordinals if none follows. */
function readCounted(cursor: Cursor, places: NamedDays, ordinals: number[], options: PlaceOptions): number[] {
  if (ordinals.some((nth) => nth > 28) && cursor.eat('or')) {
    if (!cursor.eat('last') || !cursor.eat('day')) throw unexpectedWord(cursor);
  } else if (!cursor.eat('day', 'days')) {
    const name = cursor.peek() ?? '';
    if (isDayPart(name)) throw unexpectedWord(cursor);
    const follows = numberOfName(WEEKDAYS, name) || /^(?:week|work)days?$|^(?:business|working|work)$/.test(name);
    return follows ? (readPlace(cursor, places, ordinals, options) ?? []) : ordinals;
  }
  places.monthDays.push(...ordinals);
  return [];
}

/** Reads a bare number as a day: always beside a month, else only with `bareNumbers` and if it is not a count or a time. */
function readNumber(cursor: Cursor, { bareNumbers }: PlaceOptions): number | undefined {
  const start = cursor.at();
  const value = cursor.number();
  const next = cursor.peek() ?? '';
  const month = numberOfName(MONTHS, next === 'of' ? (cursor.peek(1) ?? '') : next);
  if (month || (bareNumbers && !/^(?:times?|occurrences?|am|pm)$/.test(next))) return value;
  cursor.back(start);
  return undefined;
}

function eatWorkday(cursor: Cursor): boolean {
  if (cursor.eat('weekday', 'weekdays', 'workday', 'workdays')) return true;
  if (!/^days?$/.test(cursor.peek(1) ?? '') || !cursor.eat('business', 'working', 'work')) return false;
  cursor.eat();
  return true;
}

/** Reads the rest of `mon-fri`, `mon to fri`; a range may wrap around the end of the week. */
function readRange(cursor: Cursor, first: number): number[] {
  const last = numberOfName(WEEKDAYS, cursor.peek(1) ?? '');
  if (!last || !cursor.eat('-', '–', 'to', 'through')) return [first];
  cursor.eat();
  return Array.from({ length: ((last - first + 7) % 7) + 1 }, (_, index) => ((first - 1 + index) % 7) + 1);
}

/** Reads `of the month`, `of november`, or just `nov` after a day. */
function readMonth(cursor: Cursor, places: NamedDays): void {
  if (places.month || places.leapDay) return;
  const of = cursor.eat('of');
  if (of && cursor.eat('the', 'each', 'every', 'month')) {
    if (cursor.peek(-1) !== 'month' && !cursor.eat('month')) throw unexpectedWord(cursor);
    return;
  }
  places.month = numberOfName(MONTHS, cursor.peek() ?? '');
  if (places.month) cursor.eat();
  else if (of) throw unexpectedWord(cursor);
}

/**
 * Builds the rule for places. The frequency follows from them.
 *
 * @param freq the given frequency, which must be the same
 * @throws Refusal `invalid` for places that do not go together or with `freq`, or that no month has
 */
export function ruleFor(freq: Freq | undefined, interval: number, places: NamedDays): Rule {
  const { weekdays, nths, monthDays, workday, month, leapDay } = places;
  const kinds = [weekdays.length, nths.length, monthDays.length, workday, leapDay].filter(Boolean).length;
  if (kinds !== 1) throw repeatsRefusal('weekdays, nth weekdays and days of the month cannot be combined.');
  const fits = weekdays.length > 0 ? 'WEEKLY' : month || leapDay ? 'YEARLY' : 'MONTHLY';
  if ((freq ?? fits) !== fits || (fits === 'WEEKLY' && month))
    throw repeatsRefusal(
      'weekdays go with weeks, days such as the 15th with months, and dates such as 24 nov with years.',
    );
  const rule: Rule = { freq: fits, interval, weekStart: 1, ...(month && { byMonth: [month] }) };
  const every = (days: number[]): NthWeekday[] => days.map((weekday) => ({ nth: 0, weekday }));
  if (leapDay) return { ...rule, byMonth: [2], byMonthDay: [29] };
  if (weekdays.length > 0)
    return canonicalRule({ ...rule, byDay: every([...new Set(weekdays)].sort((a, b) => a - b)) });
  if (workday === 0 || (workday ?? 0) > 23 || nths.some(({ nth }) => nth === 0 || nth > 5))
    throw repeatsRefusal('no month has that many.');
  if (workday) return { ...rule, byDay: every(WORKDAYS), bySetPos: [workday] };
  if (monthDays.length > 0) return { ...rule, ...monthDaysInWords(monthDays, month) };
  const distinct = new Map(nths.map((one) => [`${one.nth} ${one.weekday}`, one]));
  return {
    ...rule,
    byDay: [...distinct.values()].sort((a, b) => countedOrder(a.nth, b.nth) || a.weekday - b.weekday),
  };
}

const LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Converts days of the month as people mean them to RFC 5545, which skips months that are too short: the 31st becomes
 * the last day of every month, and the 30th the last day of February.
 *
 * @param month if the days are of that month only, from 1
 * @throws Refusal `invalid` for a day that no month has, and for several at the end of the month
 */
export function monthDaysInWords(days: number[], month?: number): Pick<Rule, 'byMonthDay' | 'bySetPos'> {
  const shortest = (month && LENGTHS[month - 1]) || 28;
  const longest = month === 2 ? 29 : month ? shortest : 31;
  if (days.some((day) => day === 0 || day > longest)) throw repeatsRefusal('no month has that day.');
  const always = [...new Set(days)].filter((day) => day > 0 && day <= shortest).sort((a, b) => a - b);
  const [top, another] = new Set(days.filter((day) => day < 0 || day > shortest));
  if (another !== undefined) throw repeatsRefusal('only one of these days can be at the end of the month.');
  if (top === undefined) return { byMonthDay: always };
  if (top === -1 || top === longest) return { byMonthDay: [...always, -1] };
  const endDays = Array.from({ length: top - 27 }, (_, index) => 28 + index);
  return { byMonthDay: [...new Set([...always, ...endDays])], bySetPos: [...always.map((_, index) => index + 1), -1] };
}
