import { getTableColumns, type SQL, sql } from 'drizzle-orm';
import { PgDialect, type PgTable } from 'drizzle-orm/pg-core';
import { type Actor, changes as changeLog, counters, projects, requests, taskLabels, tasks } from '../db/schema.js';
import type { Opened, UserScope, UserTx } from '../db/scope.js';
import { nameKey, titleKey } from './names.js';
import { PRIORITIES, type Task } from './task.js';
import { dueSort, isDay, startSort, type When } from './when.js';

/** A task as it was (nothing, if new) and as it is to be. */
export interface Edit {
  before: Task | null;
  after: Task;
}

export interface NewProject {
  id: number;
  name: string;
}

/** What a write decides: rows to make so, and what to tell the caller. */
export interface Decision<Outcome> {
  edits: Edit[];
  newProjects?: NewProject[];
  outcome: Outcome;
}

/** When and by whom something is decided: everything a rule may depend on beside the rows. */
export interface Moment extends UserScope, Pick<Opened, 'now' | 'nextTask' | 'nextProject'> {
  /** Who, in a word. */
  by: string;
}

/**
 * A write in two halves. `read` asks for what the decision needs, before it is known whether the lock was
 * free; `decide` is pure, and runs with the lock held.
 */
export interface Change<State, Outcome> {
  read(tx: UserTx): Promise<State>;
  decide(state: State, moment: Moment): Decision<Outcome>;
}

/** What is recorded beside the rows. */
export interface Recording {
  actor: Actor;
  /** A random id of this call. */
  call: string;
  request?: { key: string; fingerprint: string; answer: Record<string, unknown> } | undefined;
}

/** How many things a write changes. */
export const changes = ({ edits, newProjects = [] }: Decision<unknown>): number => edits.length + newProjects.length;

/** The handle that names a write, if it changed anything: the sequence number of its first change. */
export const undoHandle = (opened: Opened, decision: Decision<unknown>): string | undefined =>
  changes(decision) > 0 ? `u${opened.changeSeq + 1}` : undefined;

const dialect = new PgDialect();

/**
 * The only writer of owned tables: makes a decision's rows so, and records the changes, the counters and the
 * answer, in one statement. Answers nothing where there is nothing to write.
 */
export function writeStatement(
  scope: UserScope,
  opened: Opened,
  decision: Decision<unknown>,
  recording: Recording,
): { text: string; params: unknown[] } | undefined {
  const { edits, newProjects = [] } = decision;
  const created = edits.filter((edit) => !edit.before).map((edit) => edit.after);
  const updated = edits.filter((edit) => edit.before);
  const withDescription = updated.some(({ before, after }) => before?.description !== after.description);
  const labels = edits.map((edit) => ({ id: edit.after.id, ...labelChanges(edit) }));
  const unlabelled = labels.flatMap(({ id, removed }) => removed.map((label) => labelRow(id, label)));
  const labelled = labels.flatMap(({ id, added }) => added.map((label) => labelRow(id, label)));
  const log = changeRows(opened, decision, recording);
  const user = sql`${scope.userId}::uuid`;

  const parts: SQL[] = [];
  const insert = (table: PgTable, rows: object[]) => {
    if (rows.length > 0) parts.push(insertRows(user, table, rows));
  };
  insert(
    projects,
    newProjects.map((project) => projectRow(project, opened.now)),
  );
  insert(
    tasks,
    created.map((task) => taskRow(task, scope.timezone)),
  );
  if (updated.length > 0)
    parts.push(
      updateTasks(
        user,
        updated.map(({ after }) => taskRow(after, scope.timezone)),
        withDescription,
      ),
    );
  if (unlabelled.length > 0)
    parts.push(
      sql`delete from ${taskLabels} l using ${rowsOf(taskLabels, unlabelled)} where l.user_id = ${user} and l.task_id = r.task_id and l.label_key = r.label_key`,
    );
  insert(taskLabels, labelled);
  insert(changeLog, log);
  if (recording.request)
    parts.push(
      sql`${insertRows(user, requests, [{ ...recording.request, at: opened.now }])} on conflict (user_id, key) do update set fingerprint = excluded.fingerprint, answer = excluded.answer, at = excluded.at`,
    );
  if (log.length > 0)
    parts.push(
      sql`update ${counters} c set next_task = ${opened.nextTask + created.length}, next_project = ${opened.nextProject + newProjects.length}, change_seq = ${opened.changeSeq + log.length} where c.user_id = ${user}`,
    );

  const main = parts.pop();
  if (!main) return undefined;
  const named = parts.map((part, i) => sql`${sql.raw(`w${i}`)} as (${part})`);
  const { sql: text, params } = dialect.sqlToQuery(
    named.length > 0 ? sql`with ${sql.join(named, sql`, `)} ${main}` : main,
  );
  return { text, params };
}

