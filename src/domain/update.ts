import type { UserTx } from '../db/scope.js';
import { ancestorRefusal, childRefusal, descendants } from './family.js';
import { type Gathered, gather, type Wanted } from './gather.js';
import { changesSince, checkExpectations, checkGuard, type Guard, type LaterChange, unseenItems } from './guard.js';
import { mergePlans, type Plan, type Planner, planEach } from './judge.js';
import { attributedToHolder, checkClaim, checkReleasable } from './lease.js';
import { checkPlace, placeTarget, ranksFor } from './order.js';
import { conclude, type Outcome, type UpdateState } from './outcome.js';
import { applyPatch, type Patch, refuseContradiction } from './patch.js';
import { refuseUndated } from './patch-dates.js';
import { chooseProject, type Home } from './project.js';
import { SeriesClosings } from './recurrence/closings.js';
import { formerRules } from './recurrence/former-rules.js';
import { heirOf, isClosing } from './recurrence/series.js';
import { inTrash, isOpenStatus, isOpenTask, presentTask, type Task, UNCLAIMED } from './task.js';
import type { WriteCommand, WriteContext } from './write.js';

interface State extends UpdateState {
  since: LaterChange[];
}

async function gatherAll(tx: UserTx, wanted: Wanted, guard: Guard, opened: number[] = []): Promise<State> {
  const [gathered, since, rules] = await Promise.all([
    gather(tx, wanted),
    changesSince(tx, guard, wanted.ids),
    opened.length > 0 ? formerRules(tx, opened) : new Map(),
  ]);
  return { ...gathered, since, formerRules: rules };
}

/**
 * Applies one patch to tasks. Each task is judged separately: valid changes are written, the others reported as failed.
 *
 * @param also.release releases the claims too, with this note if there is one
 * @param also.restores whether a deleted task is restored if the patch gives it a status: `pending`, or the one it has
 * @throws Refusal `invalid` for a guard on more than one task; in `decide`, if all tasks fail
 */
export function updateTasks(
  ids: number[],
  patch: Patch,
  guard: Guard = {},
  { release, restores = false }: { release?: Pick<Task, 'note'>; restores?: boolean } = {},
): WriteCommand<State, Outcome> {
  checkGuard(guard, ids);
  const around = placeTarget(patch);
  const reopens = patch.status !== undefined && isOpenStatus(patch.status) && !patch.clear?.includes('repeats');
  return {
    read: (tx) => gatherAll(tx, wantedFor(ids, patch, release !== undefined), guard, reopens ? ids : []),
    decide(state, called) {
      const context = attributedToHolder(state.tasks.get(ids[0] as number), guard.claim, called);
      const { home, newProjects } = chooseProject(patch.project, state, context);
      const parent = patch.parent === undefined ? undefined : presentTask(state.tasks, patch.parent);
      for (const id of patch.add_blocked_by ?? []) presentTask(state.tasks, id);
      if (around !== undefined) checkPlace(state.tasks, ids, patch);
      let closings = new SeriesClosings(state.tasks, context);
      const planned = planEach(ids, state.tasks, () => {
        closings = new SeriesClosings(state.tasks, context);
        return plannerOf({ patch, guard, release, restores, home, parent, closings }, state, context);
      });
      if (patch.shift !== undefined) refuseUndated([...planned.plans.keys()].map((id) => state.tasks.get(id) as Task));
      return conclude(state, planned, context, {
        projects: newProjects,
        labels: patch.add_labels ?? [],
        blockers: patch.add_blocked_by ?? [],
        closings,
        ...(around !== undefined && {
          ranks: ranksFor(state.tasks, [...planned.plans.keys()], patch, context.nextTask),
        }),
        byHolder: guard.claim !== undefined,
        released: release !== undefined,
      });
    },
  };
}

/** Returns what must be loaded to apply a patch to tasks. */
function wantedFor(ids: number[], patch: Patch, releases: boolean): Wanted {
  const clear = new Set(patch.clear);
  const around = placeTarget(patch);
  const blockers = [...(patch.add_blocked_by ?? []), ...(patch.remove_blocked_by ?? [])];
  const movesFamily = patch.parent !== undefined || clear.has('parent');
  const movesProject = patch.project !== undefined || clear.has('project');
  const setsStatus = patch.status !== undefined;
  const closes = patch.status !== undefined && !isOpenStatus(patch.status);
  return {
    ids: [...ids, ...[patch.parent, around].filter((id) => id !== undefined), ...blockers],
    parents: setsStatus || movesFamily,
    below: setsStatus || movesFamily || movesProject ? ids : [],
    dependents: setsStatus,
    series: setsStatus && !closes,
    waits: [...(patch.add_blocked_by ?? []), ...(patch.parent === undefined ? [] : ids)],
    around,
    // Closing a repeating task copies it, description included. Notes are loaded with descriptions.
    descriptions: patch.description !== undefined || clear.has('description') || closes || releases,
    projects: patch.project === undefined ? undefined : { names: [patch.project] },
    labels: patch.add_labels,
  };
}

/** What an update does to each of its tasks. */
interface Change {
  patch: Patch;
  guard: Guard;
  release: Pick<Task, 'note'> | undefined;
  restores: boolean;
  /** The project and the parent that the patch names. */
  home: Home | undefined;
  parent: Task | undefined;
  closings: SeriesClosings;
}

