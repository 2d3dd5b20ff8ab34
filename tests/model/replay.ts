import { expect } from 'vitest';
import { Draft, isGone, isOpen, key } from './model.js';
import {
  CLAIM_FIELDS,
  type Entry,
  isClaiming,
  PROJECT_FIELDS,
  type Project,
  TASK_FIELDS,
  type Tables,
  type Task,
} from './tables.js';
import { parisMidnight } from './time-zone.js';

/** Rebuilds tasks and projects from their history alone, and checks each change against the state before it. */
function replay(entries: Entry[]): { tasks: Map<number, Task>; projects: Map<number, Project> } {
  const tasks = new Map<number, Task>();
  const projects = new Map<number, Project>();
  for (const entry of entries) {
    const where = `change ${entry.seq} of ${entry.entity} ${entry.entity_id}`;
    const kept: Map<number, Task | Project> = entry.entity === 'task' ? tasks : projects;
    if ((entry.op === 'create') === kept.has(entry.entity_id)) throw new Error(`${where}: ${entry.op}`);
    if (!kept.has(entry.entity_id))
      kept.set(entry.entity_id, entry.entity === 'task' ? blankTask(entry) : blankProject(entry));
    const thing = kept.get(entry.entity_id) as Task & Project;

    const fields: readonly string[] = entry.entity === 'task' ? [...TASK_FIELDS, ...CLAIM_FIELDS] : PROJECT_FIELDS;
    const lists = entry.entity === 'task' ? { labels: key, blocked_by: String, comments: idOf } : {};
    const unknown = Object.keys({ ...entry.before, ...entry.after }).filter(
      (name) => !fields.includes(name) && !(name in lists),
    );
    expect(unknown, `${where}: unknown fields`).toEqual([]);
    const had = Object.fromEntries(
      fields.filter((name) => name in entry.before).map((name) => [name, thing[name as 'name']]),
    );
    const said = Object.fromEntries(Object.entries(entry.before).filter(([name]) => fields.includes(name)));
    expect(said, `${where}: before`).toEqual(had);
    if ('claim' in entry.after) {
      expect(entry.after.claim, `${where}: the number of a claim`).toBe(entry.batch);
      expect(entry.after.claim, `${where}: the number of a claim`).toBeGreaterThan(thing.claim ?? 0);
    }
    for (const name of fields) if (name in entry.after) Object.assign(thing, { [name]: entry.after[name] });
    for (const [name, keyOf] of Object.entries(lists) as [string, (each: unknown) => string][]) {
      const all = new Map((thing[name as 'labels'] as unknown[]).map((each) => [keyOf(each), each]));
      for (const each of (entry.before[name] ?? []) as unknown[]) {
        expect(all.get(keyOf(each)), `${where}: removed ${name}`).toEqual(each);
        all.delete(keyOf(each));
      }
      for (const each of (entry.after[name] ?? []) as unknown[]) {
        expect(all.has(keyOf(each)), `${where}: ${name} added twice`).toBe(false);
        all.set(keyOf(each), each);
      }
      Object.assign(thing, { [name]: sorted([...all.values()], keyOf) });
    }

    const apart = entry.op === 'comment' || isClaiming(entry.op);
    const rise = entry.op === 'create' || apart ? 0 : 1;
    expect(entry.version, `${where}: version`).toBe(thing.version + rise);
    thing.version = entry.version;
    if (!apart && entry.entity === 'task') Object.assign(thing, { updated_at: entry.at, updated_by: entry.by });
  }
  return { tasks, projects };
}

const idOf = (comment: unknown) => String((comment as { id: number }).id);
const sorted = (all: unknown[], keyOf: (each: unknown) => string) =>
  all.every((each) => typeof each === 'string')
    ? all.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    : all.sort((a, b) => Number(keyOf(a)) - Number(keyOf(b)));

const empty = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, null]));

