import type { Repeat } from '../../db/schema.js';
import type { When } from '../dates/clock.js';
import type { Occurrence } from './follow-series.js';
import { localOf, readLocal, whenOf, writeLocal } from './local.js';
import { fromDay, toDay } from './occurrences.js';
import { dayBefore, MAX_COUNT, readRule, writeRule } from './rrule.js';
import { firstDay, lastDay } from './rule-days.js';

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
      occurrence: writeLocal({ ...readLocal(repeat.occurrence), day: dayBefore(readLocal(repeat.occurrence).day) }),
    };
  const { rule } = readRule(repeat.rule);
  const count = rule.count && Math.min(rule.count + 1, MAX_COUNT);
  const local = writeLocal({ ...readLocal(repeat.anchor), day: localOf(due, timezone).day });
  return { ...repeat, rule: writeRule({ ...rule, count }), anchor: local, occurrence: local };
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
 * @param current of the task that carries it, which may have been moved off the rule
 * @param earlier the due dates of the tasks before it in the series
 */
export function restart(current: Occurrence, above: Move, earlier: When[], timezone: string): Occurrence {
  const { repeat, due } = current;
  const later = (day: string) => fromDay(toDay(day) + above.days);
  const { rule: was } = readRule(repeat.rule);
  const rule = { ...was, until: was.until && later(was.until) };
  const [anchor, occurrence, own] = [readLocal(repeat.anchor), readLocal(repeat.occurrence), localOf(due, timezone)];
  let begun = anchor.day;
  if (repeat.from === 'completion' && earlier[0]) {
    // Such a series has its last task as its start, and counts what is left.
    begun = localOf(earlier[0], timezone).day;
    rule.count = was.count && Math.min(was.count + earlier.length, MAX_COUNT);
  }
  const [limit, newLimit] = [localOf(above.from, timezone).day, localOf(above.to, timezone).day];
  let day = firstDay(rule, later(begun));
  if (begun <= limit && day > newLimit) day = lastDay(rule, occurrence.day, newLimit) ?? day;
  if (rule.until && rule.until < day) rule.until = day;
  const local = writeLocal({ day, time: anchor.time });
  const isMoved = begun === occurrence.day && own.day !== occurrence.day;
  const first = begun === occurrence.day ? { day: isMoved ? later(own.day) : day, time: own.time } : readLocal(local);
  return {
    repeat: { ...repeat, rule: writeRule(rule), anchor: local, occurrence: local },
    due: whenOf(first, timezone),
  };
}
