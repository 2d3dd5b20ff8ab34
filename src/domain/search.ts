import { type SQL, sql } from 'drizzle-orm';
import { tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { invalid } from '../errors.js';
import { titleKey } from './names.js';

/** Where more tasks than this have the words, only the newest are ranked. */
export const RANKED = 500;
/** How many of a ranked list can be paged through: who has not found it by then needs other words. */
export const PAGED = 200;

/** What applies before the newest are taken: a filter that came after could leave nothing of them. */
export interface SearchFilter {
  statuses?: string[] | undefined;
  trashed: boolean;
  /** Whether tasks of archived projects count. */
  archived: boolean;
  /** The project's and the labels' keys: see `nameKey`. */
  project?: string | undefined;
  labels?: string[] | undefined;
  priority?: number | undefined;
  dueFrom?: string | undefined;
  dueUntil?: string | undefined;
  parent?: number | undefined;
  completedFrom?: string | undefined;
}

/**
 * Ids and ranks of the user's tasks that have these words, and their age, the newest being 1: a query to be
 * joined with `tasks` under both locks. Age goes one past `RANKED` where more would follow. Ranks are below
 * zero where nothing has the words, and these come near.
 */
export function searchTasks(text: string, filter: SearchFilter): SQL {
  const { statuses, trashed, archived, project, labels, priority, dueFrom, dueUntil, parent, completedFrom } = filter;
  return sql`select id, rank, row_number() over (order by id desc) as age from taskloom.search_tasks(${text}::text, ${numberIn(text)}::int, ${list(statuses)}::text[],
    ${trashed}::boolean, ${archived}::boolean, ${project ?? null}::text, ${list(labels)}::text[], ${priority ?? null}::smallint,
    ${dueFrom ?? null}::timestamptz, ${dueUntil ?? null}::timestamptz, ${parent ?? null}::int, ${completedFrom ?? null}::timestamptz)`;
}

/** Whether there is anything to look for in a text. */
export const isSearchable = (text: string): SQL<boolean> => sql`taskloom.search_query(${text}::text, true) is not null`;

export const nothingToFind = () =>
  invalid(
    'text has no word to look for.',
    'Give a word or number that the task has: -words only take away from what others find. Without text, everything is listed.',
  );

/** People look for a task by its number too. */
function numberIn(text: string): number | null {
  const digits = /^(?:#|t-|#t-?)?(\d{1,9})$/i.exec(text)?.[1];
  return digits ? Number(digits) : null;
}

/** A list as one parameter, whatever is in it. */
const list = (items: string[] | undefined) =>
  items ? `{${items.map((item) => `"${item.replace(/["\\]/g, '\\$&')}"`).join()}}` : null;

/** Open tasks that a new one may repeat: those with the same words first, then those with its two longest. */
export async function similarTasks(tx: UserTx, title: string): Promise<{ id: number; title: string }[]> {
  return tx.db
    .select({ id: tasks.id, title: tasks.title })
    .from(sql`taskloom.similar_tasks(${title}::text, ${titleKey(title)}::text) alike`)
    .innerJoin(tasks, sql`${tx.mine(tasks)} and ${tasks.id} = alike.id`)
    .orderBy(sql`alike.rank desc`, sql`alike.id desc`);
}
