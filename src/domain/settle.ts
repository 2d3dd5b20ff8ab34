import { differences, type Edit, makesVersion } from './record.js';
import { isOpenTask, type Task, UNCLAIMED } from './task.js';
import type { WriteContext } from './write.js';

/** What a task is to become; with `commented`, the comments that come and go. */
export interface Proposal extends Omit<Edit, 'before'> {
  /** Whether it comes from who holds the claim, as far as its number tells. */
  held?: boolean;
}

export interface Settled {
  edits: Edit[];
  /** Tasks that were not edited, but for what they wait for. */
  counted: Task[];
}

/**
 * Makes edits of proposals. Those that change nothing are dropped; versions rise; the claims of what is closed end;
 * parents and blocked tasks learn what has become of what they wait for.
 *
 * @param state tasks as they are: all that are proposed, their parents, and those that they block
 */
export function settle(
  state: ReadonlyMap<number, Task>,
  proposals: Iterable<Proposal>,
  { now, by, batch }: Pick<WriteContext, 'now' | 'by' | 'batch'>,
): Settled {
  const edits = [...proposals].flatMap(({ held, ...proposal }): Edit[] => {
    const before = state.get(proposal.after.id) ?? null;
    const after = before ? endClaim(before, proposal.after, held ? before.claim : batch) : proposal.after;
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

  const counted = new Set<number>();
  const change = (id: number, fields: Partial<Task>) => {
    const task = after.get(id);
    if (!task) return;
    after.set(id, { ...task, ...fields });
    counted.add(id);
  };
  const isOpenNow = (task: Task, id: number) => {
    const blocker = after.get(id);
    return blocker ? isOpenTask(blocker) : task.waitsFor.includes(id);
  };
  const blocked = dependentsOf(after);
  for (const { before, after: task } of edits) {
    const [was, is] = [before !== null && isOpenTask(before), isOpenTask(task)];
    if (was !== is || before?.parentId !== task.parentId) {
      if (was && before?.parentId)
        change(before.parentId, { openSubtasks: (after.get(before.parentId)?.openSubtasks ?? 0) - 1 });
      if (is && task.parentId)
        change(task.parentId, { openSubtasks: (after.get(task.parentId)?.openSubtasks ?? 0) + 1 });
    }
    for (const { id } of [task, ...(was === is ? [] : (blocked.get(task.id) ?? []))]) {
      const each = after.get(id) as Task;
      const waitsFor = each.blockedBy.filter((blocker) => isOpenNow(each, blocker));
      if (waitsFor.join() !== each.waitsFor.join()) change(id, { waitsFor });
    }
  }
  const edited = new Set(edits.map((edit) => edit.after.id));
  return {
    edits: edits.map((edit) => ({ ...edit, after: after.get(edit.after.id) as Task })),
    counted: [...counted].filter((id) => !edited.has(id)).map((id) => after.get(id) as Task),
  };
}

/**
 * Work on what is closed or thrown away is over.
 *
 * @param number a new one, unless it was the holder who closed it: what they may still send is then told to be late
 */
const endClaim = (before: Task, after: Task, number: number | null): Task =>
  before.claim === null || !isOpenTask(before) || isOpenTask(after) ? after : { ...after, ...UNCLAIMED, claim: number };

function dependentsOf(tasks: ReadonlyMap<number, Task>): Map<number, Task[]> {
  const index = new Map<number, Task[]>();
  for (const task of tasks.values())
    for (const blocker of task.blockedBy) {
      const blocked = index.get(blocker);
      if (blocked) blocked.push(task);
      else index.set(blocker, [task]);
    }
  return index;
}

/** Tasks as a write leaves them. */
export const settled = (state: ReadonlyMap<number, Task>, { edits, counted }: Settled): Map<number, Task> =>
  new Map([...state.values(), ...edits.map((edit) => edit.after), ...counted].map((task) => [task.id, task]));
