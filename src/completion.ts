import type { UserTx } from './db/scope.js';
import { type Fitting, fittingLabels, fittingProjects, fittingTasks } from './domain/suggest.js';

/** Returns suggestions for what a person has typed so far. */
export type Complete = (tx: UserTx, typed: string) => Promise<Fitting<string>>;

const taskAs =
  (say: (task: { id: number; title: string }) => string): Complete =>
  async (tx, typed) => {
    const { found, ...rest } = await fittingTasks(tx, typed);
    return { ...rest, found: found.map(say) };
  };

/** Suggests `12`: a resource URI takes only the id. */
export const taskIds = taskAs(({ id }) => String(id));

/** Suggests `#12 Buy milk`: hosts show only the value, and a bare number would not be recognizable. */
export const numberedTitles = taskAs(({ id, title }) => `#${id} ${title}`);

export const projectNames: Complete = fittingProjects;
export const labelNames: Complete = fittingLabels;
