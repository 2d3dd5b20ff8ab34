import type { Entry } from '../history.js';
import type { Recorded } from '../record.js';
import { areOfOneSeries } from '../recurrence/series.js';
import { isOpenTask, type Task } from '../task.js';

/** Whether a change closed a repeating task, or undid that. */
export function togglesSeries({ entity, op, before, after }: Entry): boolean {
  const closes = (from: Recorded, to: Recorded) => Boolean(from.repeats) && to.repeats === null && Boolean(to.status);
  return entity === 'task' && op !== 'create' && (closes(before, after) || closes(after, before));
}

/**
 * Returns the ids of the repeating tasks that a write closed or reopened, and of the tasks that it created, deleted or
 * restored along with them.
 */
export function seriesGroupOf(entries: Entry[]): Set<number> {
  const turned = entries.filter(togglesSeries);
  const along = entries.filter(
    ({ entity, op, reverts }) =>
      entity === 'task' &&
      ['create', 'delete', 'restore'].includes(op) &&
      turned.some((each) => each.reverts === reverts),
  );
  return new Set([...turned, ...along].map((entry) => entry.entityId));
}

/** Finds two open repeating tasks of one series, the first of them in the given group. */
export function findTwoOpen(group: ReadonlySet<number>, tasks: ReadonlyMap<number, Task>): [Task, Task] | undefined {
  const open = [...tasks.values()].filter((task) => task.repeats && isOpenTask(task));
  for (const task of open) {
    const other = group.has(task.id) && open.find((each) => areOfOneSeries(task, each));
    if (other) return [task, other];
  }
  return undefined;
}
