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
import type { LockedState, UserScope } from '../db/scope.js';
import { dueSort, isDay, startSort, type When } from './dates/clock.js';
import { nameKey, titleKey } from './names.js';
import { isGone, type Project } from './project.js';
import {
  blockerChanges,
  type Comment,
  differences,
  type Edit,
  labelChanges,
  type ProjectEdit,
  projectDifferences,
  projectOperation,
  taskOperation,
} from './record.js';
import { priorityRank, type Task } from './task.js';
import type { Decision } from './write.js';

/** Data that a write records besides the rows. */
export interface Recording {
  actor: Actor;
  /** Random id of this call (UUID). */
  call: string;
  request?: { key: string; fingerprint: string; answer: Record<string, unknown>; relayed: boolean } | undefined;
}

const dialect = new PgDialect();

/**
 * Builds the one statement that stores a decision: rows, change log, counters and the answer for its request_id. No
 * other code writes what calls write; `taskloom.tidy`, administrative commands and restores are not calls. Returns
 * undefined if there is nothing to write.
 */
export function writeStatement(
  scope: UserScope,
  opened: LockedState,
  decision: Decision<unknown>,
  recording: Recording,
): { text: string; params: unknown[] } | undefined {
  const user = sql`${scope.userId}::uuid`;
  const tasksWhole = wholeEdits(decision);
  const projectsWhole = wholeProjects(decision);
  const added = decision.edits.flatMap((edit) => edit.commented?.added.map((each) => commentRow(edit, each)) ?? []);
  const log = changeRows(opened, decision, recording);
  const parts = [
    ...projectParts(user, projectsWhole, opened.now),
    ...taskParts(user, tasksWhole, decision.recounted ?? [], scope.timezone),
    ...labelParts(user, tasksWhole),
    ...dependencyParts(user, tasksWhole),
    ...deleteRows(
      user,
      comments,
      ['id'],
      decision.edits.flatMap(({ commented }) => commented?.removed.map(({ id }) => ({ id })) ?? []),
    ),
    ...insertRows(user, comments, added),
    ...insertRows(user, changeLog, log),
    ...(recording.request ? [requestPart(user, recording.request, opened.now)] : []),
  ];
  if (log.length > 0) {
    const nextTask = opened.nextTask + tasksWhole.filter(isCreation).length;
    const nextProject = opened.nextProject + projectsWhole.filter(isCreation).length;
    const nextComment = Math.max(opened.nextComment, ...added.map(({ id }) => id + 1));
    parts.push(
      sql`update ${counters} c set next_task = ${nextTask}, next_project = ${nextProject}, next_comment = ${nextComment}, change_seq = ${opened.changeSeq + log.length} where c.user_id = ${user}`,
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

const isCreation = ({ before }: { before: object | null }) => before === null;
const isUpdate = ({ before }: { before: object | null }) => before !== null;

function projectParts(user: SQL, edits: ProjectEdit[], now: Date): SQL[] {
  const rowOf = ({ after }: ProjectEdit) => projectRow(after, now);
  const columns = ['name', 'name_key', 'archived_at', 'merged_into', 'deleted_at', 'version', 'updated_at'];
  return [
    ...insertRows(user, projects, edits.filter(isCreation).map(rowOf)),
    ...updateRows(user, projects, columns, edits.filter(isUpdate).map(rowOf)),
  ];
}

function taskParts(user: SQL, edits: Edit[], recounted: Task[], timezone: string): SQL[] {
  const rowOf = (task: Task) => taskRow(task, timezone);
  const updated = edits.filter(isUpdate);
  // Assigning title or description recomputes `words`. Descriptions and notes may be assigned only if they were loaded.
  const changes = (field: 'title' | 'description' | 'note') =>
    updated.some(({ before, after }) => before?.[field] !== after[field]);
  const [retitled, described, noted] = [changes('title'), changes('description'), changes('note')];
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
  const assigned = columnsOf(tasks).filter((name) => !fixed.includes(name));
  const onlyRecounted = recounted.filter((task) => !edits.some(({ after }) => after.id === task.id));
  return [
    ...insertRows(
      user,
      tasks,
      edits.filter(isCreation).map(({ after }) => rowOf(after)),
    ),
    ...updateRows(
      user,
      tasks,
      assigned,
      updated.map(({ after }) => rowOf(after)),
    ),
    ...updateRows(user, tasks, ['open_blockers', 'open_subtasks'], onlyRecounted.map(rowOf)),
  ];
}

function labelParts(user: SQL, edits: Edit[]): SQL[] {
  const rowOf = (task: Task) => (label: string) => ({ task_id: task.id, label_key: nameKey(label), label });
  const removed = edits.flatMap((edit) => labelChanges(edit).removed.map(rowOf(edit.after)));
  const added = edits.flatMap((edit) => labelChanges(edit).added.map(rowOf(edit.after)));
  return [...deleteRows(user, taskLabels, ['task_id', 'label_key'], removed), ...insertRows(user, taskLabels, added)];
}

function dependencyParts(user: SQL, edits: Edit[]): SQL[] {
  const rowOf = (task: Task) => (blocker: number) => ({ blocked_id: task.id, blocker_id: blocker });
  const removed = edits.flatMap((edit) => blockerChanges(edit).removed.map(rowOf(edit.after)));
  const added = edits.flatMap((edit) => blockerChanges(edit).added.map(rowOf(edit.after)));
  return [
    ...deleteRows(user, dependencies, ['blocked_id', 'blocker_id'], removed),
    ...insertRows(user, dependencies, added),
  ];
}

/** Stores the answer to a request, in place of one that has expired. */
const requestPart = (user: SQL, request: NonNullable<Recording['request']>, at: Date): SQL =>
  sql`${insertRows(user, requests, [{ ...request, at }])[0]} on conflict (user_id, key) do update set fingerprint = excluded.fingerprint, answer = excluded.answer, at = excluded.at, relayed = excluded.relayed`;

/** Merges the edits of each task into one, from its state before the first edit to that after the last. */
function wholeEdits({ edits, recounted = [] }: Decision<unknown>): Edit[] {
  const first = new Map<number, Task | null>();
  const last = new Map<number, Task>();
  for (const { before, after } of edits) {
    if (!first.has(after.id)) first.set(after.id, before);
    last.set(after.id, after);
  }
  for (const { id, waitsFor, openSubtasks } of recounted) {
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
const rowSource = (table: PgTable, rows: object[]) =>
  sql`json_populate_recordset(null::${table}, ${JSON.stringify(rows)}::json) r`;

function columnsOf(table: PgTable): string[] {
  return Object.values(getTableColumns(table))
    .filter((column) => !column.generated)
    .map((column) => column.name)
    .filter((name) => name !== 'user_id');
}

/** Inserts rows, if there are any. `user_id` is always the user of the scope, whatever a row says. */
function insertRows(user: SQL, table: PgTable, rows: object[]): SQL[] {
  if (rows.length === 0) return [];
  const names = columnsOf(table).join(', ');
  const values = columnsOf(table)
    .map((name) => `r.${name}`)
    .join(', ');
  return [
    sql`insert into ${table} (user_id, ${sql.raw(names)}) select ${user}, ${sql.raw(values)} from ${rowSource(table, rows)}`,
  ];
}

function updateRows(user: SQL, table: PgTable, columns: string[], rows: object[]): SQL[] {
  if (rows.length === 0) return [];
  const sets = columns.map((name) => `${name} = r.${name}`).join(', ');
  return [
    sql`update ${table} t set ${sql.raw(sets)} from ${rowSource(table, rows)} where t.user_id = ${user} and t.id = r.id`,
  ];
}

function deleteRows(user: SQL, table: PgTable, keys: string[], rows: object[]): SQL[] {
  if (rows.length === 0) return [];
  const match = keys.map((name) => `t.${name} = r.${name}`).join(' and ');
  return [sql`delete from ${table} t using ${rowSource(table, rows)} where t.user_id = ${user} and ${sql.raw(match)}`];
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
    priority: priorityRank(task.priority),
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
