import type { Entry } from '../history.js';
import type { Recorded } from '../record.js';
import { areOfOneSeries } from '../recurrence/series.js';
import { isOpenTask, type Task } from '../task.js';

/** Whether a change closed a task that repeats, or took that back. */
export function togglesSeries({ entity, op, before, after }: Entry): boolean {
  const closes = (from: Recorded, to: Recorded) => Boolean(from.repeats) && to.repeats === null && Boolean(to.status);
  return entity === 'task' && op !== 'create' && (closes(before, after) || closes(after, before));
}

/** The closed tasks, and those that came or went with that, of a write that closed something which repeats. */
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

/** Two of a series that would be open, of which the first is in a bundle, if there are any. */
export function openTwice(bundle: ReadonlySet<number>, tasks: ReadonlyMap<number, Task>): [Task, Task] | undefined {
  const open = [...tasks.values()].filter((task) => task.repeats && isOpenTask(task));
  for (const task of open) {
    const other = bundle.has(task.id) && open.find((each) => areOfOneSeries(task, each));
    if (other) return [task, other];
  }
  return undefined;
}
