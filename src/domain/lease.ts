import { conflict, invalid, type Refusal, sayCall } from '../errors.js';
import { sayStamp, sayUntil, type TimeContext } from './dates/clock.js';
import { inTrash, isOpenTask, reopenCall, type Task } from './task.js';
import type { WriteContext } from './write.js';

/** Returns holder and end of a claim: `claude until 14:30`. */
export const holderOf = (task: Task, context: TimeContext): string =>
  `${task.claimedBy} until ${task.claimedUntil && sayUntil(task.claimedUntil, context)}`;

/** Returns the number of the claim on a task if this is its holder, who may have lost it. */
export const claimOf = (task: Task, name: string): number | undefined =>
  task.claimed && task.claimedBy === name && task.claim !== null ? task.claim : undefined;

/** Builds the refusal of a claim on a task that is already claimed. */
export const claimedRefusal = (task: Task, context: WriteContext): Refusal =>
  conflict(
    `#${task.id} is claimed by ${holderOf(task, context)}.`,
    `Work on another: claim_task without id. If this claim is yours, give its number as claim: get_task shows it to ${task.claimedBy}. If the number is lost, end the claim: ${reopenCall(task.id)}.`,
  );

/** Attributes a write with a claim number to the claim's holder, since agents of one client use different names. */
export function attributedToHolder(
  task: Task | undefined,
  claim: number | undefined,
  context: WriteContext,
): WriteContext {
  return claim !== undefined && task?.claim === claim && task.claimedBy ? { ...context, by: task.claimedBy } : context;
}

const READ_FIRST = 'Read it with get_task before you change it again.';

/**
 * Checks the claim number that a caller gave. Compares numbers, never clocks: an expired claim still holds until
 * someone else claims or closes the task.
 *
 * @throws Refusal `conflict` for a claim that is over, `invalid` for one that never existed
 */
export function checkClaim(task: Task, claim: number | undefined, context: WriteContext): void {
  if (claim === undefined || claim === task.claim) return;
  if (task.claim === null || claim > task.claim)
    throw invalid(`#${task.id} has no claim ${claim}.`, 'Use the claim number that claim_task returned for this task.');
  const [now, hint] = task.claimed
    ? [`claimed by ${holderOf(task, context)}`, READ_FIRST]
    : isOpenTask(task)
      ? ['unclaimed', `To continue: ${sayCall('claim_task', { id: task.id })}.`]
      : [task.deletedAt ? 'in the trash' : task.status, READ_FIRST];
  throw conflict(`Claim ${claim} on #${task.id} is over: the task is ${now} now.`, hint);
}

/** @throws Refusal for a deleted task; without the number of its claim, also for one that is claimed or closed */
export function checkReleasable(task: Task, claim: number | undefined, context: WriteContext): void {
  if (task.deletedAt) throw inTrash(task);
  if (!isOpenTask(task) && claim === undefined)
    throw conflict(
      `#${task.id} is ${task.status}: last changed by ${task.updatedBy}, ${sayStamp(task.updatedAt, context)}.`,
      `add_comment adds to it all the same. To reopen it: ${reopenCall(task.id)}.`,
    );
  if (task.claimed && claim === undefined)
    throw conflict(
      `#${task.id} is claimed by ${holderOf(task, context)}.`,
      `If that is you, give your claim number. If the holder is gone, release it: ${reopenCall(task.id)}.`,
    );
}

/** Whether the claim on an open task has expired, and nobody has claimed the task since. */
export const hasLapsed = (task: Task): boolean => isOpenTask(task) && task.claimedBy !== null && !task.claimed;
