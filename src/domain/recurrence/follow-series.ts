import type { Repeat } from '../../db/schema.js';
import { isDay, type TimeContext, today, type When } from '../dates/clock.js';
import { localOf, readLocal, whenOf, writeLocal } from './local.js';
import { daysOf, endOfPeriod, fromDay, type Rule, toDay } from './occurrences.js';
import { readRule, writeRule } from './rrule.js';
import { isPlaced, plus } from './rule-days.js';
import { sayRepeat } from './say-rule.js';

/** A date of a series, and the recurrence that the task due then has. */
export interface Occurrence {
  repeat: Repeat;
  due: When;
}

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
  const [start, at] = [toDay(readLocal(anchor).day), toDay(readLocal(occurrence).day)];
  const end = next ? toDay(readLocal(next.repeat.occurrence).day) : Number.POSITIVE_INFINITY;
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

/** Formats a recurrence as the rule that a task needs to go on from its place in the series: with the count left. */
export function sayRest(repeat: Repeat): string {
  const { rule } = readRule(repeat.rule);
  if (rule.count === undefined || repeat.from === 'completion') return sayRepeat(repeat);
  const [start, at] = [repeat.anchor, repeat.occurrence].map((local) => toDay(readLocal(local).day)) as [
    number,
    number,
  ];
  let { count } = rule;
  for (const day of daysInSeries(rule, start, start)) if (day >= at || --count === 1) break;
  return sayRepeat({ ...repeat, rule: writeRule({ ...rule, count }) });
}

/** @param done the day of completion */
function* following(repeat: Repeat, due: When, context: TimeContext, done: string): Generator<Occurrence, void> {
  const { now, timezone } = context;
  const byCompletion = repeat.from === 'completion';
  const present = today(context).toString();
  for (const next of byCompletion
    ? afterDone(repeat, due, timezone, done)
    : dueSeries(repeat, due, timezone, present)) {
    const when = whenOf(readLocal(next.occurrence), timezone);
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
  const anchor = readLocal(repeat.anchor);
  const moved = localOf(due, timezone);
  const start = toDay(anchor.day);
  const from = Math.max(toDay(readLocal(repeat.occurrence).day) + 1, toDay(moved.day), toDay(notBefore));
  // A counted series is iterated from its start; any other from the first day needed.
  let left = rule.count ?? Number.POSITIVE_INFINITY;
  for (const day of daysInSeries(rule, start, rule.count === undefined ? from : start)) {
    if (left-- <= 0) return;
    if (day < from) continue;
    const local = { day: fromDay(day), time: anchor.time };
    const moves = local.day === moved.day && (!local.time || !moved.time || local.time <= moved.time);
    if (!moves) yield { ...repeat, occurrence: writeLocal(local) };
  }
}

/**
 * Yields the later occurrences of a series that follows completion, as if each were completed on its day. If the rule
 * names days, a task completed early is not due again on its own due date.
 */
function* afterDone(repeat: Repeat, due: When, timezone: string, done: string): Generator<Repeat, void> {
  const { rule } = readRule(repeat.rule);
  const { time } = readLocal(repeat.anchor);
  const placed = isPlaced(rule);
  const next = placed ? ruleDay : plus;
  const [from] = placed
    ? [done, localOf(due, timezone).day, readLocal(repeat.occurrence).day].sort().reverse()
    : [done];
  for (let day = next(rule, from as string); day && !(rule.until && day > rule.until); day = next(rule, day)) {
    if (rule.count !== undefined && --rule.count < 1) return;
    const local = writeLocal({ day, time });
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
