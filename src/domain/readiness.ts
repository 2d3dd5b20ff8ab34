import { startSort } from './dates/clock.js';
import { ancestors, descendants } from './family.js';
import type { Edit } from './record.js';
import type { Settled } from './settle.js';
import { isOpenTask, isUnblockedTask, type Task } from './task.js';
import type { WriteContext } from './write.js';

/** What a write means for what can be started. */
export interface ReadinessChanges {
  /** Tasks that can be started now because they no longer wait for others. */
  ready: Task[];
  /** Open tasks that were not blocked before and are now. */
  blocked: Task[];
  /** Tasks begun or completed though they wait, each with the one that is blocked or starts later: itself, or an ancestor. */
  early: [task: Task, because: Task][];
}

type Tasks = ReadonlyMap<number, Task>;

/**
 * Finds the tasks that a write made ready or blocked without editing them.
 *
 * @param was all relevant tasks as they were
 * @param now the same tasks as the write leaves them
 */
export function readinessChanges(
  was: Tasks,
  now: Tasks,
  { edits, recounted }: Settled,
  context: WriteContext,
): ReadinessChanges {
  const changed = new Set(edits.map(({ after }) => after.id));
  const others = (tasks: Task[]) =>
    [...new Set(tasks)].filter(({ id }) => !changed.has(id)).sort((a, b) => a.id - b.id);
  const waited = ({ id }: Task) => (was.get(id)?.waitsFor.length ?? 0) > 0;
  const open = recounted.filter((task) => isOpenTask(task) && !changed.has(task.id));
  const unblocked = open.filter((task) => waited(task) && task.waitsFor.length === 0);
  const unheld = recounted.filter((task) => isUnblockedTask(task) && !isUnblockedTask(was.get(task.id) as Task));
  return {
    ready: others([...unheld, ...unblocked.flatMap(({ id }) => descendants(now, id))]).filter((task) =>
      isReady(task, now, context),
    ),
    blocked: others(open.filter((task) => !waited(task) && task.waitsFor.length > 0)),
    early: edits.filter(isUnderWay).flatMap(({ after }) => {
      const waits = after.waitsFor.length > 0;
      const because = waits ? after : ancestors(now, after).find((each) => holdsBack(each, context));
      return because ? [[after, because] satisfies [Task, Task]] : [];
    }),
  };
}

/** Whether an edit begins or completes a task. */
const isUnderWay = ({ before, after }: Edit): boolean =>
  before !== null && before.status !== after.status && ['in_progress', 'completed'].includes(after.status);

const isReady = (task: Task, tasks: Tasks, context: WriteContext): boolean =>
  isUnblockedTask(task) &&
  !task.inArchivedProject &&
  !task.claimed &&
  hasStarted(task, context) &&
  !ancestors(tasks, task).some((each) => holdsBack(each, context));

/** Whether the sub-tasks of a task wait with it. */
const holdsBack = (task: Task, context: WriteContext): boolean =>
  isOpenTask(task) && (task.waitsFor.length > 0 || !hasStarted(task, context));

/** Whether a task has no start, or it was reached. */
export const hasStarted = ({ start }: Task, { now, timezone }: WriteContext): boolean =>
  start === null || startSort(start, timezone) <= now.toISOString();