/** Rows travel as one JSON parameter: the statement is the same for one and for a thousand. */
const rowsOf = (table: PgTable, rows: object[]) =>
  sql`json_populate_recordset(null::${table}, ${JSON.stringify(rows)}::json) r`;

function columnsOf(table: PgTable): string[] {
  return Object.values(getTableColumns(table))
    .filter((column) => !column.generated)
    .map((column) => column.name)
    .filter((name) => name !== 'user_id');
}

/** The owner is always the scope's, whatever a row says. */
function insertRows(user: SQL, table: PgTable, rows: object[]): SQL {
  const names = columnsOf(table).join(', ');
  const values = columnsOf(table)
    .map((name) => `r.${name}`)
    .join(', ');
  return sql`insert into ${table} (user_id, ${sql.raw(names)}) select ${user}, ${sql.raw(values)} from ${rowsOf(table, rows)}`;
}

/** A long description is not written again where no description changes. */
function updateTasks(user: SQL, rows: object[], withDescription: boolean): SQL {
  const fixed = ['id', 'created_at', 'created_by', ...(withDescription ? [] : ['description'])];
  const sets = columnsOf(tasks)
    .filter((name) => !fixed.includes(name))
    .map((name) => `${name} = r.${name}`)
    .join(', ');
  return sql`update ${tasks} t set ${sql.raw(sets)} from ${rowsOf(tasks, rows)} where t.user_id = ${user} and t.id = r.id`;
}

const projectRow = ({ id, name }: NewProject, now: Date) => ({
  id,
  name,
  name_key: nameKey(name),
  version: 1,
  created_at: now,
  updated_at: now,
});

const labelRow = (taskId: number, label: string) => ({ task_id: taskId, label_key: nameKey(label), label });

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
    rank: task.rank,
    open_blockers: task.openBlockers,
    open_subtasks: task.openSubtasks,
    version: task.version,
    created_at: task.createdAt,
    created_by: task.createdBy,
    updated_at: task.updatedAt,
    updated_by: task.updatedBy,
    completed_at: task.completedAt,
    deleted_at: task.deletedAt,
  };
}

/** The fields that history keeps, as it keeps them. Labels apart: they change one by one. */
const recorded = (task: Task): Record<string, unknown> => ({
  title: task.title,
  description: task.description ?? null,
  status: task.status,
  priority: task.priority,
  due: task.due,
  start: task.start,
  estimate_minutes: task.estimateMinutes,
  project: task.projectId,
  parent: task.parentId,
  completed_at: task.completedAt?.toISOString() ?? null,
  deleted_at: task.deletedAt?.toISOString() ?? null,
});

function labelChanges({ before, after }: Edit) {
  const had = new Set(before?.labels.map(nameKey));
  const has = new Set(after.labels.map(nameKey));
  return {
    removed: before?.labels.filter((label) => !has.has(nameKey(label))) ?? [],
    added: after.labels.filter((label) => !had.has(nameKey(label))),
  };
}

/** What differs between two states of a task, in history's terms. Empty where nothing does. */
export function differences(edit: Edit): { before: Record<string, unknown>; after: Record<string, unknown> } {
  const was = edit.before ? recorded(edit.before) : {};
  const is = recorded(edit.after);
  const fields = Object.keys(is).filter((field) => (was[field] ?? null) !== is[field]);
  const pick = (from: Record<string, unknown>) => Object.fromEntries(fields.map((field) => [field, from[field]]));
  const { removed, added } = labelChanges(edit);
  const labels = removed.length + added.length > 0;
  return {
    before: { ...(edit.before && pick(was)), ...(labels && edit.before && { labels: removed }) },
    after: { ...pick(is), ...(labels && { labels: added }) },
  };
}

function operation({ before, after }: Edit) {
  if (!before) return 'create';
  if (after.deletedAt && !before.deletedAt) return 'delete';
  if (before.deletedAt && !after.deletedAt) return 'restore';
  return after.status === 'completed' && before.status !== 'completed' ? 'complete' : 'update';
}

function changeRows(opened: Opened, { edits, newProjects = [] }: Decision<unknown>, { actor, call }: Recording) {
  const entries = [
    ...newProjects.map(({ id, name }) => ({
      entity: 'project',
      entity_id: id,
      version: 1,
      op: 'create',
      before: {},
      after: { name },
    })),
    ...edits.map((edit) => ({
      entity: 'task',
      entity_id: edit.after.id,
      version: edit.after.version,
      op: operation(edit),
      ...differences(edit),
    })),
  ];
  const batch = opened.changeSeq + 1;
  return entries.map((entry, i) => ({ seq: batch + i, batch, call, at: opened.now, actor, ...entry }));
}
