import type { UserTx } from './db/scope.js';
import { type Completions, completeTasks } from './domain/suggest.js';
import type { Titled } from './domain/task.js';

/** Returns suggestions for what a person has typed so far. */
export type Complete = (tx: UserTx, typed: string) => Promise<Completions<string>>;

const taskAs =
  (say: (task: Titled) => string): Complete =>
  async (tx, typed) => {
    const { found, ...rest } = await completeTasks(tx, typed);
    return { ...rest, found: found.map(say) };
  };

/** Suggests `12`: a resource URI takes only the id. */
export const taskIds = taskAs(({ id }) => String(id));

/** Suggests `#12 Buy milk`: hosts show only the value, and a bare number would not be recognizable. */
export const numberedTitles = taskAs(({ id, title }) => `#${id} ${title}`);
