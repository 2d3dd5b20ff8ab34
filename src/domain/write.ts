import { getTableColumns, type SQL, sql } from 'drizzle-orm';
import { PgDialect, type PgTable } from 'drizzle-orm/pg-core';
import {
  type Actor,
  changes as changeLog,
  comments,
  counters,
  dependencies,
  projects,
  requests,
  taskLabels,
  tasks,
} from '../db/schema.js';
import type { LockedState, UserScope, UserTx } from '../db/scope.js';
import { dueSort, isDay, startSort, type When } from './dates/when.js';
import { nameKey, titleKey } from './names.js';
import { isGone, type Project } from './project.js';
import {
  blockerChanges,
  type Comment,
  differences,
  type Edit,
  isClaimOrRelease,
  labelChanges,
  type ProjectEdit,
  projectDifferences,
  projectOperation,
  taskOperation,
} from './record.js';
import { PRIORITIES, type Task } from './task.js';

/** The decision of a write: the edits to store, and the outcome to report to the caller. */
export interface Decision<Outcome> {
  /** In order. A second edit of the same task starts from the state that the first one left. */
  edits: Edit[];
  /** Tasks of which only `waitsFor` or `openSubtasks` changes: no new version, no history entry. */
  counted?: Task[];
  projects?: ProjectEdit[];
  /** Short name of the actor, if the claim number of the call determines it. */
  by?: string;
  outcome: Outcome;
}

/** Time, actor and next ids of a write: everything a rule may depend on besides the rows. */
export interface WriteContext extends UserScope, Pick<LockedState, 'now' | 'nextTask' | 'nextProject' | 'nextComment'> {
  /** Short name of the actor, see `nameOf`. */
  by: string;
  /** Sequence number of the first change of this write. It identifies the write and any claim that it makes. */
  batch: number;
}

/**
 * A write in two phases. `read` loads what the decision needs; its queries are pipelined behind the lock statement
 * without waiting for its result. `decide` is pure and runs with the lock held.
 */
export interface WriteCommand<State, Outcome> {
  read(tx: UserTx, actor: Actor, now: Date): Promise<State>;
  decide(state: State, moment: WriteContext): Decision<Outcome>;
}

/** Data that a write records besides the rows. */
export interface Recording {
  actor: Actor;
  /** Random id of this call (UUID). */
  call: string;
  request?: { key: string; fingerprint: string; answer: Record<string, unknown>; relayed?: boolean } | undefined;
}

/** Counts the task and project edits of a write. */
export const changeCount = ({ edits, projects = [] }: Decision<unknown>): number => edits.length + projects.length;

/** Returns the undo handle of a write (`u57`: its first sequence number), or undefined if it has nothing to undo. */
export const undoHandle = (opened: LockedState, { edits, projects = [] }: Decision<unknown>): string | undefined =>
  projects.length > 0 || edits.some((edit) => !isClaimOrRelease(taskOperation(edit)))
    ? `u${opened.changeSeq + 1}`
    : undefined;

const dialect = new PgDialect();

/**
 * Builds the one statement that stores a decision: rows, change log, counters and the answer for its request_id. No
 * other code writes user-owned tables. Returns undefined if there is nothing to write.
 */
