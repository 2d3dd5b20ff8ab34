import { groupBy } from './group-by.js';
import { differences, type Edit, makesVersion } from './record.js';
import { isOpenTask, type Task, UNCLAIMED } from './task.js';
import type { WriteContext } from './write.js';

/** The state that a task is to have, and the comments to add and remove. */
export interface Proposal extends Omit<Edit, 'before'> {
  /** Whether the caller gave the number of the task's claim. */
  byHolder?: boolean;
}

export interface Settled {
  edits: Edit[];
  /** Tasks without an edit whose `waitsFor` or `openSubtasks` changed. */
  recounted: Task[];
}

/**
 * Turns proposals into edits. Drops those that change nothing, raises versions, ends claims on closed tasks, and
 * updates `waitsFor` and `openSubtasks` of blocked tasks and parents.
 *
 * @param state current tasks: those proposed; for those that open, close or move, also their parents, old and new, and
 *   the tasks that they block
 * @throws Error if a parent to recount is missing
 */
export function settle(
  state: ReadonlyMap<number, Task>,
  proposals: Iterable<Proposal>,
  { now, by, batch }: Pick<WriteContext, 'now' | 'by' | 'batch'>,
): Settled {
  const edits = [...proposals].flatMap(({ byHolder, ...proposal }): Edit[] => {
    const before = state.get(proposal.after.id) ?? null;
    const after = before ? endClaim(before, proposal.after, byHolder ? before.claim : batch) : proposal.after;
    const edit = { ...proposal, before, after };
    if (!before) return [edit];
    const changed = differences(edit);
    const fields = Object.keys({ ...changed.before, ...changed.after });
    if (fields.length === 0) return [];
    if (!fields.some(makesVersion)) return [edit];
    return [{ ...edit, after: { ...edit.after, version: before.version + 1, updatedAt: now, updatedBy: by } }];
  });

  const after = new Map(state);
  for (const edit of edits) after.set(edit.after.id, edit.after);

  const recounted = new Set<number>();
  const recount = (id: number, count: (task: Task) => Pick<Task, 'openSubtasks'> | Pick<Task, 'waitsFor'>) => {
    const task = after.get(id);
    if (!task) throw new Error(`task ${id} was not loaded, and its counts would be wrong`);
    after.set(id, { ...task, ...count(task) });
    recounted.add(id);
  };
  const isOpenNow = (task: Task, id: number) => {
    const blocker = after.get(id);
    return blocker ? isOpenTask(blocker) : task.waitsFor.includes(id);
  };
  const dependencies = [...after.values()].flatMap(({ id, blockedBy }) =>
    blockedBy.map((blocker) => ({ blocker, id })),
  );
  const blocked = groupBy(dependencies, ({ blocker }) => blocker);
  for (const { before, after: task } of edits) {
    const [was, is] = [before !== null && isOpenTask(before), isOpenTask(task)];
    if (was !== is || before?.parentId !== task.parentId) {
      if (was && before?.parentId) recount(before.parentId, ({ openSubtasks }) => ({ openSubtasks: openSubtasks - 1 }));
      if (is && task.parentId) recount(task.parentId, ({ openSubtasks }) => ({ openSubtasks: openSubtasks + 1 }));
    }
    for (const { id } of [task, ...(was === is ? [] : (blocked.get(task.id) ?? []))]) {
      const each = after.get(id) as Task;
      const waitsFor = each.blockedBy.filter((blocker) => isOpenNow(each, blocker));
      if (waitsFor.join() !== each.waitsFor.join()) recount(id, () => ({ waitsFor }));
    }
  }
  const edited = new Set(edits.map((edit) => edit.after.id));
  return {
    edits: edits.map((edit) => ({ ...edit, after: after.get(edit.after.id) as Task })),
    recounted: [...recounted].filter((id) => !edited.has(id)).map((id) => after.get(id) as Task),
  };
}

/**
 * Ends the claim on a task that is being closed or deleted.
 *
 * @param number a new claim number, so that later calls of the holder are refused; the old one if the holder closed it
 */
const endClaim = (before: Task, after: Task, number: number | null): Task =>
  before.claim === null || !isOpenTask(before) || isOpenTask(after) ? after : { ...after, ...UNCLAIMED, claim: number };

/** Returns the tasks as a write leaves them. */
export const applyEdits = (state: ReadonlyMap<number, Task>, { edits, recounted }: Settled): Map<number, Task> =>
  new Map([...state.values(), ...edits.map((edit) => edit.after), ...recounted].map((task) => [task.id, task]));
