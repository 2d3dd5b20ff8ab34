import { and, eq, isNotNull, isNull, type SQL, sql } from 'drizzle-orm';
import { literalLimit } from '../db/prepared.js';
import { isOpen, projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { MAX_COUNT_EACH } from './lists/list.js';

interface ProjectSummary {
  name: string;
  /** Number of open tasks: exact up to `MAX_COUNT_EACH`, then one more. */
  open: number;
  /** Number of completed tasks, likewise; only on request. */
  completed?: number;
}

export interface ProjectList {
  projects: ProjectSummary[];
  /** Number of projects, including those beyond `SHOWN`. */
  total: number;
  /** Whether these are the archived projects. */
  archived: boolean;
}

/** Maximum number of projects in a list. */
const SHOWN = 200;

/** Lists projects by name, with the number of open tasks of each. */
export async function listProjects(
  tx: UserTx,
  { archived = false, completed = false }: { archived?: boolean | undefined; completed?: boolean | undefined } = {},
): Promise<ProjectList> {
  const count = (condition: SQL | undefined, name: string) => {
    const counted = tx.db
      .select({ one: sql`1`.as('one') })
      .from(tasks)
      .where(and(tx.mine(tasks), eq(tasks.projectId, projects.id), condition))
      .limit(literalLimit(MAX_COUNT_EACH + 1))
      .as(name);
    return sql<number>`(select count(*)::int from ${counted})`;
  };
  const rows = await tx.db
    .select({
      total: sql<number>`count(*) over ()::int`,
      name: projects.name,
      open: count(isOpen(tasks), 'open'),
      ...(completed && { completed: count(and(eq(tasks.status, 'completed'), isNull(tasks.deletedAt)), 'completed') }),
    })
    .from(projects)
    .where(
      and(
        tx.mine(projects),
        isNotNull(projects.nameKey),
        archived ? isNotNull(projects.archivedAt) : isNull(projects.archivedAt),
      ),
    )
    .orderBy(sql`${projects.nameKey} collate "C"`)
    .limit(literalLimit(SHOWN));
  return { projects: rows.map(({ total, ...project }) => project), total: rows[0]?.total ?? 0, archived };
}