export function writeStatement(
  scope: UserScope,
  opened: LockedState,
  decision: Decision<unknown>,
  recording: Recording,
): { text: string; params: unknown[] } | undefined {
  const whole = wholeEdits(decision);
  const created = whole.filter((edit) => !edit.before).map((edit) => edit.after);
  const updated = whole.filter((edit) => edit.before);
  const counted = (decision.counted ?? []).filter((task) => !whole.some((edit) => edit.after.id === task.id));
  const projectsWhole = wholeProjects(decision);
  const made = projectsWhole.filter((edit) => !edit.before);
  const changed = projectsWhole.filter((edit) => edit.before);
  const newRemarks = decision.edits.flatMap(
    (edit) => edit.commented?.added.map((each) => commentRow(edit, each)) ?? [],
  );
  const log = changeRows(opened, decision, recording);
  const user = sql`${scope.userId}::uuid`;
  const rowOf = (task: Task) => taskRow(task, scope.timezone);

  const parts: SQL[] = [];
  const insert = (table: PgTable, rows: object[]) => {
    if (rows.length > 0) parts.push(insertRows(user, table, rows));
  };
  const update = (table: PgTable, columns: string[], rows: object[]) => {
    if (rows.length > 0) parts.push(updateRows(user, table, columns, rows));
  };
  const remove = (table: PgTable, keys: string[], rows: object[]) => {
    if (rows.length > 0) parts.push(deleteRows(user, table, keys, rows));
  };

  insert(
    projects,
    made.map(({ after }) => projectRow(after, opened.now)),
  );
  update(
    projects,
    ['name', 'name_key', 'archived_at', 'merged_into', 'deleted_at', 'version', 'updated_at'],
    changed.map(({ after }) => projectRow(after, opened.now)),
  );
  insert(tasks, created.map(rowOf));
  // Assigning title or description recomputes `words`. Descriptions and notes may be assigned only if they were loaded.
  const retitled = updated.some(({ before, after }) => before?.title !== after.title);
  const described = updated.some(({ before, after }) => before?.description !== after.description);
  const noted = updated.some(({ before, after }) => before?.note !== after.note);
  for (const { after } of updated)
    if ((described && after.description === undefined) || (noted && after.note === undefined))
      throw new Error(`the description and note of task ${after.id} were not loaded, and would be emptied`);
  const fixed = [
    'id',
    'created_at',
    'created_by',
    ...(retitled ? [] : ['title', 'title_key']),
    ...(described ? [] : ['description']),
    ...(noted ? [] : ['note']),
  ];
  update(
    tasks,
    columnsOf(tasks).filter((name) => !fixed.includes(name)),
    updated.map((edit) => rowOf(edit.after)),
  );
  update(tasks, ['open_blockers', 'open_subtasks'], counted.map(rowOf));
  remove(
    taskLabels,
    ['task_id', 'label_key'],
    whole.flatMap((edit) => labelChanges(edit).removed.map(labelRow(edit))),
  );
  insert(
    taskLabels,
    whole.flatMap((edit) => labelChanges(edit).added.map(labelRow(edit))),
  );
  remove(
    dependencies,
    ['blocked_id', 'blocker_id'],
    whole.flatMap((edit) => blockerChanges(edit).removed.map(edge(edit))),
  );
  insert(
    dependencies,
    whole.flatMap((edit) => blockerChanges(edit).added.map(edge(edit))),
  );
  remove(
    comments,
    ['id'],
    decision.edits.flatMap((edit) => edit.commented?.removed.map(({ id }) => ({ id })) ?? []),
  );
  insert(comments, newRemarks);
  insert(changeLog, log);
  if (recording.request)
    parts.push(
      sql`${insertRows(user, requests, [{ relayed: false, ...recording.request, at: opened.now }])} on conflict (user_id, key) do update set fingerprint = excluded.fingerprint, answer = excluded.answer, at = excluded.at, relayed = excluded.relayed`,
    );
  if (log.length > 0) {
    const nextComment = Math.max(opened.nextComment, ...newRemarks.map(({ id }) => id + 1));
    parts.push(
      sql`update ${counters} c set next_task = ${opened.nextTask + created.length}, next_project = ${opened.nextProject + made.length}, next_comment = ${nextComment}, change_seq = ${opened.changeSeq + log.length} where c.user_id = ${user}`,
    );
  }

  const main = parts.pop();
  if (!main) return undefined;
  const named = parts.map((part, i) => sql`${sql.raw(`w${i}`)} as (${part})`);
  const { sql: text, params } = dialect.sqlToQuery(
    named.length > 0 ? sql`with ${sql.join(named, sql`, `)} ${main}` : main,
  );
  return { text, params };
}

/** Merges the edits of each task into one, from its state before the first edit to that after the last. */
function wholeEdits({ edits, counted = [] }: Decision<unknown>): Edit[] {
  const first = new Map<number, Task | null>();
  const last = new Map<number, Task>();
  for (const { before, after } of edits) {
    if (!first.has(after.id)) first.set(after.id, before);
    last.set(after.id, after);
  }
  for (const { id, waitsFor, openSubtasks } of counted) {
    const task = last.get(id);
    if (task) last.set(id, { ...task, waitsFor, openSubtasks });
  }
  return [...last].map(([id, after]) => ({ before: first.get(id) ?? null, after }));
}

/** Merges project edits likewise: with two rows for one project, `update … from` would use an arbitrary one. */
function wholeProjects({ projects = [] }: Decision<unknown>): ProjectEdit[] {
  const whole = new Map<number, ProjectEdit>();
  for (const { before, after } of projects) {
    const first = whole.get(after.id);
    whole.set(after.id, { before: first ? first.before : before, after });
  }
  return [...whole.values()];
}

