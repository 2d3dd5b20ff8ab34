import { and, eq, isNotNull, isNull, type SQL, sql } from 'drizzle-orm';
import { literalLimit } from '../db/prepared.js';
import { isOpen, projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { usedLabels } from './labels.js';
import { countUpTo, MAX_COUNT_EACH } from './lists/list.js';

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
  /** Labels in use, at most `MAX_SHOWN_LABELS`; none with archived projects. */
  labels: string[];
  /** Whether there are more labels. */
  moreLabels: boolean;
}

/** Maximum number of projects in a list. */
const SHOWN = 200;

const MAX_SHOWN_LABELS = 100;

interface ProjectsInput {
  archived?: boolean | undefined;
  completed?: boolean | undefined;
}

/** Lists projects by name, with the number of open tasks of each, and the labels in use. */
export async function listProjects(tx: UserTx, input: ProjectsInput = {}): Promise<ProjectList> {
  const { archived = false } = input;
  const [projects, labels] = await Promise.all([
    projectsOf(tx, input),
    archived ? [] : usedLabels(tx, MAX_SHOWN_LABELS + 1),
  ]);
  return {
    ...projects,
    archived,
    labels: labels.slice(0, MAX_SHOWN_LABELS),
    moreLabels: labels.length > MAX_SHOWN_LABELS,
  };
}

async function projectsOf(
  tx: UserTx,
  { archived = false, completed = false }: ProjectsInput,
): Promise<Pick<ProjectList, 'projects' | 'total'>> {
  const count = (condition: SQL | undefined) =>
    countUpTo(tx, MAX_COUNT_EACH, and(eq(tasks.projectId, projects.id), condition));
  const rows = await tx.db
    .select({
      total: sql<number>`count(*) over ()::int`,
      name: projects.name,
      open: count(isOpen(tasks)),
      ...(completed && { completed: count(and(eq(tasks.status, 'completed'), isNull(tasks.deletedAt))) }),
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
  return { projects: rows.map(({ total, ...project }) => project), total: rows[0]?.total ?? 0 };
}
