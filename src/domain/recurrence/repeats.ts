import { Temporal } from 'temporal-polyfill';
import type { Repeat } from '../../db/schema.js';
import { LAST_YEAR, withinRange } from '../dates/calendar.js';
import { isDay, localTime, type TimeContext, today, type When } from '../dates/clock.js';
import { formatTime } from '../dates/time-of-day.js';
import { daysOf, endOfPeriod, fromDay, type Rule, toDay, weekdayOf } from './occurrences.js';
import { monthDaysInWords } from './repeat-places.js';
import { type Phrase, readPhrase } from './repeat-words.js';
import { dayBefore, MAX_COUNT, RULE_HINT, readRule, writeRule } from './rrule.js';
import { sayRule } from './say-rule.js';
import { repeatsRefusal } from './word-cursor.js';

export { isRepeat } from './repeat-words.js';

/** The last possible due date; a later end is dropped. */
const LAST_DAY = `${LAST_YEAR}-12-31`;

/** How long ago a counted series may have begun, in days. */
const MAX_COUNT_AGE = 25 * 366;

/** A day in the user's zone, with or without a time of day. */
interface Local {
  day: string;
  time?: string | undefined;
}

const read = (local: string): Local => ({ day: local.slice(0, 10), time: local.slice(11) || undefined });
const write = ({ day, time }: Local): string => (time ? `${day}T${time}` : day);

const localOf = (when: When, timezone: string): Local => read(localTime(when, timezone));

/** A time that the clocks skip moves later by the gap; of a repeated time it is the first (RFC 5545, 3.3.5). */
function whenOf({ day, time }: Local, timezone: string): When {
  if (!time) return day;
  const instant = Temporal.PlainDateTime.from(`${day}T${time}`).toZonedDateTime(timezone).toInstant();
  return instant.toString({ fractionalSecondDigits: 3 });
}

/**
 * Reads words (`every 2 weeks on tue until june`) or an RFC 5545 rule.
 *
 * With a due date, the rule starts there and the task is due then, whether or not the rule matches that day. Otherwise
 * the task is due on the first day of the rule on or after the stated start, or else its previous due date (at the
 * previous time), or else today. Unless it follows the previous due date, a time must be still to come.
 *
 * @param due the due date given along with the rule
 * @param was the previous due date, for a rule given without one
 * @param begins when the series may begin at the earliest, if neither a due date nor the rule tells
 * @throws Refusal `invalid` if the text is not understood completely, or no day matches the rule
 */
export function parseRepeat(
  text: string,
  due: When | null,
  context: TimeContext,
  was: When | null = null,
  begins = context.now,
): { repeat: Repeat; due: When } {
  const { timezone } = context;
  const date = due ?? was;
  const known = date === null ? undefined : localOf(date, timezone);
  const given = due === null ? undefined : known;
  const earliest = today({ now: begins, timezone }).toString();
  const horizon = { ...horizonOf(due, was, context), ...(!date && { start: earliest }) };
  const phrase = readPhrase(text, horizon);
  const { count = 1 } = phrase.rule;
  if (count < 1 || count > MAX_COUNT)
    throw repeatsRefusal(`the count must be 1 to ${MAX_COUNT}.`, 'For more, give an end date (until).');
  if (given && phrase.start && phrase.start !== given.day)
    throw repeatsRefusal(`it starts ${phrase.start}, but due is ${given.day}.`, 'Give only one of them.');
  const time = phrase.time ? formatTime(phrase.time) : known?.time;
  const start = given?.day ?? phrase.start ?? known?.day ?? earliest;
  const rule = detailed(phrase, start, time, timezone);
  const ahead = time !== undefined && (phrase.start !== undefined || !known);
  const toCome = (day: string) => !ahead || new Date(whenOf({ day, time }, timezone)) > begins;
  const first = given?.day ?? firstDay(rule, ahead && start < earliest ? earliest : start, toCome);
  if (phrase.lasts) {
    const end = plus(phrase.lasts, first);
    rule.until = end && dayBefore(end);
  }
  if (daysOf({ ...rule, until: undefined }, toDay(first)).next().done)
    throw repeatsRefusal('no day matches that rule.', RULE_HINT);
  if (rule.count !== undefined && toDay(horizon.today) - toDay(first) > MAX_COUNT_AGE)
    throw repeatsRefusal(
      'a series with a count cannot start more than 25 years ago.',
      'Use a later due date, or until instead of a count.',
    );
  if (rule.until && rule.until < first)
    throw repeatsRefusal(
      `it ends ${rule.until}, before its first day, ${first}.`,
      'Use a later end or an earlier due date.',
    );
  const moment = { day: first, time };
  const asItWas = known?.time !== undefined && known.day === first; // keeps a time that differs from the series'
  return {
    repeat: {
      rule: writeRule(rule),
      from: phrase.afterCompletion ? 'completion' : 'due',
      anchor: write(moment),
      occurrence: write(asItWas ? known : moment),
    },
    due: date !== null && asItWas ? date : whenOf(moment, timezone),
  };
}

