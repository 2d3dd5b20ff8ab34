import type { Repeat } from '../../db/schema.js';
import { LAST_YEAR } from '../dates/calendar.js';
import { dueSort, isDay, type TimeContext, today, type When } from '../dates/clock.js';
import { formatTime } from '../dates/time-of-day.js';
import { type Local, localOf, readLocal, whenOf, writeLocal } from './local.js';
import { daysOf, type Rule, toDay, weekdayOf } from './occurrences.js';
import { monthDaysInWords } from './repeat-places.js';
import { type Horizon, type Phrase, readPhrase } from './repeat-words.js';
import { dayBefore, MAX_COUNT, RULE_HINT, writeRule } from './rrule.js';
import { firstDay, plus } from './rule-days.js';
import { sayRepeat, sayRule } from './say-rule.js';
import { repeatsRefusal } from './word-cursor.js';

/** The last possible due date; a later end is dropped. */
const LAST_DAY = `${LAST_YEAR}-12-31`;

/** How long ago a counted series may have begun, in days. */
const MAX_COUNT_AGE = 25 * 366;

/** Where a series begins if no due date is given along with its rule. */
interface WithoutDue {
  /** The previous due date. */
  was?: When | null;
  /** The time of day of the previous rule. */
  time?: string | undefined;
  /** When it may begin at the earliest, if not now, and neither a due date nor the rule tells. */
  begins?: Date | undefined;
}

/**
 * Reads words (`every 2 weeks on tue until june`) or an RFC 5545 rule.
 *
 * With a due date, the rule starts there and the task is due then, whether or not the rule matches that day. Otherwise
 * the task is due on the first day of the rule on or after the stated start, or else its previous due date (at the
 * previous time, unless the text has one that the previous rule has not), or else today. A time must be still to come,
 * unless the previous due date is kept or was past.
 *
 * @param due the due date given along with the rule
 * @throws Refusal `invalid` if the text is not understood completely, or no day matches the rule
 */
export function parseRepeat(
  text: string,
  due: When | null,
  context: TimeContext,
  otherwise: WithoutDue = {},
): { repeat: Repeat; due: When } {
  const { was = null, begins } = otherwise;
  const { timezone } = context;
  const date = due ?? was;
  const known = date === null ? undefined : localOf(date, timezone);
  const horizon = horizonOf(due, context, otherwise);
  const phrase = readPhrase(text, horizon);
  refuseWrongStart(phrase, due === null ? undefined : known?.day);
  const time = phrase.time && formatTime(phrase.time);
  const start = { day: phrase.start ?? horizon.start, time: time ?? known?.time };
  const rule = detailed(phrase, start, timezone);
  // A time that was given as the due date, or that one occurrence was moved to, may differ from the series'.
  const keepsTime = known?.time !== undefined && (due !== null || time === undefined || time === otherwise.time);
  const wasPast = was !== null && dueSort(was, timezone) < context.now.toISOString();
  const follows = known !== undefined && phrase.start === undefined && (keepsTime || wasPast);
  const first =
    due !== null
      ? start.day
      : follows
        ? firstDay(rule, start.day)
        : firstAhead(rule, start, context, phrase.start ? undefined : begins);
  if (phrase.lasts) {
    const end = plus(phrase.lasts, first);
    rule.until = end && dayBefore(end);
  }
  refuseUnusable(rule, first, horizon.today);
  const anchor = { day: first, time: start.time };
  const asItWas = keepsTime && known?.day === first;
  return {
    repeat: {
      rule: writeRule(rule),
      from: phrase.afterCompletion ? 'completion' : 'due',
      anchor: writeLocal(anchor),
      occurrence: writeLocal(asItWas ? known : anchor),
    },
    due: date !== null && asItWas ? date : whenOf(anchor, timezone),
  };
}

/** Returns what the dates in a phrase are relative to, by the due date given along with it. */
function horizonOf(
  due: When | null,
  { now, timezone }: TimeContext,
  { was = null, begins = now }: WithoutDue,
): Horizon {
  const dayOf = (when: When | null, otherwise: Date) =>
    when === null ? today({ now: otherwise, timezone }).toString() : localOf(when, timezone).day;
  return { today: dayOf(null, now), from: dayOf(due, begins), start: dayOf(due ?? was, begins) };
}

/** @param given the day of the due date given along with the phrase */
function refuseWrongStart({ rule: { count = 1 }, start }: Phrase, given: string | undefined): void {
  if (count < 1 || count > MAX_COUNT)
    throw repeatsRefusal(`the count must be 1 to ${MAX_COUNT}.`, 'For more, give an end date (until).');
  if (given && start && start !== given)
    throw repeatsRefusal(`it starts ${start}, but due is ${given}.`, 'Give only one of them.');
}

/** Refuses a rule without a day, that is counted from long ago, or that ends before its first day. */
function refuseUnusable(rule: Rule, first: string, present: string): void {
  if (daysOf({ ...rule, until: undefined }, toDay(first)).next().done)
    throw repeatsRefusal('no day matches that rule.', RULE_HINT);
  if (rule.count !== undefined && toDay(present) - toDay(first) > MAX_COUNT_AGE)
    throw repeatsRefusal(
      'a series with a count cannot start more than 25 years ago.',
      'Use a later due date, or until instead of a count.',
    );
  if (rule.until && rule.until < first)
    throw repeatsRefusal(
      `it ends ${rule.until}, before its first day, ${first}.`,
      'Use a later end or an earlier due date.',
    );
}

/** Returns the rule with explicit days and a day as its end, so that it no longer depends on its start. */
function detailed(phrase: Phrase, { day: start, time }: Local, timezone: string): Rule {
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

/** Returns the first day of a rule from a start on: with a time, one that is still to come and not before `begins`. */
function firstAhead(rule: Rule, { day: start, time }: Local, { now, timezone }: TimeContext, begins?: Date): string {
  if (time === undefined) return firstDay(rule, start);
  const earliest = today({ now: begins ?? now, timezone }).toString();
  return firstDay(rule, start < earliest ? earliest : start, (day) => {
    const at = new Date(whenOf({ day, time }, timezone));
    return begins ? at >= begins : at > now;
  });
}

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
  const horizon = horizonOf(given, context, { was: was.due });
  const { rule, time, afterCompletion, start, untilTime, lasts } = readPhrase(text, horizon);
  if (start) return false;
  const said = sayRepeat(was.repeats);
  if (!untilTime && !lasts && sayRule(rule, time && formatTime(time), afterCompletion) === said) return true;
  return sayRepeat(parseRepeat(text, given, context, { was: was.due }).repeat) === said;
}

/** Returns a due date of a series: a day gets the time of day of its rule. */
export const dueAtTime = (day: When, { anchor }: Repeat, timezone: string): When =>
  isDay(day) ? whenOf({ day, time: readLocal(anchor).time }, timezone) : day;