const blankTask = ({ entity_id: id, at, by }: Entry) =>
  ({
    ...empty([...TASK_FIELDS, ...CLAIM_FIELDS]),
    id,
    labels: [],
    blocked_by: [],
    comments: [],
    version: 1,
    created_at: at,
    created_by: by,
    updated_at: at,
    updated_by: by,
  }) as unknown as Task;
const blankProject = ({ entity_id: id }: Entry) => ({ ...empty(PROJECT_FIELDS), id, version: 1 }) as unknown as Project;

/** Checks what must hold after any writes, and recomputes derived values. `tables` must have the whole history. */
export function checkInvariants(tables: Tables): void {
  const { tasks, projects, changes, counters, derived, nameKeys, strays } = tables;
  const draft = new Draft(tasks, projects);
  const all = [...tasks.values()];
  const wrong = (what: string, holds: (task: Task) => boolean) =>
    expect(
      all.filter((task) => !holds(task)).map(({ id }) => id),
      what,
    ).toEqual([]);

  wrong('tasks in a cycle', ({ id }) => !draft.circles(id));
  wrong('tasks nested too deeply', ({ id }) => draft.depth(id) <= 5);
  wrong('open tasks under a closed parent', (task) => !draft.orphans(task));
  wrong(
    'tasks in a deleted or merged project',
    ({ project }) => project === null || !isGone(projects.get(project) as Project),
  );
  wrong(
    'completed without a time, or not completed with one',
    (task) => (task.status === 'completed') === (task.completed_at !== null),
  );
  wrong('repeating tasks without a due date', (task) => task.repeats === null || task.due !== null);
  wrong('claims of closed tasks', (task) => task.claimed_by === null || isOpen(task));
  wrong('claims without an end', (task) => (task.claimed_by === null) === (task.claimed_until === null));
  wrong('claims without a number', ({ claimed_by, claim }) => claimed_by === null || claim !== null);
  wrong('duplicate labels', ({ labels }) => new Set(labels.map(key)).size === labels.length);
  for (const task of all)
    expect(derived.get(task.id), `derived values of #${task.id}`).toEqual({
      open_blockers: draft.openBlockers(task),
      open_subtasks: draft.openSubtasks(task),
      due_sort: dueSort(task.due),
      start_sort: startSort(task.start),
    });
  expect(strays, 'rows that belong to no task').toBe(0);

  const names = [...projects.values()].filter((project) => !isGone(project)).map(({ name }) => key(name));
  expect(new Set(names).size, 'duplicate names of projects').toBe(names.length);
  for (const project of projects.values())
    expect(nameKeys.get(project.id)).toBe(isGone(project) ? null : key(project.name));

  expect(changes.map(({ seq }) => seq)).toEqual(changes.map((_, i) => i + 1));
  expect(counters.change_seq).toBe(changes.length);
  const comments = all.flatMap((task) => task.comments);
  expect(new Set(comments.map(({ id }) => id)).size, 'duplicate comments').toBe(comments.length);
  expect(counters.next_task).toBe(1 + Math.max(0, ...tasks.keys()));
  expect(counters.next_project).toBe(1 + Math.max(0, ...projects.keys()));
  expect(counters.next_comment).toBeGreaterThan(Math.max(0, ...comments.map(({ id }) => id)));

  const rebuilt = replay(changes);
  expect(rebuilt.projects, 'projects rebuilt from history').toEqual(projects);
  expect(
    [...rebuilt.tasks.values()].sort((a, b) => a.id - b.id),
    'tasks rebuilt from history',
  ).toEqual(all.map(({ series: _, ...task }) => task));
}

const DAY = 86_400_000;
const nextDay = (day: string) => new Date(Date.parse(day) + DAY).toISOString().slice(0, 10);

export const dueSort = (due: string | null) =>
  due === null ? 'infinity' : due.length > 10 ? due : new Date(parisMidnight(nextDay(due)) - 1).toISOString();
const startSort = (start: string | null) =>
  start === null ? '-infinity' : start.length > 10 ? start : new Date(parisMidnight(start)).toISOString();
