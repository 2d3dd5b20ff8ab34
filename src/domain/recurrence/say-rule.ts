import type { Repeat } from '../../db/schema.js';
import { MONTHS, ordinal, shortName, WEEKDAYS } from '../dates/date-words.js';
import { readLocal } from './local.js';
import type { Rule } from './occurrences.js';
import { monthDaysInWords } from './repeat-places.js';
import { readRule, writeRule } from './rrule.js';

const UNITS = { DAILY: 'day', WEEKLY: 'week', MONTHLY: 'month', YEARLY: 'year' };

/** Formats a recurrence in words that `parseRepeat` reads as the same rule: `every weekday at 09:00`. */
export const sayRepeat = (repeat: Repeat): string =>
  sayRule(readRule(repeat.rule).rule, readLocal(repeat.anchor).time, repeat.from === 'completion');

/**
 * Formats a rule in English that parses to the same rule: `every 2 weeks on Tue until 30 Jun 2027`. Days that have no
 * short wording stay in RFC 5545 notation.
 */
export function sayRule(rule: Rule, time: string | undefined, afterCompletion: boolean): string {
  const { count, until, ...days } = rule;
  const [year, month, day] = until?.split('-').map(Number) ?? [];
  return [
    sayDays(rule) ?? writeRule(days),
    time && `at ${time}`,
    until && `until ${day} ${shortName(MONTHS, month ?? 1)} ${year}`,
    count !== undefined && `for ${count} ${count === 1 ? 'time' : 'times'}`,
    afterCompletion && 'after completion',
  ]
    .filter(Boolean)
    .join(' ');
}

function sayDays(rule: Rule): string | undefined {
  const { freq, interval, byMonth, byWeekNo, byYearDay, byMonthDay, byDay, bySetPos } = rule;
  const every = `every ${interval === 1 ? '' : `${interval} `}${UNITS[freq]}${interval === 1 ? '' : 's'}`;
  if (byWeekNo || byYearDay || rule.weekStart !== 1) return undefined;
  if (!byMonth && !byMonthDay && !byDay && !bySetPos) return every;
  if (freq === 'WEEKLY') {
    if (byMonth || bySetPos || !byDay) return undefined;
    const days = sayWeekdays(byDay.map(({ weekday }) => weekday));
    return interval === 1 ? `every ${days}` : `${every} on ${days}`;
  }
  if (freq === 'MONTHLY' && !byMonth) {
    const place = sayPlace(rule);
    return place && `${interval === 1 ? 'monthly' : every} on ${place}`;
  }
  if (freq !== 'YEARLY' || byMonth?.length !== 1) return undefined;
  const month = shortName(MONTHS, byMonth[0] ?? 1);
  const [date = 0, other] = byMonthDay ?? [];
  if (date > 0 && other === undefined && !byDay && !bySetPos) {
    if (month !== 'Feb' || date < 29) return `${every} on ${date} ${month}`;
    return interval === 1 && date === 29 ? 'every leap day' : undefined;
  }
  const place = sayPlace(rule, byMonth[0]);
  return place && `${every} on ${place} of ${month}`;
}

function sayWeekdays(days: number[]): string {
  if (days.join() === '1,2,3,4,5') return 'weekday';
  return days.join() === '6,7' ? 'weekend' : joinedWithAnd(days.map((day) => shortName(WEEKDAYS, day)));
}

/** Formats the days of a month: `the last Fri`, `the 1st and 15th`, `the 30th or last day`. */
function sayPlace({ byMonthDay, byDay, bySetPos }: Rule, month?: number): string | undefined {
  if (byMonthDay && byDay) return undefined;
  if (byDay) {
    if (!bySetPos)
      return byDay.every(({ nth }) => nth >= -1 && nth !== 0 && nth <= 5)
        ? `the ${joinedWithAnd(byDay.map(({ nth, weekday }) => `${ordinal(nth)} ${shortName(WEEKDAYS, weekday)}`))}`
        : undefined;
    const [nth = 0, other] = bySetPos;
    const workdays = byDay.map((day) => `${day.nth}${day.weekday}`).join() === '01,02,03,04,05';
    return workdays && other === undefined && nth >= -1 && nth <= 23 ? `the ${ordinal(nth)} weekday` : undefined;
  }
  if (!byMonthDay) return undefined;
  const late = month ? [] : [29, 30];
  for (const top of [0, ...late]) {
    const given = top ? [...byMonthDay.slice(0, (bySetPos?.length ?? 1) - 1), top] : byMonthDay;
    if (given.some((day) => day < -1 || day > (top || 28)) || !isSame(given, { byMonthDay, bySetPos }, month)) continue;
    const words = joinedWithAnd(given.map((day) => (day === -1 ? 'last day' : ordinal(day))));
    return `the ${words}${top ? ' or last day' : ''}`;
  }
  return undefined;
}

const isSame = (days: number[], rule: Pick<Rule, 'byMonthDay' | 'bySetPos'>, month?: number): boolean => {
  const { byMonthDay, bySetPos } = monthDaysInWords(days, month);
  return byMonthDay?.join() === rule.byMonthDay?.join() && bySetPos?.join() === rule.bySetPos?.join();
};

const joinedWithAnd = (words: string[]): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
