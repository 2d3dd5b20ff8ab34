import { Temporal } from 'temporal-polyfill';
import type { Repeat } from '../../db/schema.js';
import { LAST_YEAR } from '../dates/calendar.js';
import { isDay, today, type When } from '../dates/when.js';
import { daysOf, endOfPeriod, fromDay, type Rule, toDay, weekdayOf } from './occurrences.js';
import { lastingDays } from './repeat-places.js';
import { type Phrase, readPhrase } from './repeat-words.js';
import { dayBefore, RULE_HINT, readRule, writeRule } from './rrule.js';
import { sayRule } from './say-rule.js';
import { refuse } from './word-cursor.js';

export { isRepeat } from './repeat-words.js';

interface Clock {
  now: Date;
  timezone: string;
}

/** Of a series that counts, each one from the first on is looked at whenever the next is asked for. */
const MOST_TIMES = 1000;

/** Nothing is due later: an end beyond is none. */
const LAST_DAY = `${LAST_YEAR}-12-31`;

/** How long ago the first of them may be, in days. */
const LONGEST_COUNT = 25 * 366;

/** A day, with a time of day or without. */
interface Local {
  day: string;
  time?: string | undefined;
}

const read = (local: string): Local => ({ day: local.slice(0, 10), time: local.slice(11) || undefined });
const write = ({ day, time }: Local): string => (time ? `${day}T${time}` : day);

function localOf(when: When, timezone: string): Local {
  if (isDay(when)) return { day: when };
  const local = Temporal.Instant.from(when).toZonedDateTimeISO(timezone).toPlainDateTime();
  return read(local.toString({ smallestUnit: local.second === 0 ? 'minute' : 'second' }));
}

/** A time that the clocks skip is later by what they skip, and of one they show twice it is the first (RFC 5545, 3.3.5). */
function whenOf({ day, time }: Local, timezone: string): When {
  if (!time) return day;
  const instant = Temporal.PlainDateTime.from(`${day}T${time}`).toZonedDateTime(timezone).toInstant();
  return instant.toString({ fractionalSecondDigits: 3 });
}

/**
 * Reads words (`every 2 weeks on tue until june`) or a rule of RFC 5545.
 *
 * With a due date the rule starts there, and the task is due then, on the rule or not. Otherwise it is due on the first
 * day of the rule: from the day that it was due on, at the time that it had; or from the start that is said, or from
 * today on, at a time that is still to come.
 *
 * @param due the date that is given along with the rule
 * @param was the date that there was before, for a rule that is given without one
 * @throws Refusal `invalid` for what is not understood to the end, and for rules that no day fits
 */
export function parseRepeat(
  text: string,
  due: When | null,
  { now, timezone }: Clock,
  was: When | null = null,
): { repeat: Repeat; due: When } {
  const dated = due ?? was;
  const known = dated === null ? undefined : localOf(dated, timezone);
  const given = due === null ? undefined : known;
  const present = today(now, timezone).toString();
  const horizon = { today: present, from: given?.day ?? present, start: known?.day ?? present };
  const phrase = readPhrase(text, horizon);
  const { count = 1 } = phrase.rule;
  if (count < 1 || count > MOST_TIMES)
    throw refuse(`it can be 1 to ${MOST_TIMES} times.`, 'For more, say until which day.');
  if (given && phrase.start && phrase.start !== given.day)
    throw refuse(`it starts ${phrase.start}, but due is ${given.day}.`, 'Give one of them.');
  const time = phrase.time ?? known?.time;
  const start = given?.day ?? phrase.start ?? known?.day ?? present;
  const rule = named(phrase, start, time, timezone);
  const ahead = time !== undefined && (phrase.start !== undefined || !known);
  const toCome = (day: string) => !ahead || new Date(whenOf({ day, time }, timezone)) > now;
  const first = given?.day ?? firstDay(rule, ahead && start < present ? present : start, toCome);
  if (daysOf({ ...rule, until: undefined }, toDay(first)).next().done)
    throw refuse('no day fits that rule.', RULE_HINT);
  if (rule.count !== undefined && toDay(present) - toDay(first) > LONGEST_COUNT)
    throw refuse('what is counted cannot have begun that long ago.', 'Use a later due, or until instead of a count.');
  if (rule.until && rule.until < first)
    throw refuse(`it ends ${rule.until}, before the first one on ${first}.`, 'Use a later end, or an earlier due.');
  const moment = { day: first, time };
  const asItWas = known?.time !== undefined && known.day === first; // this one may be at another time than the rest
  return {
    repeat: {
      rule: writeRule(rule),
      from: phrase.afterCompletion ? 'completion' : 'due',
      anchor: write(moment),
      occurrence: write(asItWas ? known : moment),
    },
    due: dated !== null && asItWas ? dated : whenOf(moment, timezone),
  };
}