/** Returns what the dates in a phrase are relative to, by the due date given along with it and the previous one. */
function horizonOf(due: When | null, was: When | null, context: TimeContext) {
  const present = today(context).toString();
  const dayOf = (when: When | null) => (when === null ? present : localOf(when, context.timezone).day);
  return { today: present, from: dayOf(due), start: dayOf(due ?? was) };
}

/** Returns the rule with explicit days and a day as its end, so that it no longer depends on its start. */
function detailed(phrase: Phrase, start: string, time: string | undefined, timezone: string): Rule {
  const { untilTime } = phrase;
  const rule = { ...phrase.rule };
  if (rule.until && untilTime) {
    // Where days are due, the date of the end is meant: calendars add some time in UTC.
    const end =
      untilTime.utc && time
        ? localOf(`${rule.until}T${untilTime.time}.000Z`, timezone)
        : { day: rule.until, time: untilTime.time };
    rule.until = time && time > (end.time ?? '') ? dayBefore(end.day) : end.day;
  }
  if (rule.until && (rule.until.startsWith('+') || rule.until > LAST_DAY)) rule.until = undefined; // no date is later
  const unplaced = phrase.afterCompletion && !rule.byMonth && !rule.byWeekNo;
  if (unplaced || rule.byDay || rule.byMonthDay || rule.byYearDay || rule.freq === 'DAILY') return rule;
  const [month = 0, date = 0] = start.split('-').slice(1).map(Number);
  const byDay = [{ nth: 0, weekday: weekdayOf(toDay(start)) }];
  if (rule.freq === 'WEEKLY' || rule.byWeekNo) return { ...rule, byDay };
  const byMonth = rule.freq === 'YEARLY' ? (rule.byMonth ?? [month]) : rule.byMonth;
  if (!phrase.inWords) return { ...rule, byMonth, byMonthDay: [date] };
  return { ...rule, byMonth, ...monthDaysInWords([date], rule.freq === 'YEARLY' ? month : undefined) };
}

/** Tells whether a rule names days of its weeks, months or years. */
const isPlaced = ({ byMonth, byWeekNo, byYearDay, byMonthDay, byDay }: Rule): boolean =>
  Boolean(byMonth ?? byWeekNo ?? byYearDay ?? byMonthDay ?? byDay);

/**
 * Returns the first day of a rule from `start` on that `toCome` accepts, in any week, month or year: the interval is
 * counted from it. So an earlier `start` would not change the result, but only take longer.
 */
function firstDay(rule: Rule, start: string, toCome: (day: string) => boolean): string {
  const freq = isPlaced(rule) ? rule.freq : 'DAILY';
  for (const day of daysOf({ ...rule, freq, interval: 1, until: undefined }, toDay(start)))
    if (toCome(fromDay(day))) return fromDay(day);
  throw repeatsRefusal('no day matches that rule.', RULE_HINT);
}

/** Formats a recurrence in words that `parseRepeat` reads as the same rule: `every weekday at 09:00`. */
export const sayRepeat = (repeat: Repeat): string =>
  sayRule(readRule(repeat.rule).rule, read(repeat.anchor).time, repeat.from === 'completion');

/**
 * Tells whether a text is the rule that a task has already: in the words of answers, whatever its due date, or in others
 * that mean the same rule with it. A text that states a start begins a series anew.
 *
 * @param given the due date given along with it
 * @throws Refusal as `parseRepeat`
 */
export function isSameRule(
  text: string,
  given: When | null,
  was: { due: When; repeats: Repeat },
  context: TimeContext,
) {
  const horizon = horizonOf(given, was.due, context);
  const { rule, time, afterCompletion, start, untilTime, lasts } = readPhrase(text, horizon);
  if (start) return false;
  const said = sayRepeat(was.repeats);
  if (!untilTime && !lasts && sayRule(rule, time && formatTime(time), afterCompletion) === said) return true;
  return sayRepeat(parseRepeat(text, given, context, was.due).repeat) === said;
}

/** Returns a due date of a series: a day gets the time of day of its rule. */
export const dueAtTime = (day: When, { anchor }: Repeat, timezone: string): When =>
  isDay(day) ? whenOf({ day, time: read(anchor).time }, timezone) : day;

