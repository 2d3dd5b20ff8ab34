import { Temporal } from 'temporal-polyfill';
import { LAST_YEAR, withinRange } from '../dates/calendar.js';
import { daysOf, fromDay, type Rule, toDay } from './occurrences.js';
import { RULE_HINT } from './rrule.js';
import { repeatsRefusal } from './word-cursor.js';

/** Tells whether a rule names days of its weeks, months or years. */
export const isPlaced = ({ byMonth, byWeekNo, byYearDay, byMonthDay, byDay }: Rule): boolean =>
  Boolean(byMonth ?? byWeekNo ?? byYearDay ?? byMonthDay ?? byDay);

/**
 * Returns the first day of a rule from `start` on that `toCome` accepts, in any week, month or year: the interval is
 * counted from it. So an earlier `start` would not change the result, but only take longer.
 */
export function firstDay(rule: Rule, start: string, toCome: (day: string) => boolean = () => true): string {
  const freq = isPlaced(rule) ? rule.freq : 'DAILY';
  for (const day of daysOf({ ...rule, freq, interval: 1, until: undefined }, toDay(start)))
    if (toCome(fromDay(day))) return fromDay(day);
  throw repeatsRefusal('no day matches that rule.', RULE_HINT);
}

/** Returns the last day of a rule after one day and up to another, in any week, month or year, if there is one. */
export function lastDay(rule: Rule, after: string, to: string): string | undefined {
  let last: number | undefined;
  const from = Math.max(toDay(after) + 1, toDay(to) - 366);
  for (const day of daysOf({ ...rule, interval: 1, until: undefined }, from)) {
    if (day > toDay(to)) break;
    last = day;
  }
  return last === undefined ? undefined : fromDay(last);
}

/** Returns the day that is one interval later, undefined if that is no possible date. */
export function plus({ freq, interval }: Pick<Rule, 'freq' | 'interval'>, day: string): string | undefined {
  const unit = { DAILY: 'days', WEEKLY: 'weeks', MONTHLY: 'months', YEARLY: 'years' }[freq];
  const later = withinRange(() => Temporal.PlainDate.from(day).add({ [unit]: interval }));
  return later && later.year <= LAST_YEAR ? later.toString() : undefined;
}
