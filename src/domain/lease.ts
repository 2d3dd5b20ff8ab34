import { conflict, invalid, type Refusal, sayCall } from '../errors.js';
import { sayUntil } from './dates/when.js';
import { isOpenTask, openingCall, type Task } from './task.js';
import type { WriteContext } from './write.js';

/** `claude until 14:30`. */
export const holderOf = (task: Task, { now, timezone }: Pick<WriteContext, 'now' | 'timezone'>): string =>
  `${task.claimedBy} until ${task.claimedUntil && sayUntil(task.claimedUntil, now, timezone)}`;

/** Why nobody else can have a task, who has it being named. */
export const heldRefusal = (task: Task, moment: WriteContext): Refusal =>
  conflict(
    `#${task.id} is claimed by ${holderOf(task, moment)}.`,
    `Work on another: claim_task without id. If this claim is yours, give its number as claim; if that is lost, end it: ${openingCall(task.id)}.`,
  );

/** Who gives the number of a claim writes under the name that it was made with: agents of one client have names of their own. */
export function asHolder(task: Task | undefined, claim: number | undefined, moment: WriteContext): WriteContext {
  return claim !== undefined && task?.claim === claim && task.claimedBy ? { ...moment, by: task.claimedBy } : moment;
}

const LOOK = 'Look at it with get_task before you do more to it.';

/**
 * Holds a write to the claim that its caller believes to have. Numbers are compared, never clocks: who is late still
 * has the task, as long as nobody else has claimed or closed it.
 *
 * @throws Refusal `conflict` for a claim that was followed by another, `invalid` for one that never was
 */
export function refuseLate(task: Task, claim: number | undefined, moment: WriteContext): void {
  if (claim === undefined || claim === task.claim) return;
  if (task.claim === null || claim > task.claim)
    throw invalid(`#${task.id} has no claim ${claim}.`, 'Use the claim that claim_task answered for this task.');
  const [since, hint] = task.claimed
    ? [`it is claimed by ${holderOf(task, moment)}`, LOOK]
    : isOpenTask(task)
      ? ['somebody ended it, and nobody has the task now', `To go on: ${sayCall('claim_task', { id: task.id })}.`]
      : ['the task was closed since', LOOK];
  throw conflict(`Claim ${claim} on #${task.id} is over: ${since}.`, hint);
}
