import type { Refusal } from '../../errors.js';
import { CARDINALS } from '../dates/date-words.js';
import { clockTime, formatTime, isDayPart, type Time, timeInPart, withShortEnd } from '../dates/time-of-day.js';
import type { Freq, Rule } from './occurrences.js';
import { readDate, UNTIL } from './repeat-dates.js';
import { readPlaces, ruleFor } from './repeat-places.js';
import { type RuleText, readRule } from './rrule.js';
import { type Cursor, cursorOver, repeatsRefusal, unexpectedWord } from './word-cursor.js';

/** A parsed phrase, before its first day is known. */
export interface Phrase extends RuleText {
  /** Whether the time is an hour alone that can be one of two, unless a part of the day tells which. */
  unclearHour?: boolean | undefined;
  /** Whether a day beyond the end of a month means its last one, as in words but not in RFC 5545. */
  inWords: boolean;
  afterCompletion: boolean;
  start?: string | undefined;
  /** How long it goes on, if that is given instead of an end. */
  lasts?: Pick<Rule, 'freq' | 'interval'> | undefined;
}

/** Words that repeat. A number of weekdays, as in `3 weekdays from now`, is a single day. */
const RECURRENCE = new RegExp(
  `(?<![\\p{L}\\p{N}])(?:every|each|daily|weekly|biweekly|fortnightly|monthly|quarterly|yearly|annually|(?<!^(?:\\d+|${CARDINALS.join('|')}) |\\bin \\S+ )weekdays|weekends|after completi(?:on|ng)|rrule|freq|dtstart)(?![\\p{L}\\p{N}])`,
  'u',
);