/** The rule with its days named and its end as a day, so that it means the same wherever it is later started. */
function named(phrase: Phrase, start: string, time: string | undefined, timezone: string): Rule {
  const { untilTime } = phrase;
  const rule = { ...phrase.rule };
  if (rule.until && untilTime) {
    const end = untilTime.utc
      ? localOf(`${rule.until}T${untilTime.time}.000Z`, timezone)
      : { day: rule.until, time: untilTime.time };
    rule.until = time && time > (end.time ?? '') ? dayBefore(end.day) : end.day;
  }
  if (rule.until && (rule.until.startsWith('+') || rule.until > LAST_DAY)) rule.until = undefined; // so does everything
  const free = phrase.afterCompletion && !rule.byMonth && !rule.byWeekNo;
  if (free || rule.byDay || rule.byMonthDay || rule.byYearDay || rule.freq === 'DAILY') return rule;
  const [month = 0, date = 0] = start.split('-').slice(1).map(Number);
  const byDay = [{ nth: 0, weekday: weekdayOf(toDay(start)) }];
  if (rule.freq === 'WEEKLY' || rule.byWeekNo) return { ...rule, byDay };
  const byMonth = rule.freq === 'YEARLY' ? (rule.byMonth ?? [month]) : rule.byMonth;
  if (!phrase.inWords) return { ...rule, byMonth, byMonthDay: [date] };
  return { ...rule, byMonth, ...lastingDays([date], rule.freq === 'YEARLY' ? month : undefined) };
}

/** Whether it says on which days of its weeks, months or years it falls. */
const isPlaced = ({ byMonth, byWeekNo, byYearDay, byMonthDay, byDay }: Rule): boolean =>
  Boolean(byMonth ?? byWeekNo ?? byYearDay ?? byMonthDay ?? byDay);

/**
 * Whichever week, month or year it is in: the interval is counted from this day on. So which days there are does not
 * hang on where the search begins, and it must not begin long before the first that is to come.
 */
function firstDay(rule: Rule, start: string, toCome: (day: string) => boolean): string {
  const freq = isPlaced(rule) ? rule.freq : 'DAILY';
  for (const day of daysOf({ ...rule, freq, interval: 1, until: undefined }, toDay(start)))
    if (toCome(fromDay(day))) return fromDay(day);
  throw refuse('no day fits that rule.', RULE_HINT);
}

/** How it repeats, in words that `parseRepeat` reads as the same rule: `every weekday at 09:00`. */
export const sayRepeat = (repeat: Repeat): string =>
  sayRule(readRule(repeat.rule).rule, read(repeat.anchor).time, repeat.from === 'completion');

/**
 * What follows when a task was completed or cancelled: the first of the series after the one it stands for that is
 * not past, and not before a due date it was moved to. Nothing if the series has ended.
 */
export function afterCompletion(repeat: Repeat, due: When, clock: Clock): Occurrence | null {
  const [next] = following(repeat, due, clock, today(clock.now, clock.timezone).toString());
  return next ?? null;
}

/** The next `count` dates after the one at hand, as if each were completed on its day, or now if that is past. */
export function upcoming(repeat: Repeat, due: When, clock: Clock, count = 3): When[] {
  const found: When[] = [];
  const [day, present] = [localOf(due, clock.timezone).day, today(clock.now, clock.timezone).toString()];
  // Where the clocks skip a whole day, its time is that of the day after.
  for (const next of following(repeat, due, clock, day > present ? day : present))
    if (next.due !== found.at(-1) && found.push(next.due) === count) break;
  return found;
}

/**
 * A series begun anew so many days later, at the same place in it: on the first days from then on that its rule allows.
 *
 * @param due of the task that carries it, which may have been moved off the rule
 */
