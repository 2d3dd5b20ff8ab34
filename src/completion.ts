import type { UserTx } from './db/scope.js';
import { type Fitting, fittingLabels, fittingProjects, fittingTasks } from './domain/suggest.js';

/** Offers values for what a person has begun to type. */
export type Complete = (tx: UserTx, typed: string) => Promise<Fitting<string>>;

const taskAs =
  (say: (task: { id: number; title: string }) => string): Complete =>
  async (tx, typed) => {
    const { found, ...rest } = await fittingTasks(tx, typed);
    return { ...rest, found: found.map(say) };
  };

/** `12`: for an address, which takes nothing else. */
export const taskIds = taskAs(({ id }) => String(id));

/** `#12 Buy milk`: hosts show nothing but the value, and a bare number tells nobody anything. */
export const numberedTitles = taskAs(({ id, title }) => `#${id} ${title}`);

export const projectNames: Complete = fittingProjects;
export const labelNames: Complete = fittingLabels;