/**
 * Returns the occurrence that follows when a task is completed or cancelled: the first one after the task's own that is
 * not past and not before the due date that the task was moved to; null if the series has ended.
 */
export function nextOccurrence(repeat: Repeat, due: When, context: TimeContext): Occurrence | null {
  const [next] = following(repeat, due, context, today(context).toString());
  return next ?? null;
}

/**
 * Counts the occurrences of a series that has an end which lie between one and the next, and so are left out.
 *
 * @param next the next occurrence; null if none is left
 */
export function skippedBefore(
  next: Pick<Occurrence, 'repeat'> | null,
  { rule: text, from, anchor, occurrence }: Repeat,
): number {
  const { rule } = readRule(text);
  if (from === 'completion' || (rule.count === undefined && !rule.until)) return 0;
  const [start, at] = [toDay(read(anchor).day), toDay(read(occurrence).day)];
  const end = next ? toDay(read(next.repeat.occurrence).day) : Number.POSITIVE_INFINITY;
  let skipped = 0;
  let left = rule.count ?? Number.POSITIVE_INFINITY;
  for (const day of daysInSeries(rule, start, rule.count === undefined ? at + 1 : start)) {
    if (left-- <= 0 || day >= end) break;
    if (day > at) skipped++;
  }
  return skipped;
}

/** Returns the next `count` due dates, as if each occurrence were completed on its day, or now if that is past. */
export function upcoming(repeat: Repeat, due: When, context: TimeContext, count = 3): When[] {
  const found: When[] = [];
  const [day, present] = [localOf(due, context.timezone).day, today(context).toString()];
  // If the zone skips a whole day, an occurrence on it coincides with that of the day after.
  for (const next of following(repeat, due, context, day > present ? day : present))
    if (next.due !== found.at(-1) && found.push(next.due) === count) break;
  return found;
}

/**
 * Returns the recurrence for a task that is to come before the one that has it, with the same start and as many still to
 * come: after it, that occurrence comes again.
 *
 * @param due of the task that is to come before
 */
export function stepBack(repeat: Repeat, due: When, timezone: string): Repeat {
  if (repeat.from === 'due')
    return {
      ...repeat,
      occurrence: write({ ...read(repeat.occurrence), day: dayBefore(read(repeat.occurrence).day) }),
    };
  const { rule } = readRule(repeat.rule);
  const count = rule.count && Math.min(rule.count + 1, MAX_COUNT);
  const local = write({ ...read(repeat.anchor), day: localOf(due, timezone).day });
  return { ...repeat, rule: writeRule({ ...rule, count }), anchor: local, occurrence: local };
}

/** Formats a recurrence as the rule that a task needs to go on from its place in the series: with the count left. */
export function sayRest(repeat: Repeat): string {
  const { rule } = readRule(repeat.rule);
  if (rule.count === undefined || repeat.from === 'completion') return sayRepeat(repeat);
  const [start, at] = [repeat.anchor, repeat.occurrence].map((local) => toDay(read(local).day)) as [number, number];
  let { count } = rule;
  for (const day of daysInSeries(rule, start, start)) if (day >= at || --count === 1) break;
  return sayRepeat({ ...repeat, rule: writeRule({ ...rule, count }) });
}

/** By how many days a task is moved, and from and to which due date: its own, or else that of the task above it. */
export interface Move {
  days: number;
  from: When;
  to: When;
}

/**
 * Begins the series of a sub-task anew where the task above it is moved: as long before or after that as the first time,
 * on a day that its rule allows.
 *
 * @param due of the task that carries it, which may have been moved off the rule
 * @param earlier the due dates of the tasks before it in the series
 */
export function restart(repeat: Repeat, due: When, above: Move, earlier: When[], timezone: string): Occurrence {
  const later = (day: string) => fromDay(toDay(day) + above.days);
  const { rule: was } = readRule(repeat.rule);
  const rule = { ...was, until: was.until && later(was.until) };
  const [anchor, occurrence, own] = [read(repeat.anchor), read(repeat.occurrence), localOf(due, timezone)];
  let begun = anchor.day;
  if (repeat.from === 'completion' && earlier[0]) {
    // Such a series has its last task as its start, and counts what is left.
    begun = localOf(earlier[0], timezone).day;
    rule.count = was.count && Math.min(was.count + earlier.length, MAX_COUNT);
  }
  const [limit, newLimit] = [localOf(above.from, timezone).day, localOf(above.to, timezone).day];
  let day = firstDay(rule, later(begun), () => true);
  if (begun <= limit && day > newLimit) day = lastDay(rule, occurrence.day, newLimit) ?? day;
  if (rule.until && rule.until < day) rule.until = day;
  const local = write({ day, time: anchor.time });
  const isMoved = begun === occurrence.day && own.day !== occurrence.day;
  const first = begun === occurrence.day ? { day: isMoved ? later(own.day) : day, time: own.time } : read(local);
  return {
    repeat: { ...repeat, rule: writeRule(rule), anchor: local, occurrence: local },
    due: whenOf(first, timezone),
  };
}