export function shiftRepeat(repeat: Repeat, due: When, days: number, timezone: string): Occurrence {
  const later = (day: string) => fromDay(toDay(day) + days);
  const { rule: was } = readRule(repeat.rule);
  const rule = { ...was, until: was.until && later(was.until) };
  const shift = (local: string): Local => {
    const { day, time } = read(local);
    return { day: firstDay(rule, later(day), () => true), time };
  };
  const [anchor, occurrence, { day, time }] = [shift(repeat.anchor), shift(repeat.occurrence), localOf(due, timezone)];
  const onRule = day === read(repeat.occurrence).day;
  if (rule.until && rule.until < occurrence.day) rule.until = occurrence.day;
  return {
    repeat: { ...repeat, rule: writeRule(rule), anchor: write(anchor), occurrence: write(occurrence) },
    due: whenOf({ day: onRule ? occurrence.day : later(day), time }, timezone),
  };
}

interface Occurrence {
  repeat: Repeat;
  due: When;
}

/** @param done the day of completion */
function* following(repeat: Repeat, due: When, { now, timezone }: Clock, done: string): Generator<Occurrence, void> {
  const byCompletion = repeat.from === 'completion';
  const present = today(now, timezone).toString();
  for (const next of byCompletion ? counted(repeat, due, timezone, done) : inSeries(repeat, due, timezone, present)) {
    const when = whenOf(read(next.occurrence), timezone);
    if (byCompletion || isDay(when) || new Date(when) > now) yield { repeat: next, due: when };
  }
}

/** Those that follow in a series that goes by its due dates. */
function* inSeries(repeat: Repeat, due: When, timezone: string, notBefore: string): Generator<Repeat, void> {
  const { rule } = readRule(repeat.rule);
  const anchor = read(repeat.anchor);
  const moved = localOf(due, timezone);
  const start = toDay(anchor.day);
  const after = Math.max(start, toDay(read(repeat.occurrence).day));
  const from = Math.max(after + 1, toDay(moved.day), toDay(notBefore));
  // A series with a count is counted from its start, which is the first; any other is looked at where it is needed.
  let left = rule.count === undefined ? Number.POSITIVE_INFINITY : rule.count - 1;
  for (const day of daysOf(rule, start, rule.count === undefined ? from : start + 1)) {
    if (left-- <= 0) return;
    if (day < from) continue;
    const local = { day: fromDay(day), time: anchor.time };
    const moves = local.day === moved.day && (!local.time || !moved.time || local.time <= moved.time);
    if (!moves) yield { ...repeat, occurrence: write(local) };
  }
}

/**
 * Those that follow in a series that is counted from the day of completion, as if each were completed on its day. Where the
 * rule names days, one that is done early is not due again on the day that it was due on.
 */
function* counted(repeat: Repeat, due: When, timezone: string, done: string): Generator<Repeat, void> {
  const { rule } = readRule(repeat.rule);
  const { time } = read(repeat.anchor);
  const placed = isPlaced(rule);
  const next = placed ? onRule : later;
  const [from] = placed ? [done, localOf(due, timezone).day, read(repeat.occurrence).day].sort().reverse() : [done];
  for (let day = next(rule, from as string); day && !(rule.until && day > rule.until); day = next(rule, day)) {
    if (rule.count !== undefined && --rule.count < 1) return;
    const local = write({ day, time });
    yield { ...repeat, rule: writeRule(rule), anchor: local, occurrence: local };
  }
}

/** With days to fall on, it is the first of them in the period that is due: of two weeks on, or of the rest of this one. */
function onRule(rule: Rule, done: string): string | undefined {
  const start = toDay(done);
  const after = rule.interval > 1 ? endOfPeriod(rule, start) : start;
  const { value } = daysOf(rule, start, after + 1).next();
  return value === undefined ? undefined : fromDay(value);
}

function later({ freq, interval }: Rule, done: string): string | undefined {
  const unit = { DAILY: 'days', WEEKLY: 'weeks', MONTHLY: 'months', YEARLY: 'years' }[freq];
  const day = Temporal.PlainDate.from(done).add({ [unit]: interval });
  return day.year > 2999 ? undefined : day.toString();
}
