import { groupBy } from '../domain/group-by.js';

/** Maximum number of tasks that an answer to a write names one by one, where the same is to be said of all. */
export const MAX_NAMED = 20;

/** Shortest run of consecutive numbers that is written as a range. */
const RUN = 4;

/** Names tasks by their numbers, runs of them as ranges: `#3, #7–#12, and 5 more`. */
export function numbers(ids: number[]): string {
  const runs: number[][] = [];
  for (const id of ids.toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last?.at(-1) === id - 1) last.push(id);
    else runs.push([id]);
  }
  const parts = runs.flatMap((run) => (run.length < RUN ? run.map((id) => [id]) : [run]));
  const left = parts.slice(MAX_NAMED).flat().length;
  return [
    ...parts.slice(0, MAX_NAMED).map((run) => (run.length === 1 ? `#${run[0]}` : `#${run[0]}–#${run.at(-1)}`)),
    ...(left > 0 ? [`and ${left} more`] : []),
  ].join(', ');
}

/**
 * Splits rows into groups of more than `MAX_NAMED` of which the same is said, and the others.
 *
 * @param said undefined for a row that stands alone
 */
export function grouped<T>(rows: T[], said: (row: T) => string | undefined): { groups: T[][]; others: T[] } {
  const groups = [...groupBy(rows, said).values()].filter(({ length }) => length > MAX_NAMED);
  const inGroups = new Set(groups.flat());
  return { groups, others: rows.filter((row) => !inGroups.has(row)) };
}
