import { sayCall } from '../../errors.js';
import { daysBetween, shiftDays, type When } from '../dates/when.js';
import { childrenOf } from '../family.js';
import { rankOf } from '../order.js';
import { isOpenStatus, type Task, unwritten } from '../task.js';
import type { WriteContext } from '../write.js';
import { afterCompletion, sayRepeat, shiftRepeat } from './repeats.js';

/** What closing one occurrence of a repeating task brings: the next, with its sub-tasks open again. */
export interface Next {
  task: Task;
  subtasks: Task[];
}

/**
 * The next task of a series, or nothing where the rule has come to its end.
 *
 * @param closing the task that is closed, with the rule by which it repeats and all that the same call changed
 * @param newId gives out ids of new tasks
 */
export function nextInSeries(
  closing: Task,
  tasks: ReadonlyMap<number, Task>,
  moment: WriteContext,
  newId: () => number,
): Next | undefined {
  const { repeats, due } = closing;
  if (!repeats || !due) return undefined;
  const next = afterCompletion(repeats, due, moment);
  if (!next) return undefined;
  const days = daysBetween(due, next.due, moment.timezone);
  const moved = (when: When | null) => when && shiftDays(when, days, moment.timezone);
  const family = [closing, ...lasting(tasks, closing.id)];
  const ids = new Map(family.map((task) => [task.id, newId()]));
  const [task, ...subtasks] = family.map((was): Task => {
    const id = ids.get(was.id) as number;
    const top = was === closing;
    return {
      ...was,
      id,
      status: 'pending',
      due: moved(was.due),
      start: moved(was.start),
      ...(top ? { due: next.due, repeats: next.repeat } : restarted(was, days, moment.timezone)),
      parentId: top ? was.parentId : (ids.get(was.parentId as number) as number),
      series: top ? seriesOf(was) : null,
      rank: top ? was.rank : rankOf(id),
      // Within the family they wait for each other as before; what blocked this occurrence does not block the next.
      blockedBy: was.blockedBy.flatMap((blocker) => ids.get(blocker) ?? []).sort((a, b) => a - b),
      ...unwritten(moment),
    };
  });
  return { task: task as Task, subtasks };
}

/** What all tasks of one series have in common: the id of the first of them. */
const seriesOf = ({ id, series }: Task): number => series ?? id;

/** Whether one task came of another, or both of a third, each when the one before it was closed. */
export const areOfOneSeries = (one: Task, other: Task): boolean =>
  one.id !== other.id && seriesOf(one) === seriesOf(other);

/** How to have one task of a series open, which may be closed, and not another. */
export function reopenInstead({ id, repeats }: Pick<Task, 'id' | 'repeats'>, other: Task): string {
  const rule = repeats ?? other.repeats;
  const reopen = sayCall('update_task', { ids: [id], status: 'pending', ...(rule && { repeats: sayRepeat(rule) }) });
  return `To have #${id} open instead of #${other.id}: ${reopen}, then ${sayCall('delete_task', { ids: [other.id] })}.`;
}

/** All sub-tasks that the next one gets: none that is in the trash, nor what is over of a series that goes on beside it. */
function lasting(tasks: ReadonlyMap<number, Task>, id: number): Task[] {
  const children = childrenOf(tasks, id);
  const isOver = (child: Task) =>
    !isOpenStatus(child.status) && children.some((other) => other.id > child.id && areOfOneSeries(child, other));
  return children.flatMap((child) => (child.deletedAt || isOver(child) ? [] : [child, ...lasting(tasks, child.id)]));
}

/** A series of its own, moved with the task above it. */
function restarted({ repeats, due }: Task, days: number, timezone: string): Partial<Pick<Task, 'due' | 'repeats'>> {
  if (!repeats || !due) return {};
  const { repeat, ...moved } = shiftRepeat(repeats, due, days, timezone);
  return { ...moved, repeats: repeat };
}

/** Whether a task is about to be closed that was open. */
export const isClosing = (before: Task, after: Task): boolean =>
  isOpenStatus(before.status) && !isOpenStatus(after.status) && !before.deletedAt;
