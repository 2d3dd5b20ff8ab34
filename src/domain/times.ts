import { invalid } from '../errors.js';
import { isRepeat, parseRepeat } from './repeats.js';
import { readShift, shifted } from './shift.js';
import type { Task } from './task.js';
import { dayOf, daysBetween, isDay, parseWhen, shiftDays, startSort, type When } from './when.js';
import type { Moment } from './write.js';

type Times = Pick<Task, 'due' | 'start' | 'repeats'>;

/** The dates of a task after a patch. What recurs may be said in `due` too; moving one occurrence keeps the rule. */
export function times(
  task: Times,
  patch: Partial<Record<keyof Times | 'shift', string | undefined>>,
  moment: Moment,
  clear: ReadonlySet<string> = new Set(),
): Times {
  if (patch.shift !== undefined) {
    const amount = readShift(patch.shift);
    const move = (field: 'due' | 'start') => task[field] && shifted(task[field], amount, moment.timezone, field);
    return { due: move('due'), start: move('start'), repeats: task.repeats };
  }
  const recurring = patch.repeats ?? (patch.due && isRepeat(patch.due) ? patch.due : undefined);
  const when = (field: 'due' | 'start') => {
    const text = patch[field];
    return text && text !== recurring ? parseWhen(text, moment, field) : clear.has(field) ? null : task[field];
  };
  const [due, start] = [when('due'), when('start')];
  if (recurring) {
    const given = patch.due && patch.due !== recurring ? due : null;
    const { repeat, due: first } = given
      ? parseRepeat(recurring, given, moment)
      : firstOccurrence(recurring, clear.has('due') ? null : task.due, moment);
    return { due: first, start, repeats: repeat };
  }
  const repeats = clear.has('repeats') ? null : task.repeats;
  if (repeats && !due)
    throw invalid('A task that repeats needs a due date.', 'To end the series too, clear both due and repeats.');
  return { due, start, repeats };
}

/** A rule given without a due date starts from the one there was: on that very day if it fits, or else after it, at its time. */
function firstOccurrence(text: string, was: When | null, moment: Moment) {
  if (!was) return parseRepeat(text, null, moment);
  const first = parseRepeat(text, null, {
    ...moment,
    now: new Date(startSort(dayOf(was, moment.timezone), moment.timezone)),
  });
  const days = daysBetween(was, first.due, moment.timezone);
  if (days > 0 && (isDay(was) || !isDay(first.due))) return first;
  return parseRepeat(text, shiftDays(was, days, moment.timezone), moment);
}
