import { rowsOf, type World } from '../support/harness.js';

/** A task as stored, with the field names that the history uses. */
export interface Task {
  id: number;
  title: string;
  description: string | null;
  status: string;
  priority: string | null;
  due: string | null;
  start: string | null;
  repeats: unknown;
  estimate_minutes: number | null;
  project: number | null;
  parent: number | null;
  /** The first task of its series. Not recorded in the history. */
  series: number | null;
  rank: string;
  completed_at: string | null;
  deleted_at: string | null;
  /** Sorted by key. */
  labels: string[];
  blocked_by: number[];
  comments: Comment[];
  claimed_by: string | null;
  claimed_until: string | null;
  claim: number | null;
  note: string | null;
  version: number;
  created_at: string;
  created_by: string;
  updated_at: string;
  updated_by: string;
}

export interface Comment {
  id: number;
  text: string;
  at: string;
  by: string;
}

export interface Project {
  id: number;
  name: string;
  archived_at: string | null;
  merged_into: number | null;
  deleted_at: string | null;
  version: number;
}

export interface Entry {
  seq: number;
  batch: number;
  reverts: number | null;
  at: string;
  by: string;
  client: string;
  entity: 'task' | 'project';
  entity_id: number;
  version: number;
  op: string;
  before: Record<string, unknown>;
  after: Record<string, unknown>;
}

export interface Tables {
  tasks: Map<number, Task>;
  projects: Map<number, Project>;
  /** Changes after the requested sequence number. */
  changes: Entry[];
  counters: { next_task: number; next_project: number; next_comment: number; change_seq: number };
  /** Derived values that are stored with a task, so that queries need not compute them. */
  derived: Map<number, { open_blockers: number; open_subtasks: number; due_sort: string; start_sort: string }>;
  nameKeys: Map<number, string | null>;
  /** Number of rows that belong to no task. */
  strays: number;
}

/** The fields that the history records with their old and new values. */
export const TASK_FIELDS = [
  'title',
  'description',
  'status',
  'priority',
  'due',
  'start',
  'repeats',
  'estimate_minutes',
  'project',
  'parent',
  'rank',
  'completed_at',
  'deleted_at',
] as const satisfies (keyof Task)[];
/** The fields of claims that the history records. They raise no version, and undo does not restore them. */
export const CLAIM_FIELDS = ['claimed_by', 'claimed_until', 'claim', 'note'] as const satisfies (keyof Task)[];
/** The fields of a task that was never claimed. */
export const NEVER_CLAIMED = { claimed_by: null, claimed_until: null, claim: null, note: null };
export const isClaiming = (op: string): boolean => op === 'claim' || op === 'release';
export const PROJECT_FIELDS = ['name', 'archived_at', 'merged_into', 'deleted_at'] as const satisfies (keyof Project)[];

// biome-ignore lint/suspicious/noExplicitAny: raw rows
type Raw = Record<string, any>;

const PRIORITIES = ['urgent', 'high', 'medium', 'low', null];
const iso = (text: string | null) => (text === null || text.endsWith('infinity') ? text : new Date(text).toISOString());

/** Reads all data of a user in one statement. */
export async function readTables(world: World, userId: string, since = 0): Promise<Tables> {
  const all = (table: string, order: string, where = '') =>
    `(select coalesce(json_agg(to_jsonb(r) - 'user_id' order by ${order}), '[]') from taskloom.${table} r where r.user_id = $1 ${where})`;
  const [row] = await rowsOf(
    world,
    `select ${all('tasks', 'r.id')}, ${all('task_labels', 'r.label_key')}, ${all('dependencies', 'r.blocker_id')},
      ${all('comments', 'r.id')}, ${all('projects', 'r.id')}, ${all('changes', 'r.seq', 'and r.seq > $2')}, ${all('counters', '1')}`,
    [userId, since],
  );
  const [tasks, labels, edges, comments, projects, changes, counters] = (row ?? []).map((cell) =>
    typeof cell === 'string' ? JSON.parse(cell) : cell,
  ) as Raw[][];
  const belongings = [labels ?? [], edges ?? [], comments ?? []] as const;
  const found = new Map((tasks ?? []).map((raw) => [raw.id as number, toTask(raw, ...belongings)]));
  return {
    tasks: found,
    projects: new Map((projects ?? []).map((raw) => [raw.id as number, toProject(raw)])),
    changes: (changes ?? []).map(toEntry),
    counters: counters?.[0] as unknown as Tables['counters'],
    derived: new Map((tasks ?? []).map((raw) => [raw.id as number, derivedOf(raw)])),
    nameKeys: new Map((projects ?? []).map((raw) => [raw.id, raw.name_key])),
    strays:
      [...(labels ?? []), ...(comments ?? [])].filter((raw) => !found.has(raw.task_id)).length +
      (edges ?? []).filter((raw) => !found.has(raw.blocked_id) || !found.has(raw.blocker_id)).length,
  };
}

const toTask = (raw: Raw, labels: Raw[], edges: Raw[], comments: Raw[]): Task => ({
  id: raw.id,
  title: raw.title,
  description: raw.description,
  status: raw.status,
  priority: PRIORITIES[(raw.priority as number) - 1] ?? null,
  due: raw.due_date ?? iso(raw.due_at),
  start: raw.start_date ?? iso(raw.start_at),
  repeats: raw.repeats,
  estimate_minutes: raw.estimate_minutes,
  project: raw.project_id,
  parent: raw.parent_id,
  series: raw.series,
  rank: raw.rank,
  completed_at: iso(raw.completed_at),
  deleted_at: iso(raw.deleted_at),
  labels: labels.filter((each) => each.task_id === raw.id).map((each) => each.label),
  blocked_by: edges.filter((each) => each.blocked_id === raw.id).map((each) => each.blocker_id),
  comments: comments
    .filter((each) => each.task_id === raw.id)
    .map((each) => ({ id: each.id, text: each.text, at: iso(each.at) as string, by: each.by })),
  claimed_by: raw.claimed_by,
  claimed_until: raw.claimed_until === '-infinity' ? null : iso(raw.claimed_until),
  claim: raw.claim,
  note: raw.note,
  version: raw.version,
  created_at: iso(raw.created_at) as string,
  created_by: raw.created_by,
  updated_at: iso(raw.updated_at) as string,
  updated_by: raw.updated_by,
});

const toProject = (raw: Raw): Project => ({
  id: raw.id,
  name: raw.name,
  archived_at: iso(raw.archived_at),
  merged_into: raw.merged_into,
  deleted_at: iso(raw.deleted_at),
  version: raw.version,
});

const clientOf = ({ client, via }: { client?: string; via: string }) => client ?? via;

const toEntry = (raw: Raw): Entry => ({
  seq: raw.seq,
  batch: raw.batch,
  reverts: raw.reverts,
  at: iso(raw.at) as string,
  by: raw.actor.agent ?? clientOf(raw.actor),
  client: clientOf(raw.actor),
  entity: raw.entity,
  entity_id: raw.entity_id,
  version: raw.version,
  op: raw.op,
  before: raw.before,
  after: raw.after,
});

const derivedOf = (raw: Raw) => ({
  open_blockers: raw.open_blockers as number,
  open_subtasks: raw.open_subtasks as number,
  due_sort: iso(raw.due_sort) as string,
  start_sort: iso(raw.start_sort) as string,
});