/** Returns the last day of a rule after one day and up to another, in any week, month or year, if there is one. */
function lastDay(rule: Rule, after: string, to: string): string | undefined {
  let last: number | undefined;
  const from = Math.max(toDay(after) + 1, toDay(to) - 366);
  for (const day of daysOf({ ...rule, interval: 1, until: undefined }, from)) {
    if (day > toDay(to)) break;
    last = day;
  }
  return last === undefined ? undefined : fromDay(last);
}

interface Occurrence {
  repeat: Repeat;
  due: When;
}

/** @param done the day of completion */
function* following(repeat: Repeat, due: When, context: TimeContext, done: string): Generator<Occurrence, void> {
  const { now, timezone } = context;
  const byCompletion = repeat.from === 'completion';
  const present = today(context).toString();
  for (const next of byCompletion
    ? afterDone(repeat, due, timezone, done)
    : dueSeries(repeat, due, timezone, present)) {
    const when = whenOf(read(next.occurrence), timezone);
    if (byCompletion || isDay(when) || new Date(when) > now) yield { repeat: next, due: when };
  }
}

/** Yields the days of a series from `from` on: its start, even if the rule excludes it, and those of the rule after it. */
function* daysInSeries(rule: Rule, start: number, from: number): Generator<number, void> {
  if (from <= start) yield start;
  yield* daysOf(rule, start, Math.max(from, start + 1));
}

/** Yields the later occurrences of a series that follows its due dates. */
function* dueSeries(repeat: Repeat, due: When, timezone: string, notBefore: string): Generator<Repeat, void> {
  const { rule } = readRule(repeat.rule);
  const anchor = read(repeat.anchor);
  const moved = localOf(due, timezone);
  const start = toDay(anchor.day);
  const from = Math.max(toDay(read(repeat.occurrence).day) + 1, toDay(moved.day), toDay(notBefore));
  // A counted series is iterated from its start; any other from the first day needed.
  let left = rule.count ?? Number.POSITIVE_INFINITY;
  for (const day of daysInSeries(rule, start, rule.count === undefined ? from : start)) {
    if (left-- <= 0) return;
    if (day < from) continue;
    const local = { day: fromDay(day), time: anchor.time };
    const moves = local.day === moved.day && (!local.time || !moved.time || local.time <= moved.time);
    if (!moves) yield { ...repeat, occurrence: write(local) };
  }
}

/**
 * Yields the later occurrences of a series that follows completion, as if each were completed on its day. If the rule
 * names days, a task completed early is not due again on its own due date.
 */
function* afterDone(repeat: Repeat, due: When, timezone: string, done: string): Generator<Repeat, void> {
  const { rule } = readRule(repeat.rule);
  const { time } = read(repeat.anchor);
  const placed = isPlaced(rule);
  const next = placed ? ruleDay : plus;
  const [from] = placed ? [done, localOf(due, timezone).day, read(repeat.occurrence).day].sort().reverse() : [done];
  for (let day = next(rule, from as string); day && !(rule.until && day > rule.until); day = next(rule, day)) {
    if (rule.count !== undefined && --rule.count < 1) return;
    const local = write({ day, time });
    yield { ...repeat, rule: writeRule(rule), anchor: local, occurrence: local };
  }
}

/** Returns the next day of a rule that names days: the next one if the interval is 1, else `interval` periods later. */
function ruleDay(rule: Rule, done: string): string | undefined {
  const start = toDay(done);
  const after = rule.interval > 1 ? endOfPeriod(rule, start) : start;
  const { value } = daysOf(rule, start, after + 1).next();
  return value === undefined ? undefined : fromDay(value);
}

/** Returns the day that is one interval later, undefined if that is no possible date. */
function plus({ freq, interval }: Pick<Rule, 'freq' | 'interval'>, day: string): string | undefined {
  const unit = { DAILY: 'days', WEEKLY: 'weeks', MONTHLY: 'months', YEARLY: 'years' }[freq];
  const later = withinRange(() => Temporal.PlainDate.from(day).add({ [unit]: interval }));
  return later && later.year <= LAST_YEAR ? later.toString() : undefined;
}