/** Passes rows as one JSON parameter, so that the statement text does not depend on how many there are. */
const rowsOf = (table: PgTable, rows: object[]) =>
  sql`json_populate_recordset(null::${table}, ${JSON.stringify(rows)}::json) r`;

function columnsOf(table: PgTable): string[] {
  return Object.values(getTableColumns(table))
    .filter((column) => !column.generated)
    .map((column) => column.name)
    .filter((name) => name !== 'user_id');
}

/** Inserts rows. `user_id` is always the user of the scope, whatever a row says. */
function insertRows(user: SQL, table: PgTable, rows: object[]): SQL {
  const names = columnsOf(table).join(', ');
  const values = columnsOf(table)
    .map((name) => `r.${name}`)
    .join(', ');
  return sql`insert into ${table} (user_id, ${sql.raw(names)}) select ${user}, ${sql.raw(values)} from ${rowsOf(table, rows)}`;
}

function updateRows(user: SQL, table: PgTable, columns: string[], rows: object[]): SQL {
  const sets = columns.map((name) => `${name} = r.${name}`).join(', ');
  return sql`update ${table} t set ${sql.raw(sets)} from ${rowsOf(table, rows)} where t.user_id = ${user} and t.id = r.id`;
}

function deleteRows(user: SQL, table: PgTable, keys: string[], rows: object[]): SQL {
  const match = keys.map((name) => `t.${name} = r.${name}`).join(' and ');
  return sql`delete from ${table} t using ${rowsOf(table, rows)} where t.user_id = ${user} and ${sql.raw(match)}`;
}

const projectRow = (project: Project, now: Date) => ({
  id: project.id,
  name: project.name,
  name_key: isGone(project) ? null : nameKey(project.name),
  archived_at: project.archivedAt,
  merged_into: project.mergedInto,
  deleted_at: project.deletedAt,
  version: project.version,
  created_at: now,
  updated_at: now,
});

const labelRow =
  ({ after }: Edit) =>
  (label: string) => ({ task_id: after.id, label_key: nameKey(label), label });

const edge =
  ({ after }: Edit) =>
  (blocker: number) => ({ blocked_id: after.id, blocker_id: blocker });

const commentRow = ({ after }: Edit, comment: Comment) => ({ ...comment, task_id: after.id });

const split = (when: When | null) => ({
  day: when && isDay(when) ? when : null,
  at: when && !isDay(when) ? when : null,
});

function taskRow(task: Task, timezone: string) {
  const [due, start] = [split(task.due), split(task.start)];
  return {
    id: task.id,
    title: task.title,
    title_key: titleKey(task.title),
    description: task.description,
    status: task.status,
    priority: task.priority ? PRIORITIES.indexOf(task.priority) + 1 : PRIORITIES.length + 1,
    due_date: due.day,
    due_at: due.at,
    due_sort: dueSort(task.due, timezone),
    start_date: start.day,
    start_at: start.at,
    start_sort: startSort(task.start, timezone),
    repeats: task.repeats,
    estimate_minutes: task.estimateMinutes,
    project_id: task.projectId,
    parent_id: task.parentId,
    series: task.series,
    rank: task.rank,
    open_blockers: task.waitsFor.length,
    open_subtasks: task.openSubtasks,
    claimed_by: task.claimedBy,
    claimed_until: task.claimedUntil ?? '-infinity',
    claim: task.claim,
    note: task.note,
    version: task.version,
    created_at: task.createdAt,
    created_by: task.createdBy,
    updated_at: task.updatedAt,
    updated_by: task.updatedBy,
    completed_at: task.completedAt,
    deleted_at: task.deletedAt,
  };
}

function changeRows(opened: LockedState, { edits, projects = [] }: Decision<unknown>, { actor, call }: Recording) {
  const entries = [
    ...projects.map((edit) => ({
      entity: 'project',
      entity_id: edit.after.id,
      version: edit.after.version,
      op: projectOperation(edit),
      reverts: edit.reverts,
      ...projectDifferences(edit),
    })),
    ...edits.map((edit) => ({
      entity: 'task',
      entity_id: edit.after.id,
      version: edit.after.version,
      op: taskOperation(edit),
      reverts: edit.reverts,
      ...differences(edit),
    })),
  ];
  const batch = opened.changeSeq + 1;
  return entries.map((entry, i) => ({ seq: batch + i, batch, call, at: opened.now, actor, ...entry }));
}