/** Returns the planner of one round. It refuses tasks that cannot be changed like this. */
const plannerOf =
  ({ patch, guard, release, restores, home, parent, closings }: Change, state: State, context: WriteContext): Planner =>
  (task, together) => {
    checkClaim(task, guard.claim, context);
    if (release) checkReleasable(task, guard.claim, context);
    const restoring = restores && (patch.status === 'pending' || patch.status === task.status);
    if (task.deletedAt && !restoring) throw inTrash(task);
    const patched = applyPatch(task, patch, home, unseenItems(task, state.since), context);
    if (parent && parent.id !== task.parentId) {
      const refusal = childRefusal(parent, patched) ?? ancestorRefusal(state.tasks, task.id, parent);
      if (refusal) throw refusal;
    }
    checkExpectations(task, patched, guard, { since: state.since, timezone: context.timezone });
    const after = {
      ...patched,
      ...(release && { ...handedOn(task, patched), ...release }),
      ...(patch.status === 'pending' && released(task, guard, context)),
      ...(patch.status === 'in_progress' && begun(task, guard, context)),
    };
    if (task.deletedAt) return [after, ...restored(task, after, state)];
    const along = after.projectId === task.projectId ? [] : movedAlong(task, after, state);
    if (!isClosing(task, after)) return [after, ...along];
    return closings.close(after, along, task.parentId !== null && together.has(task.parentId));
  };

/**
 * Applies a caller's patch to tasks.
 *
 * @throws Refusal `invalid` if the patch contradicts itself or is empty
 */
export function patchTasks(ids: number[], patch: Patch, guard: Guard): WriteCommand<State, Outcome> {
  refuseContradiction(patch);
  return updateTasks(ids, patch, guard, { restores: true });
}

/**
 * Moves tasks and all their sub-tasks to the trash. Those already there keep their date of deletion. If another task of a
 * repeating one's series is open, it carries the series on.
 */
export function deleteTasks(ids: number[], guard: Guard = {}): WriteCommand<State, Outcome> {
  checkGuard(guard, ids);
  return {
    read: (tx) => gatherAll(tx, { ids, parents: true, below: ids, dependents: true, series: true }, guard),
    decide(state, called) {
      const context = attributedToHolder(state.tasks.get(ids[0] as number), guard.claim, called);
      const gone = (task: Task) => ({ ...task, deletedAt: task.deletedAt ?? context.now });
      const plan: Planner = (task) => {
        checkClaim(task, guard.claim, context);
        checkExpectations(task, gone(task), guard, { since: state.since, timezone: context.timezone });
        return [gone(task), ...descendants(state.tasks, task.id).map(gone)];
      };
      const planned = planEach(ids, state.tasks, () => plan);
      const deletions = seriesOfDeleted(state.tasks, planned.plans, context.timezone);
      return conclude(state, planned, context, { deletions, byHolder: guard.claim !== undefined });
    },
  };
}

/** Finds the open tasks with a rule that are deleted, and the tasks that carry their series on. */
function seriesOfDeleted(tasks: ReadonlyMap<number, Task>, plans: ReadonlyMap<number, Plan>, timezone: string) {
  const after = new Map([...tasks, ...mergePlans(plans)]);
  const heirs: Outcome['heirs'] = [];
  const cutShort: Task[] = [];
  for (const was of tasks.values()) {
    if (!was.repeats || !isOpenTask(was) || isOpenTask(after.get(was.id) as Task)) continue;
    const heir = heirOf(was, after.values(), timezone);
    if (!heir) cutShort.push(was);
    else if (heir !== after.get(heir.id)) {
      after.set(heir.id, heir);
      heirs.push([was, heir]);
    }
  }
  return { heirs, cutShort };
}

/** Setting status to pending releases the claim and invalidates its number: later calls by its holder are refused. */
const released = (task: Task, { claim }: Guard, { batch }: WriteContext): Partial<Task> =>
  task.claimedBy === null ? {} : { ...UNCLAIMED, claim: claim ?? batch };

/** Begins a task by hand: a claim that runs implies it already, one that has expired is over unless its holder begins. */
const begun = (task: Task, guard: Guard, context: WriteContext): Partial<Task> =>
  task.claimed ? { status: task.status } : guard.claim === undefined ? released(task, guard, context) : {};

/** Releases a claim. What was begun before it was claimed is for others to begin, too. */
const handedOn = (task: Task, { status }: Task): Partial<Task> => ({
  ...UNCLAIMED,
  ...(task.claimedBy !== null && status === 'in_progress' && { status: 'pending' }),
});

/** Restores the sub-tasks that were deleted together with their parent; those in its project follow it to a new one. */
function restored(was: Task, { projectId, project, inArchivedProject }: Task, state: Gathered): Task[] {
  return descendants(state.tasks, was.id)
    .filter((task) => task.deletedAt?.getTime() === was.deletedAt?.getTime())
    .map((task) => ({
      ...task,
      deletedAt: null,
      ...(task.projectId === was.projectId && { projectId, project, inArchivedProject }),
    }));
}

/** Moves the sub-tasks that are in the same project as their parent to its new project. */
const movedAlong = (task: Task, { projectId, project, inArchivedProject }: Task, state: Gathered): Task[] =>
  descendants(state.tasks, task.id)
    .filter((each) => each.projectId === task.projectId && !each.deletedAt)
    .map((each) => ({ ...each, projectId, project, inArchivedProject }));
