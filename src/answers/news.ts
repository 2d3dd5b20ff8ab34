import { isDeepStrictEqual } from 'node:util';
import type { Task } from '../domain/task.js';

/** What is news to a caller of a task that it wrote itself. */

/** Fields besides the title that a caller sets, with their values when unset. */
const UNSET = {
  priority: null,
  due: null,
  start: null,
  repeats: null,
  estimateMinutes: null,
  project: null,
  labels: [],
  parentId: null,
} satisfies Partial<Task>;
export type Settable = Pick<Task, keyof typeof UNSET>;

/** Unsets the fields that the caller knows already: repeating them for many tasks costs tokens. */
export const unknownOf = (task: Task, known: Settable): Task => ({
  ...task,
  completedAt: null, // known already, or now
  ...Object.fromEntries(
    Object.entries(UNSET).filter(([name]) =>
      isDeepStrictEqual(task[name as keyof Settable], known[name as keyof Settable]),
    ),
  ),
});
