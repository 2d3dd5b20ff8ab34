import { invalid } from '../errors.js';
import { startSort } from './dates/clock.js';
import { readShift, shiftDate } from './dates/shift.js';
import { parseWhen } from './dates/when.js';
import { readLocal } from './recurrence/local.js';
import { dueAtTime, isSameRule, parseRepeat } from './recurrence/read-repeat.js';
import { isRepeat } from './recurrence/repeat-words.js';
import type { Task } from './task.js';
import type { WriteContext } from './write.js';

type Times = Pick<Task, 'due' | 'start' | 'repeats'>;

/** @throws Refusal `invalid` if none of the tasks has a date: to shift them would do nothing */
export function refuseUndated(tasks: Times[]): void {
  if (tasks.length > 0 && tasks.every(({ due, start }) => !due && !start))
    throw invalid('There is no due or start date to shift.', 'Give due instead.');
}

/**
 * Returns the dates of a task after a patch. `due` may also hold a recurrence. Moving one occurrence keeps the rule, and
 * so does giving the rule that the task has, as `get_task` shows it: the series keeps its start and its count.
 *
 * @throws Refusal `invalid` for a date, rule or shift that cannot be applied, and for a rule without a due date
 */
export function patchDates(
  task: Times,
  patch: Partial<Record<keyof Times | 'shift', string | undefined>>,
  context: WriteContext,
  clear: ReadonlySet<string> = new Set(),
): Times {
  if (patch.shift !== undefined) {
    const amount = readShift(patch.shift);
    const move = (field: 'due' | 'start') => task[field] && shiftDate(task[field], amount, context.timezone, field);
    return { due: move('due'), start: move('start'), repeats: task.repeats };
  }
  const recurring = patch.repeats ?? (patch.due && isRepeat(patch.due) ? patch.due : undefined);
  const when = (field: 'due' | 'start') => {
    const text = patch[field];
    return text && text !== recurring ? parseWhen(text, context, field) : clear.has(field) ? null : task[field];
  };
  const [due, start] = [when('due'), when('start')];
  if (recurring) {
    const given = patch.due && patch.due !== recurring ? due : null;
    const kept = clear.has('due') ? null : task.due;
    const { repeats } = task;
    if (repeats && kept && isSameRule(recurring, given, { due: kept, repeats }, context)) {
      const moved = given !== null && given !== kept;
      return { due: moved ? dueAtTime(given, repeats, context.timezone) : kept, start, repeats };
    }
    const was = patch.due === recurring ? null : kept;
    // Without a due date, a series begins at the task's start date.
    const starts = start && !given && !was ? startSort(start, context.timezone) : '';
    const begins = starts > context.now.toISOString() ? new Date(starts) : undefined;
    const { repeat, due: first } = parseRepeat(recurring, given, context, {
      was,
      time: repeats ? readLocal(repeats.anchor).time : undefined,
      begins,
    });
    return { due: first, start, repeats: repeat };
  }
  const repeats = clear.has('repeats') ? null : task.repeats;
  if (repeats && !due)
    throw invalid('A repeating task needs a due date.', 'To end the series too, clear both due and repeats.');
  return { due, start, repeats };
}
