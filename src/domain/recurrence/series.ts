import type { Repeat } from '../../db/schema.js';
import { sayCall } from '../../errors.js';
import { daysBetween, shiftDays, type When } from '../dates/clock.js';
import { childrenOf } from '../family.js';
import { rankOf } from '../order.js';
import { isOpenStatus, isOpenTask, newTaskDefaults, reopenCall, type Task } from '../task.js';
import type { WriteContext } from '../write.js';
import { nextOccurrence, skippedBefore } from './follow-series.js';
import { type Move, restart, stepBack } from './move-series.js';

/** The next occurrence, created by closing a repeating task, with its sub-tasks open again. */
export interface NextOccurrence {
  task: Task;
  subtasks: Task[];
}

/** Counts the dates of a series with an end that are left out if it goes on from a task now. */
export const skippedAfter = ({ repeats, due }: Task, context: WriteContext): number =>
  repeats && due ? skippedBefore(nextOccurrence(repeats, due, context), repeats) : 0;

/**
 * Builds the next task of a series, or returns undefined if the rule has ended.
 *
 * @param closing the task being closed, with its rule and the other changes of the same call
 * @param newId returns the id for a new task
 */
export function nextInSeries(
  closing: Task,
  tasks: ReadonlyMap<number, Task>,
  context: WriteContext,
  newId: () => number,
): NextOccurrence | undefined {
  const { repeats, due } = closing;
  if (!repeats || !due) return undefined;
  const next = nextOccurrence(repeats, due, context);
  if (!next) return undefined;
  const { timezone } = context;
  const moves = new Map<number | null, Move>();
  const family = [closing, ...remaining(tasks, closing.id)];
  const ids = new Map(family.map((task) => [task.id, newId()]));
  const [task, ...subtasks] = family.map((was): Task => {
    const id = ids.get(was.id) as number;
    const isTop = was === closing;
    const [move, repeats] = isTop
      ? [moveTo(next.due, due, timezone), next.repeat]
      : moveWith(moves.get(was.parentId) as Move, was, tasks, timezone);
    moves.set(was.id, move);
    return {
      ...was,
      id,
      status: 'pending',
      due: was.due && move.to,
      start: was.start && shiftDays(was.start, move.days, timezone),
      repeats,
      parentId: isTop ? was.parentId : (ids.get(was.parentId as number) as number),
      series: isTop ? seriesOf(was) : null,
      rank: isTop ? was.rank : rankOf(id),
      // Dependencies within the family are copied; other blockers of this occurrence do not block the next.
      blockedBy: was.blockedBy.flatMap((blocker) => ids.get(blocker) ?? []).sort((a, b) => a - b),
      ...newTaskDefaults(context),
    };
  });
  return { task: task as Task, subtasks };
}

/** Tells whether the rule of a task has a next occurrence. */
export const hasNext = ({ repeats, due }: Task, context: WriteContext): boolean =>
  Boolean(repeats && due && nextOccurrence(repeats, due, context));

/** Returns the id of a task's series: that of its first task. */
const seriesOf = ({ id, series }: Task): number => series ?? id;

/** Tells whether two different tasks are occurrences of the same series. */
export const areOfOneSeries = (one: Task, other: Task): boolean =>
  one.id !== other.id && seriesOf(one) === seriesOf(other);

/**
 * Finds the task that carries a series on when the one with its rule is deleted: the latest that is open. It gets the
 * rule, unless another open one has a rule already.
 *
 * @param tasks the tasks without the deleted one
 */
export function heirOf(deleted: Task, tasks: Iterable<Task>, timezone: string): Task | undefined {
  const others = [...tasks].filter((each) => isOpenTask(each) && each.due && areOfOneSeries(deleted, each));
  const carrier = others.find((each) => each.repeats);
  const [latest] = others.sort((one, other) => other.id - one.id);
  if (carrier || !latest?.due || !deleted.repeats) return carrier;
  return { ...latest, repeats: stepBack(deleted.repeats, latest.due, timezone) };
}

/** Returns a hint: the calls that reopen a task and delete `other` of the same series, which hands its rule over. */
export const reopenInsteadHint = (id: number, other: Task): string =>
  `To have #${id} open instead of #${other.id}: ${reopenCall(id)}, then ${sayCall('delete_task', { ids: [other.id] })}.`;

/** Returns the sub-tasks to copy, at all levels, except those in the trash and closed ones whose series goes on. */
function remaining(tasks: ReadonlyMap<number, Task>, id: number): Task[] {
  const children = childrenOf(tasks, id);
  const isOver = (child: Task) =>
    !isOpenStatus(child.status) && children.some((other) => other.id > child.id && areOfOneSeries(child, other));
  return children.flatMap((child) => (child.deletedAt || isOver(child) ? [] : [child, ...remaining(tasks, child.id)]));
}

const moveTo = (to: When, from: When, timezone: string): Move => ({ days: daysBetween(from, to, timezone), from, to });

/** Returns how a sub-task moves with the task above it, and its rule: a series of its own begins anew there. */
function moveWith(
  above: Move,
  task: Task,
  tasks: ReadonlyMap<number, Task>,
  timezone: string,
): [move: Move, repeats: Repeat | null] {
  const { repeats, due } = task;
  if (!due) return [above, null];
  if (!repeats) return [{ ...above, from: due, to: shiftDays(due, above.days, timezone) }, null];
  const isEarlier = (each: Task) => each.id < task.id && !each.deletedAt && areOfOneSeries(task, each);
  const earlier = childrenOf(tasks, task.parentId as number).filter(isEarlier);
  const dates = earlier.sort((one, other) => one.id - other.id).flatMap((each) => each.due ?? []);
  const restarted = restart({ repeat: repeats, due }, above, dates, timezone);
  return [moveTo(restarted.due, due, timezone), restarted.repeat];
}

/** Tells whether an edit closes an open task. */
export const isClosing = (before: Task, after: Task): boolean =>
  isOpenStatus(before.status) && !isOpenStatus(after.status) && !before.deletedAt;
