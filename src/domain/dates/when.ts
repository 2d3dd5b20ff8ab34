import { Temporal } from 'temporal-polyfill';
import { invalid, truncateForMessage } from '../../errors.js';
import { type DayRange, LAST_YEAR } from './calendar.js';
import { formatStamp, instantWhen, sayWhen, startOfDay, type TimeContext, todayIs, type When } from './clock.js';
import { numberOfName, WEEKDAYS } from './date-words.js';
import { readDaysOrInstant } from './read-date.js';

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
  if (result instanceof Temporal.Instant) return instantWhen(result);
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

/** The range of `dueSort` in a filter: from `from` (inclusive) to `until` (exclusive); `none` for no due date. */
export type Window = { from?: Date; until: Date } | 'none';

const WINDOWS =
  'Use overdue, today, week, none, words such as next week, a day such as 2026-11-24, or a range such as 2026-11-24..2026-11-30.';

/** No task is due on or after this day. The end of an open window: it excludes tasks without a due date. */
const AFTER_ALL = new Temporal.PlainDate(LAST_YEAR + 1, 1, 1);

/** Ways to say a window, and the same as `from..to`; the first that matches counts. */
const WORDED: [RegExp, string][] = [
  [/^week$/i, 'today..in 6 days'],
  [/^(?:by|before|until|till|through|up to|(?:no|not) later than) /i, '..'],
  [/^(.+) at the latest$/i, '..$1'],
  [/^within /i, 'today..in '],
  [/^between (.+?) and /i, '$1..'],
  [/^(?:from )?(.+?) (?:to|until|till|through) /i, '$1..'],
  [/^(?:from|after) (.+?)(?: on)?$/i, '$1..'],
];

const WEEK = { days: 7 };

/** `overdue` together with other days. */
const OVERDUE_AND = /^overdue(?:, ?| or | and )(.+)|(.+?)(?:, ?| or | and )overdue$/i;

/**
 * Reads the `due` filter: `overdue`, `none`, `week` (the 7 days from today), days in ISO 8601 or in words, or
 * `from..to`, both inclusive and one of them optional. "By friday" has no start, "within 3 days" starts today, and
 * "before friday" leaves it out. Days that include today may be joined with `overdue`.
 *
 * @throws Refusal `invalid` if the text cannot be read or is ambiguous, or the window ends before it starts
 */
export function parseWindow(text: string, context: TimeContext): Window {
  const { now, timezone } = context;
  const said = text.trim().replace(/\s+/g, ' ');
  const word = said.toLowerCase();
  if (word === 'none') return 'none';
  if (word === 'overdue') return { until: now };
  const [, after, before = after] = OVERDUE_AND.exec(said) ?? [];
  const other = before ? parseWindow(before, context) : 'none';
  if (other !== 'none' && (!other.from || other.from <= now) && other.until > now) return { until: other.until };
  const [worded, range = ''] = WORDED.find(([pattern]) => pattern.test(said)) ?? [/^/];
  const [from = '', to = from, ...more] = said.replace(worded, range).split('..').map(trimmed);
  const [first, last] = [from, to].map((end) => (end ? readDaysOrInstant(end, context, 'due', 'either') : null));
  if (!isDays(first) || !isDays(last) || !(first ?? last) || more.length > 0)
    throw invalid(`due: "${truncateForMessage(text)}" is not a range of days.`, `${WINDOWS} ${todayIs(context)}`);
  if (first && last && Temporal.PlainDate.compare(first.first, last.last) > 0)
    throw [from, to].every((end) => numberOfName(WEEKDAYS, end.toLowerCase()))
      ? invalid(
          `due: "${truncateForMessage(text)}" can mean ${first.first.subtract(WEEK)}..${last.last} or ${first.first}..${last.last.add(WEEK)}.`,
          'Use one of these ranges.',
        )
      : invalid(`due: ${first.first} is after ${last.last}.`, WINDOWS);
  const begin = word.startsWith('after ') ? first?.last.add({ days: 1 }) : first?.first;
  const end = word.startsWith('before ') ? last?.first : last?.last.add({ days: 1 });
  return { ...(begin && { from: startOfDay(begin, timezone) }), until: startOfDay(end ?? AFTER_ALL, timezone) };
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
