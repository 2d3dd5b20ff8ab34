import { type Gathered, gather } from './gather.js';
import { attributedToHolder, checkClaim, hasLapsed } from './lease.js';
import { settle } from './settle.js';
import { presentTask, type Task } from './task.js';
import type { WriteCommand } from './write.js';

export interface Commented {
  task: Task;
  /** Whether the claim that the caller named has expired. */
  lapsed: boolean;
}

/**
 * Adds a comment to a task of any status, without raising its version.
 *
 * @param claim number of the caller's claim on the task; the comment is then signed with the name of its holder
 * @throws Refusal when it decides: `not_found` for an unknown task, `conflict` for one in the trash or a claim that is
 *   over, `invalid` for a claim that never existed
 */
export function addComment(id: number, text: string, claim?: number): WriteCommand<Gathered, Commented> {
  return {
    read: (tx) => gather(tx, { ids: [id] }),
    decide(state, called) {
      const task = presentTask(state.tasks, id);
      checkClaim(task, claim, called);
      const context = attributedToHolder(task, claim, called);
      const comment = { id: context.nextComment, text, at: context.now, by: context.by };
      const commented = { added: [comment], removed: [] };
      return {
        ...settle(state.tasks, [{ after: task, commented }], context),
        by: context.by,
        outcome: { task, lapsed: claim !== undefined && hasLapsed(task) },
      };
    },
  };
}
