import { and } from 'drizzle-orm';
import { literalLimit } from '../db/prepared.js';
import { tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { conflict, invalid, sayCall } from '../errors.js';
import { sayWhen } from './dates/clock.js';
import { gather } from './gather.js';
import { getTasks, prepareTaskQuery, type TaskDetail } from './get.js';
import { checkClaim, claimedRefusal } from './lease.js';
import { type Filter, isReady, isUnbegun } from './lists/filter.js';
import { findTasks } from './lists/list.js';
import { ORDER } from './lists/sort.js';
import { matches, nothingReady, type Obstacles, obstaclesTo } from './nothing-ready.js';
import { hasStarted } from './readiness.js';
import { settle } from './settle.js';
import { inTrash, isOpenTask, noTask, notArchived, reopenCall, type Status, type Task } from './task.js';
import { updateTasks } from './update.js';
import type { WriteCommand, WriteContext } from './write.js';

/** The task to claim: by id, or the next ready one that matches the filters. */
export interface ClaimInput extends Pick<Filter, 'text' | 'project' | 'labels' | 'priority'> {
  id?: number | undefined;
  /** Number of the claim to extend. */
  claim?: number | undefined;
  minutes?: number | undefined;
  agent?: string | undefined;
}

export interface Claimed {
  task: Task;
  /** Whether an expired claim was extended. */
  wasExpired: boolean;
  /** Full details, for a new claim only. */
  details?: TaskDetail | undefined;
}

/** Default and maximum duration of a claim, in minutes. */
const DEFAULT_CLAIM_MINUTES = 30;
export const MAX_CLAIM_MINUTES = 1440;

/**
 * Claims a task for some minutes, or extends a claim. Until it expires, the task is not handed out again; closing the
 * task ends the claim. Each new claim gets a number greater than all earlier ones of the user, needed to extend it.
 *
 * @throws Refusal `invalid` for contradictory input, `not_found` if there is nothing to claim, `conflict` if the task
 *   cannot be claimed
 */
export function claimTask({
  id,
  claim,
  minutes = DEFAULT_CLAIM_MINUTES,
  agent,
  ...filter
}: ClaimInput): WriteCommand<unknown, Claimed> {
  const filtered = Object.values(filter).some((each) => each !== undefined);
  if (id !== undefined && filtered) throw invalid('id and filters are both given.', 'Choose one.');
  if (claim === undefined) return newClaim(id, filter, minutes);
  if (id === undefined) throw invalid('claim extends a claim, but the id of its task is missing.', 'Give id too.');
  return extendClaim(id, claim, minutes, agent);
}

/** @param id the task to claim, or undefined for the next ready one that matches the filter */
function newClaim(
  id: number | undefined,
  filter: Filter,
  minutes: number,
): WriteCommand<{ task: TaskDetail | undefined; obstacles?: Obstacles }, Claimed> {
  return {
    async read(tx, _actor, now) {
      if (id !== undefined) return { task: await wholeTask(tx, id) };
      const task = await nextReady(tx, filter, now);
      return task ? { task } : { task, obstacles: await obstaclesTo(tx, filter, now) };
    },
    decide({ task, obstacles }, context) {
      if (obstacles) throw nothingReady(obstacles, context);
      if (!task) throw noTask(id as number);
      refuseClaim(task, context);
      const after = {
        ...task,
        claimed: true,
        claimedBy: context.by,
        claimedUntil: minutesAfter(context.now, minutes),
        claim: context.batch,
      };
      return {
        ...settle(new Map([[task.id, task]]), [{ after }], context),
        outcome: { task: after, wasExpired: false, details: after },
      };
    },
  };
}

function extendClaim(
  id: number,
  claim: number,
  minutes: number,
  agent: string | undefined,
): WriteCommand<Task | undefined, Claimed> {
  return {
    read: async (tx) => (await gather(tx, { ids: [id] })).tasks.get(id),
    decide(task, context) {
      if (!task) throw noTask(id);
      refuseRenewal(task, claim, context);
      const until = minutesAfter(context.now, minutes);
      const after = {
        ...task,
        claimed: true,
        claimedBy: agent ? context.by : task.claimedBy,
        claimedUntil: task.claimedUntil && task.claimedUntil > until ? task.claimedUntil : until,
      };
      return {
        ...settle(new Map([[id, task]]), [{ after }], context),
        outcome: { task: after, wasExpired: !task.claimed },
      };
    },
  };
}

const minutesAfter = (now: Date, minutes: number) => new Date(now.getTime() + minutes * 60_000);

const wholeTask = async (tx: UserTx, id: number) => (await getTasks(tx, [id])).tasks[0];

const NEXT = { status: 'open', ready: true, unbegun: true } as const;

/**
 * Finds the task to hand out next, in the order of ready lists. Skips tasks that were begun without a claim: somebody may
 * be working on them.
 */
export async function nextReady(tx: UserTx, filter: Filter, now: Date): Promise<TaskDetail | undefined> {
  if (Object.values(filter).every((each) => each === undefined)) return firstReady(tx);
  const id = await firstThatFits(tx, { ...filter, ...NEXT }, now);
  return id === undefined ? undefined : wholeTask(tx, id);
}

/** Without filters, as in most claims: finds the first ready task in one statement. */
const firstReady = prepareTaskQuery((tx) =>
  tx.db
    .select({ id: tasks.id })
    .from(tasks)
    .where(and(tx.mine(tasks), isUnbegun, isReady(tx), notArchived(tx)))
    .orderBy(...ORDER.priority)
    .limit(literalLimit(1)),
);

async function firstThatFits(tx: UserTx, ready: Filter, now: Date): Promise<number | undefined> {
  const page = await findTasks(tx, { ...ready, sort: 'priority' }, { now, limit: 1 });
  if (page.closestOnly) return undefined;
  const [next] = page.tasks;
  if (next && !page.cut) return next.id;
  if (!page.cut && !page.paused) return undefined;
  // The list was cut off or paused before it looked at all tasks, so look through all of them.
  const [first] = await tx.db
    .select({ id: tasks.id })
    .from(tasks)
    .where(matches(tx, ready, now))
    .orderBy(...ORDER.priority)
    .limit(literalLimit(1));
  return first?.id;
}

/** @throws Refusal `conflict` unless the task can be started now: open, unclaimed, unblocked and past its start */
function refuseClaim(task: TaskDetail, context: WriteContext): void {
  const { id } = task;
  refuseClosed(task);
  if (task.claimed) throw claimedRefusal(task, context);
  if (task.waitsFor.length > 0)
    throw conflict(
      `#${id} is blocked by ${task.waitsFor.map((each) => `#${each}`).join(', ')}.`,
      'Claim a task that blocks it, or the next ready one: claim_task without id.',
    );
  if (task.openSubtasks > 0) throw conflict(`#${id} has open sub-tasks.`, 'Claim those one by one.');
  if (task.start && !hasStarted(task, context))
    throw conflict(
      `#${id} starts ${sayWhen(task.start, context)}.`,
      'To begin now, change its start with update_task first.',
    );
  if (task.waitsWith)
    throw conflict(
      `#${id} is part of #${task.waitsWith}, which is blocked or starts later.`,
      `See what that waits for: ${sayCall('get_task', { ids: [task.waitsWith] })}. Or claim the next ready task: claim_task without id.`,
    );
}

/** @throws Refusal if the claim is outdated, the task is closed, or the claim was released */
function refuseRenewal(task: Task, claim: number, context: WriteContext): void {
  checkClaim(task, claim, context);
  refuseClosed(task);
  if (task.claimedBy === null)
    throw conflict(`Claim ${claim} on #${task.id} was released.`, 'To claim the task again, omit claim.');
}

function refuseClosed(task: Task): void {
  if (task.deletedAt) throw inTrash(task);
  if (!isOpenTask(task)) throw conflict(`#${task.id} is ${task.status}.`, `Reopen it first: ${reopenCall(task.id)}.`);
}

export interface Release {
  claim?: number | undefined;
  /** Note for whoever claims the task next. */
  note?: string | undefined;
  status?: Status | undefined;
}

/**
 * Releases a claimed task, and closes it in the same write if `status` says so. Without the number of the claim, this
 * is refused until the claim has expired.
 */
export function releaseTask(id: number, { claim, note, status }: Release) {
  return updateTasks([id], { status }, { claim }, { release: note === undefined ? {} : { note } });
}