/** Other ways to say what is read below. */
const SYNONYMS: [RegExp, string][] = [
  [/\.$/, ''],
  [/’/g, "'"],
  [/(?:\b(?:at|by) |@ ?)?(?<![:.\d])\b(\d{1,2}) o'clock\b/, 'at $1'],
  [/\beveryday\b/, 'every day'],
  [/\bnightly\b/, 'every night'],
  [/\b(morning|afternoon|evening|night)s\b/, '$1'],
  [/\bbi-weekly\b/, 'biweekly'],
  [/\bonce (?:an?|per) /, 'every '],
  [/\bonce (?=every |each )/, ''],
  [/\bon day (\d{1,2})\b/, 'on the $1th'],
  [/\bat (?=(?:the )?end of )/, 'on '],
  [/\bend of ((?:the|every|each) )?month\b/, 'last day of $1month'],
  [/\bafter (?:it(?:'s| is) |i )?(?:done|finish(?:ed)?|completed?)(?: it)?(?= |$)/, 'after completion'],
  [/^((?:starting|beginning|from) .+?),? ((?:every|each|daily|weekly|biweekly|monthly|yearly)\b.*)$/, '$2 $1'],
];

const folded = (text: string) =>
  SYNONYMS.reduce(
    (words, [synonym, word]) => words.replace(synonym, word),
    withShortEnd(text.normalize('NFKC').toLowerCase().trim()),
  );

/** Tells whether a text describes a recurrence, so that it cannot be a single date. */
export const isRepeat = (text: string): boolean => RECURRENCE.test(folded(text));

const RULE = /^(?:rrule:\s*)?[a-z]+=\S*/;

/** How often in a period, without its days. */
const FREQUENCY = /\b(?:twice|thrice|\S+ times) (?:an?|per|each|every) (day|week|month|year)\b/;

const CRON = /^(?:[\d*/,-]+ +){4}[\da-z*/,-]+$/;

/** What the dates in a phrase are relative to, as days such as `2026-11-24`. */
export interface Horizon {
  today: string;
  /** A start without a year is the first such day on or after this one. */
  from: string;
  /** The start, if the phrase has none. An end without a year is on or after the start and today. */
  start: string;
}

/**
 * Reads a whole phrase, or an RFC 5545 rule with or without words after it.
 *
 * Ambiguous phrases: `every 2nd tuesday` is the second one of each month (`every other tuesday` is every second one),
 * `every 2nd week` is every other week, `every weekend` is both days, and `until june` includes June.
 *
 * @throws Refusal `invalid`, naming the word that was not understood
 */
export function readPhrase(text: string, horizon: Horizon): Phrase {
  if (text.length > 500) throw repeatsRefusal('that is too long.');
  const words = folded(text);
  if (/dtstart|rdate|exdate|[\r\n]/.test(words))
    throw repeatsRefusal('only the rule itself is accepted.', 'Send FREQ=… alone, and its first day as due.');
  if (CRON.test(words)) throw repeatsRefusal('cron expressions are not supported.');
  const [, often] = FREQUENCY.exec(words) ?? [];
  if (often === 'day') throw tooOften();
  if (often) throw repeatsRefusal('how often is not enough: name the days.', 'Use for example "every mon and thu".');
  const [asRule] = RULE.exec(words) ?? [];
  const cursor = cursorOver(words.slice(asRule?.length ?? 0));
  const first = asRule ? undefined : readFirstTime(cursor);
  const single = ['a', 'an'].includes(cursor.peek() ?? '') ? cursor.at() : undefined;
  const phrase: Phrase = asRule
    ? { ...readRule(asRule), inWords: false, afterCompletion: false }
    : { ...readDays(cursor), inWords: true, ...first };
  readRest(cursor, phrase, horizon);
  if (single !== undefined && !phrase.afterCompletion) {
    cursor.back(single);
    throw unexpectedWord(cursor);
  }
  return phrase;
}

const ONCE: Record<string, [Freq, number]> = {
  day: ['DAILY', 1],
  week: ['WEEKLY', 1],
  fortnight: ['WEEKLY', 2],
  month: ['MONTHLY', 1],
  quarter: ['MONTHLY', 3],
  year: ['YEARLY', 1],
};
const UNITS = new Map(Object.entries(ONCE).flatMap(([unit, every]) => [[unit, every] as const, [`${unit}s`, every]]));
const ADVERBS = new Map<string, [Freq, number]>([
  ['daily', ['DAILY', 1]],
  ['weekly', ['WEEKLY', 1]],
  ['biweekly', ['WEEKLY', 2]],
  ['fortnightly', ['WEEKLY', 2]],
  ['monthly', ['MONTHLY', 1]],
  ['quarterly', ['MONTHLY', 3]],
  ['yearly', ['YEARLY', 1]],
  ['annually', ['YEARLY', 1]],
]);

/** Reads the time in `at 5pm every day`, `9am daily`. Consumes nothing if there is none. */
function readFirstTime(cursor: Cursor): Pick<Phrase, 'time' | 'unclearHour'> {
  const start = cursor.at();
  const time = cursor.time(cursor.eat('at', 'by') !== undefined);
  const unclearHour = isUnclear(cursor);
  if (time) cursor.eat(',');
  else cursor.back(start);
  return { time, unclearHour };
}

/** Tells whether the time just read is an hour alone from 1 to 6, or one after `by`, which can also be a day. */
const isUnclear = (cursor: Cursor): boolean =>
  (cursor.peek(-2) === 'by' ? /^\d+$/ : /^[1-6]$/).test(cursor.peek(-1) ?? '');

const unclearHour = ({ hour }: Time): Refusal =>
  repeatsRefusal(
    `${hour} is not clear as a time.`,
    `Use ${[hour, hour + 12].flatMap((each) => (each < 24 ? formatTime(clockTime(each)) : [])).join(' or ')}.`,
  );

function readDays(cursor: Cursor): { rule: Rule; afterCompletion: boolean } {
  const every = cursor.eat('every', 'each') !== undefined;
  const afterCompletion = every && cursor.eat('!') !== undefined;
  const step = every && cursor.eat('other', 'alternate') ? 2 : 1;
  const [freq, count] = readUnit(cursor, every) ?? [undefined, 1];
  const interval = count * step;
  if (interval < 1 || interval > 1000) throw repeatsRefusal('the interval must be 1 to 1000.');
  const placed = cursor.eat('on') !== undefined || freq === undefined;
  if (!placed) return { rule: { freq, interval, weekStart: 1 }, afterCompletion };
  return {
    rule: ruleFor(freq, interval, readPlaces(cursor, { bareNumbers: !every || freq !== undefined })),
    afterCompletion,
  };
}

const EACH_TIME = 'Make one task for each time, such as "every day at 09:00".';
const tooOften = () => repeatsRefusal('a task can repeat at most once a day.', EACH_TIME);

/** Reads a frequency and interval: `3 days`, `2nd week`, `weekly`; before `night`, days. Consumes nothing if there is none. */
function readUnit(cursor: Cursor, every: boolean): [Freq, number] | undefined {
  const start = cursor.at();
  const adverb = every ? undefined : ADVERBS.get(cursor.peek() ?? '');
  if (adverb) {
    cursor.eat();
    return adverb;
  }
  const ordinal = every ? cursor.ordinal() : undefined;
  const count = ordinal ?? (!every && cursor.eat('a', 'an') ? 1 : cursor.number());
  const word = cursor.eat() ?? '';
  const isOrdinal = !every && word === 'second';
  if (!isOrdinal && /^(?:(?:hour|minute|min|second)s?|hourly)$/.test(word)) throw tooOften();
  const unit = isDayPart(word) ? ONCE.day : UNITS.get(word);
  const counts = ordinal === undefined ? every || count !== undefined : ordinal > 1 && cursor.peek() !== 'of';
  if (unit && counts) {
    if (isDayPart(word)) cursor.back(cursor.at() - 1);
    return [unit[0], unit[1] * (count ?? 1)];
  }
  cursor.back(start);
  return undefined;
}

/** Reads what follows the days, in any order: a time and part of the day, an end or count, a start, `after completion`. */
function readRest(cursor: Cursor, phrase: Phrase, { today, from, start }: Horizon): void {
  const { rule } = phrase;
  const once = <T>(previous: unknown, value: T | undefined, what: string, hint?: string): T => {
    if (value === undefined) throw unexpectedWord(cursor);
    if (previous !== undefined) throw repeatsRefusal(`two ${what} are given.`, hint);
    return value;
  };
  const readTime = (bare: boolean) => {
    do {
      phrase.time = once(phrase.time, cursor.time(bare), 'times of day', EACH_TIME);
      phrase.unclearHour = isUnclear(cursor);
    } while (cursor.eat('and', '&'));
  };
  let part: string | undefined;
  let until: number | undefined;
  for (cursor.eat(','); cursor.peek() !== undefined; cursor.eat(',')) {
    const preposition = cursor.eat('at', 'by', '@', 'in');
    if (preposition === 'in') cursor.eat('the');
    if (isDayPart(cursor.peek() ?? '')) part = once(part, cursor.eat(), 'parts of the day');
    else if (preposition === 'in') throw unexpectedWord(cursor);
    else if (preposition) readTime(true);
    else if (cursor.eat(...UNTIL)) {
      cursor.eat('on');
      until = cursor.at();
      const end = readDate(cursor, { today, from, edge: 'last', anyWeekday: true });
      rule.until = once(rule.until ?? phrase.lasts, end, 'ends');
    } else if (cursor.eat('starting', 'beginning', 'from')) {
      if (cursor.eat('completion')) phrase.afterCompletion = true;
      else {
        cursor.eat('on', 'from');
        phrase.start = once(phrase.start, readDate(cursor, { today, from, edge: 'first' }), 'starts');
      }
    } else if (cursor.eat('after')) {
      if (!cursor.eat('completion', 'completing')) throw unexpectedWord(cursor);
      phrase.afterCompletion = true;
    } else {
      const lasts = readLength(cursor);
      const count = lasts ? undefined : readTimes(cursor);
      if (lasts) phrase.lasts = once(rule.until ?? phrase.lasts, lasts, 'ends');
      else if (count !== undefined) rule.count = once(rule.count, count, 'counts');
      else readTime(false);
    }
  }
  if (part) phrase.time = readPart(part, phrase.time);
  else if (phrase.time && phrase.unclearHour) throw unclearHour(phrase.time);
  if (until !== undefined) {
    // Read the end again: its year depends on the start, which is known only now.
    cursor.back(until);
    const begins = phrase.start ?? start;
    rule.until = readDate(cursor, { today, from: begins > today ? begins : today, edge: 'last' });
  }
  if ((rule.until ?? phrase.lasts) && rule.count !== undefined)
    throw repeatsRefusal('give an end date or a number of times, not both.');
}

/** Returns the time of day that is meant in a part of it: 09:00 for `morning`; none for `night`, the day itself. */
function readPart(part: string, given: Time | undefined): Time | undefined {
  const time = timeInPart(part, given);
  if (given && !time)
    throw repeatsRefusal(
      `${formatTime(given)} does not go with "${part}".`,
      'Use the 24-hour clock, such as "every day at 21:00".',
    );
  return time;
}

/** Reads `for 2 weeks`, `for the next 3 months`, `for a year`. Consumes nothing if there is no such length of time. */
function readLength(cursor: Cursor): Phrase['lasts'] {
  const start = cursor.at();
  if (!cursor.eat('for')) return undefined;
  cursor.eat('the');
  cursor.eat('next');
  const count = cursor.eat('a') ? 1 : cursor.number();
  const unit = UNITS.get(cursor.eat() ?? '');
  if (unit && count !== undefined) return { freq: unit[0], interval: unit[1] * count };
  cursor.back(start);
  return undefined;
}

/** Reads `for 10 times`, `10 times`. */
function readTimes(cursor: Cursor): number | undefined {
  const start = cursor.at();
  const counted = cursor.eat('for') !== undefined;
  const count = cursor.number();
  if (count !== undefined && cursor.eat('times', 'time', 'occurrences', 'occurrence')) return count;
  if (counted) throw unexpectedWord(cursor);
  cursor.back(start);
  return undefined;
}
