import { and, asc, eq, sql } from 'drizzle-orm';
import { isOpen, projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { COUNTED } from './list.js';

export interface ProjectSummary {
  name: string;
  /** Exact up to `COUNTED`, then one more. */
  open: number;
}

/** How many projects a list shows. */
const SHOWN = 200;

/** Projects by name, with how many open tasks each has, and how many there are in all. */
export async function listProjects(tx: UserTx): Promise<{ projects: ProjectSummary[]; total: number }> {
  const open = tx.db
    .select({ one: sql`1`.as('one') })
    .from(tasks)
    .where(and(tx.mine(tasks), eq(tasks.projectId, projects.id), isOpen(tasks)))
    .limit(COUNTED + 1)
    .as('open');
  const rows = await tx.db
    .select({
      total: sql<number>`count(*) over ()::int`,
      name: projects.name,
      open: sql<number>`(select count(*)::int from ${open})`,
    })
    .from(projects)
    .where(tx.mine(projects))
    .orderBy(asc(projects.nameKey))
    .limit(SHOWN);
  return { projects: rows.map(({ name, open }) => ({ name, open })), total: rows[0]?.total ?? 0 };
}
