import type { Actor } from '../db/schema.js';
import type { LockedState, UserScope, UserTx } from '../db/scope.js';
import { type Edit, isClaimOrRelease, type ProjectEdit, taskOperation } from './record.js';
import type { Task } from './task.js';

/** The decision of a write: the edits to store, and the outcome to report to the caller. */
export interface Decision<Outcome> {
  /** In order. A second edit of the same task starts from the state that the first one left. */
  edits: Edit[];
  /** Tasks of which only `waitsFor` or `openSubtasks` changes: no new version, no history entry. */
  recounted?: Task[];
  projects?: ProjectEdit[];
  /** Short name of the actor, if the claim number of the call determines it. */
  by?: string;
  outcome: Outcome;
}

/** Time, actor and next ids of a write: everything a rule may depend on besides the rows. */
export interface WriteContext
  extends Readonly<Pick<UserScope, 'timezone'>>,
    Pick<LockedState, 'now' | 'nextTask' | 'nextProject' | 'nextComment'> {
  /** Short name of the actor, see `nameOf`. */
  by: string;
  /** Sequence number of the first change of this write. It identifies the write and any claim that it makes. */
  batch: number;
}

/**
 * A write in two phases. `read` loads what the decision needs; its queries are pipelined behind the lock statement
 * without waiting for its result. `decide` is pure and runs with the lock held.
 */
export interface WriteCommand<State, Outcome> {
  read(tx: UserTx, actor: Actor, now: Date): Promise<State>;
  decide(state: State, context: WriteContext): Decision<Outcome>;
}

/** Counts the task and project edits of a write. */
export const changeCount = ({ edits, projects = [] }: Decision<unknown>): number => edits.length + projects.length;

/** Returns the undo handle of a write by its first sequence number: `u57`. */
export const handleOf = (batch: number): string => `u${batch}`;

/** Returns the undo handle of a write, or undefined if it has nothing to undo. */
export const undoHandle = (opened: LockedState, { edits, projects = [] }: Decision<unknown>): string | undefined =>
  projects.length > 0 || edits.some((edit) => !isClaimOrRelease(taskOperation(edit)))
    ? handleOf(opened.changeSeq + 1)
    : undefined;
