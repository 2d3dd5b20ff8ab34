import { type Placeholder, type SQL, sql } from 'drizzle-orm';
import { arrayOf, literalLimit, preparedBy } from '../db/prepared.js';
import { dependencies, isOpenAs, projects, taskLabels, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { labelsInUse } from './labels.js';
import { nameKey } from './names.js';
import { NEIGHBOURS } from './order.js';
import type { Project } from './project.js';
import { inProject, type Task, taskColumns, tasksIn, toTask } from './task.js';

/** Tasks and names to load. Ids of tasks that do not exist are ignored. */
export interface Wanted {
  /** These tasks. */
  ids: number[];
  /** Also the tasks of the project of this name: the oldest `MAX_MERGED`, and one more if there are any. */
  inProjectNamed?: string | undefined;
  /** Also the ancestors of `ids` (and of `dependents`), to check the depth of nesting. */
  parents?: boolean | undefined;
  /** Also all descendants of these, which must be among `ids`. */
  below?: number[] | undefined;
  /** Also the tasks blocked by those of `below` or their descendants, with up to `INSIDE` of their open descendants. */
  dependents?: boolean | undefined;
  /** Also the open tasks of the same series as those of `below` and their descendants, or else of `ids`. */
  series?: boolean | undefined;
  /** Also all that these tasks (with sub-tasks) and `ids` (without) wait for, transitively, to detect cycles. */
  waits?: number[] | undefined;
  /** Also the open neighbours of this task in manual order, `NEIGHBOURS` on either side. */
  around?: number | undefined;
  descriptions?: boolean | undefined;
  /**
   * Projects by name (not merged or removed ones) or by id. If one of the names is unknown, also existing names to
   * compare it with; names of archived projects only with `archived`.
   */
  projects?: { names?: string[]; ids?: number[]; archived?: boolean } | undefined;
  /** If one of these labels is not in use, also the labels in use. */
  labels?: string[] | undefined;
}

export interface Gathered {
  tasks: Map<number, Task>;
  projects: Project[];
  /** Looks up a loaded project by its name, as `nameKey` compares it. */
  projectNamed(name: string): Project | undefined;
  projectNames: string[];
  labelNames: string[];
}

/** Maximum number of existing names loaded to compare a new name with. */
const NAMES = 500;

/** How many tasks of a project one write moves, without blocking others for too long. */
export const MAX_MERGED = 2000;

/** Maximum number of descendants of blocked tasks that are loaded, to report which of them a write makes ready. */
const INSIDE = 200;

const NOTHING: Gathered = {
  tasks: new Map(),
  projects: [],
  projectNamed: () => undefined,
  projectNames: [],
  labelNames: [],
};

/** Loads the tasks, projects and names that a write needs, in one statement. */
export async function gather(tx: UserTx, wanted: Wanted): Promise<Gathered> {
  const { ids, inProjectNamed, below = [], waits = [], around, projects: which, labels = [], ...flags } = wanted;
  const anyTasks = ids.length > 0 || inProjectNamed !== undefined;
  if (!anyTasks && !which && labels.length === 0) return NOTHING;
  const load = loadOf(wanted);
  const rows = await statement(
    {
      ...flags,
      tasks: anyTasks,
      ofProject: inProjectNamed !== undefined,
      below: below.length > 0,
      dependents: flags.dependents && below.length > 0,
      waits: waits.length > 0,
      around: around !== undefined,
      projects: which !== undefined,
      archived: which?.archived === true,
      labels: labels.length > 0,
    },
    tx,
    {
      ids: array(ids),
      inProjectNamed: inProjectNamed === undefined ? null : nameKey(inProjectNamed),
      below: array(below),
      waits: array(waits),
      around,
      names: JSON.stringify(which?.names?.map(nameKey) ?? []),
      projects: array(which?.ids ?? []),
      labels: JSON.stringify([...new Set(labels.map(nameKey))]),
    },
  );
  const found = tasksIn(rows).map((row) => toTask(row, load));
  found.sort((a, b) => a.id - b.id); // the lists in refusals must not depend on the backend
  const known = (rows[0]?.projects ?? []).map(toProject);
  const byKey = new Map(known.map(({ key, project }) => [key, project]));
  return {
    tasks: new Map(found.map((task) => [task.id, task])),
    projects: known.map(({ project }) => project),
    projectNamed: (name) => byKey.get(nameKey(name)),
    projectNames: rows[0]?.projectNames ?? [],
    labelNames: rows[0]?.labelNames ?? [],
  };
}

/** Everything that the text of the statement depends on. */
type Shape = Pick<Wanted, 'parents' | 'dependents' | 'series' | 'descriptions'> &
  Record<'tasks' | 'ofProject' | 'below' | 'waits' | 'around' | 'projects' | 'archived' | 'labels', boolean>;
type Value = (
  name: 'ids' | 'inProjectNamed' | 'below' | 'waits' | 'around' | 'names' | 'projects' | 'labels',
) => Placeholder;

const array = (numbers: number[]) => `{${numbers.join()}}`;
const loadOf = ({ descriptions }: Pick<Wanted, 'descriptions'>) => ({ descriptions, blockers: 'all' as const });

const statement = preparedBy(
  (shape: Shape) => (tx, value: Value) =>
    tx.db
      .select({
        projects: projectsOf(tx, shape, value),
        projectNames: projectNames(tx, shape, value),
        labelNames: labelNames(tx, shape, value),
        task: taskColumns(tx, loadOf(shape)),
      })
      .from(sql`(select 1) as one`)
      .leftJoin(
        tasks,
        shape.tasks
          ? sql`${tx.mine(tasks)} and ${tasks.id} = any(${selection(tx, shape, value)})`
          : sql`${tx.mine(tasks)} and false`,
      )
      .leftJoin(projects, inProject(tx)),
);

interface ProjectRow {
  id: number;
  name: string;
  name_key: string | null;
  version: number;
  archived_at: string | null;
  merged_into: number | null;
  deleted_at: string | null;
}

function projectsOf(tx: UserTx, { projects: wanted }: Shape, value: Value) {
  if (!wanted) return sql<ProjectRow[] | null>`null::json`.as('named');
  return sql<ProjectRow[] | null>`(select json_agg(json_build_object('id', p.id, 'name', p.name, 'name_key', p.name_key,
      'version', p.version, 'archived_at', p.archived_at, 'merged_into', p.merged_into, 'deleted_at', p.deleted_at) order by p.id)
    from ${projects} p where p.user_id = ${tx.userId} and (p.name_key in (select json_array_elements_text(${value('names')}::json)) or p.id = any(${arrayOf(value('projects'))})))`.as(
    'named',
  );
}

/**
 * Selects existing names to compare with, only if one of the given keys is not in use; usually all are.
 *
 * @param known selects the first key in use ≥ `given.key`: with its `order by`, every plan is a look-up in the index
 */
const unlessAll = (keys: Placeholder, known: SQL, names: SQL) => sql<string[] | null>`case
  when exists (select from json_array_elements_text(${keys}::json) as given (key) where (${known}) is distinct from given.key)
  then (select json_agg(n.name) from ${names} n) end`;

function projectNames(tx: UserTx, shape: Shape, value: Value) {
  if (!shape.projects) return sql<string[] | null>`null::json`.as('project_names');
  const user = tx.userId;
  return unlessAll(
    value('names'),
    sql`select p.name_key from ${projects} p where p.user_id = ${user} and p.name_key >= given.key order by p.name_key limit 1`,
    sql`(select p.name from ${projects} p where p.user_id = ${user} and p.name_key is not null
      ${shape.archived ? sql`` : sql`and p.archived_at is null`} order by p.id desc limit ${literalLimit(NAMES)})`,
  ).as('project_names');
}

function labelNames(tx: UserTx, shape: Shape, value: Value) {
  if (!shape.labels) return sql<string[] | null>`null::json`.as('label_names');
  const user = tx.userId;
  return unlessAll(
    value('labels'),
    sql`select l.label_key from ${taskLabels} l where l.user_id = ${user} and l.label_key >= given.key order by l.label_key limit 1`,
    sql`(select u.label as name from ${labelsInUse(tx, literalLimit(NAMES))} u)`,
  ).as('label_names');
}

function toProject(row: ProjectRow): { key: string | null; project: Project } {
  const date = (text: string | null) => (text === null ? null : new Date(text));
  return {
    key: row.name_key,
    project: {
      id: row.id,
      name: row.name,
      version: row.version,
      archivedAt: date(row.archived_at),
      mergedInto: row.merged_into,
      deletedAt: date(row.deleted_at),
    },
  };
}

/** A common table expression with its columns, `up (id, parent_id)`, and what to read its ids from, if not from it as a whole. */
type Part = [table: string, query: SQL, from?: string];

const open = isOpenAs('t');

/**
 * Returns the parts that the flags of a shape add. Each may read from those before it, and all of them from `asked`.
 *
 * @param list the ids that were asked for, as an array
 */
function partsOf({ userId: user }: UserTx, shape: Shape, value: Value, list: SQL): Part[] {
  const first = sql`array(select coalesce(a.series, a.id) from ${tasks} a where a.user_id = ${user} and a.id = any(${
    shape.below ? sql`array(select id from down)` : list
  }))`;
  const low = shape.dependents ? sql`(select id from asked union select id from dependents)` : sql`asked`;
  const neighbours = (sign: '<' | '>', direction: 'asc' | 'desc') =>
    sql`select t.id from ${tasks} t where t.user_id = ${user} and ${open}
          and (t.rank, t.id) ${sql.raw(sign)} (select r.rank, r.id from ${tasks} r where r.user_id = ${user} and r.id = ${value('around')})
          order by t.rank ${sql.raw(direction)}, t.id ${sql.raw(direction)} limit ${literalLimit(NEIGHBOURS)}`;
  const parts: (Part | false | undefined)[] = [
    shape.ofProject && [
      'members_of_project (id)',
      sql`select t.id from ${tasks} t where t.user_id = ${user} and t.project_id = (
        select p.id from ${projects} p where p.user_id = ${user} and p.name_key = ${value('inProjectNamed')})
        order by t.id limit ${literalLimit(MAX_MERGED + 1)}`,
    ],
    shape.below && [
      'down (id)',
      sql`select t.id from ${tasks} t where t.user_id = ${user} and t.id = any(${arrayOf(value('below'))})
        union select t.id from down join ${tasks} t on t.user_id = ${user} and t.parent_id = down.id`,
    ],
    shape.series && [
      'series (id)',
      sql`select t.id from ${tasks} t where t.user_id = ${user} and t.series is not null and ${open} and t.series = any(${first})
        union all select t.id from ${tasks} t where t.user_id = ${user} and ${open} and t.id = any(${first})`,
    ],
    shape.dependents && [
      'dependents (id)',
      sql`select d.blocked_id from down join ${dependencies} d on d.user_id = ${user} and d.blocker_id = down.id`,
    ],
    shape.dependents && [
      'inside (id)',
      sql`select t.id from dependents join ${tasks} t on t.user_id = ${user} and t.parent_id = dependents.id and ${open}
          union select t.id from inside join ${tasks} t on t.user_id = ${user} and t.parent_id = inside.id and ${open}`,
      `(select id from inside limit ${INSIDE}) freed`,
    ],
    shape.parents && [
      'up (id, parent_id)',
      sql`select t.id, t.parent_id from ${low} low join ${tasks} t on t.user_id = ${user} and t.id = low.id
        union select t.id, t.parent_id from up join ${tasks} t on t.user_id = ${user} and t.id = up.parent_id`,
    ],
    shape.waits && [
      // An ancestor (not `whole`) contributes its blockers, but not its other sub-tasks.
      'waits (id, whole)',
      sql`(select t.id, true from ${tasks} t where t.user_id = ${user} and t.id = any(${arrayOf(value('waits'))})
          union select id, false from asked)
        union select e.id, e.whole from waits cross join lateral (
          select d.blocker_id, true from ${dependencies} d where d.user_id = ${user} and d.blocked_id = waits.id
          union all select t.id, true from ${tasks} t where waits.whole and t.user_id = ${user} and t.parent_id = waits.id
          union all select t.parent_id, false from ${tasks} t
            where t.user_id = ${user} and t.id = waits.id and t.parent_id is not null) e (id, whole)`,
    ],
    shape.around && ['above (id)', neighbours('<', 'desc')],
    shape.around && ['below (id)', neighbours('>', 'asc')],
  ];
  return parts.filter((part) => part !== false && part !== undefined);
}

/** Selects the ids of the tasks to load, as an array. */
function selection(tx: UserTx, shape: Shape, value: Value): SQL {
  const list = arrayOf(value('ids'));
  const added = partsOf(tx, shape, value, list);
  if (added.length === 0) return list;
  const asked = sql`select t.id from ${tasks} t where t.user_id = ${tx.userId} and t.id = any(${list})`;
  const parts: Part[] = [['asked (id)', asked], ...added];
  const named = parts.map(([table, query]) => sql`${sql.raw(table)} as (${query})`);
  const ids = parts.map(([table, , from = table.slice(0, table.indexOf(' '))]) => `select id from ${from}`);
  return sql`array(with recursive ${sql.join(named, sql`, `)} ${sql.raw(ids.join(' union '))})`;
}
