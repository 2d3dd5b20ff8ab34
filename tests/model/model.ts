import { isDeepStrictEqual } from 'node:util';
import { CLAIM_FIELDS, type Entry, PROJECT_FIELDS, type Project, TASK_FIELDS, type Task } from './tables.js';
import { parisMidnight } from './time-zone.js';

/** Names are compared without regard to case. Lower case suffices for the names used here. */
export const key = (name: string): string => name.toLowerCase();
/** Titles are compared as sets of words. */
export const titleOf = (title: string): string => (title.toLowerCase().match(/[a-z0-9]+/g) ?? []).sort().join(' ');

export const isOpenStatus = (status: string): boolean => status === 'pending' || status === 'in_progress';
export const isOpen = (task: Task): boolean => task.deleted_at === null && isOpenStatus(task.status);
/** Whether the task is claimed at that time. */
export const isClaimed = (task: Task, now: string): boolean => task.claimed_until !== null && task.claimed_until > now;
export const isGone = (project: Project): boolean => project.merged_into !== null || project.deleted_at !== null;

// biome-ignore lint/suspicious/noExplicitAny: arguments as a language model would send them
export type Args = Record<string, any>;

/** Who calls, and when. */
export interface Moment {
  now: string;
  by: string;
  /** The client, if its agent has another name. */
  client?: string;
}

/** The expected answer to a call. */
export interface Prediction {
  /** Set if the call must be refused, with one of these codes. */
  codes?: Set<string>;
  /** Tasks (or names of projects) that must fail, with the possible codes. */
  failed: Map<number | string, Set<string>>;
  /** Others that may be reported as failed. */
  mayFail?: Set<number | string>;
  /** Requested tasks that the answer must contain. */
  good: number[];
  next: number[];
  ready: number[];
  blocked: number[];
}

export const refused = (...codes: string[]): Prediction => ({ ...accepted(), codes: new Set(codes) });
export const accepted = (fields: Partial<Prediction> = {}): Prediction => ({
  failed: new Map(),
  good: [],
  next: [],
  ready: [],
  blocked: [],
  ...fields,
});

/** Tasks and projects as they would be after a write. */
export class Draft {
  /** Tasks whose claim the caller holds, according to the claim number. */
  readonly held = new Set<number>();

  constructor(
    readonly tasks: Map<number, Task>,
    readonly projects: Map<number, Project>,
  ) {}

  task(id: number): Task {
    const task = this.tasks.get(id);
    if (!task) throw new Error(`the model has no task ${id}`);
    return task;
  }

  named = (name: string): Project | undefined =>
    [...this.projects.values()].find((project) => !isGone(project) && key(project.name) === key(name));

  children = (id: number): Task[] => [...this.tasks.values()].filter((task) => task.parent === id);

  /** All descendants, each parent before its children. */
  below = (id: number): Task[] => this.children(id).flatMap((child) => [child, ...this.below(child.id)]);

  /** Number of levels up to the root, including the task; 1000 if its ancestors form a cycle. */
  depth(id: number | null): number {
    let levels = 0;
    for (let at = id; at !== null && levels < 1000; at = this.tasks.get(at)?.parent ?? null) levels++;
    return levels;
  }

  height = (id: number): number => 1 + Math.max(0, ...this.children(id).map((child) => this.height(child.id)));

  /** Whether a task or one of its sub-tasks waits for itself, directly or not, regardless of status. */
  circles(id: number): boolean {
    const blockers = (at: number) => {
      const task = this.tasks.get(at);
      return task ? [task, ...this.above(task)].flatMap((each) => each.blocked_by) : [];
    };
    const next = (at: number) => [...blockers(at), ...this.children(at).map((child) => child.id)];
    const reached = (from: number[]) => {
      const all = new Set(from);
      for (const at of all) for (const each of next(at)) all.add(each);
      return all;
    };
    return reached(next(id)).has(id) || this.below(id).some((part) => reached(blockers(id)).has(part.id));
  }

  /** Whether it is an open sub-task of a closed parent, or a closed parent of open sub-tasks. */
  orphans(task: Task): boolean {
    if (task.deleted_at !== null) return false;
    const parent = task.parent === null ? undefined : this.tasks.get(task.parent);
    if (isOpen(task)) return parent !== undefined && parent.deleted_at === null && !isOpen(parent);
    return this.children(task.id).some(isOpen);
  }

  /** The code of the refusal of a change that would leave a task in an invalid state. */
  broken(was: Task | undefined, task: Task): string | undefined {
    const moved = was?.parent !== task.parent;
    const settled = !moved && was?.status === task.status && was.deleted_at === task.deleted_at;
    if (!settled && this.orphans(task)) return 'conflict';
    if ((moved || !isDeepStrictEqual(was?.blocked_by, task.blocked_by)) && this.circles(task.id)) return 'conflict';
    return moved && this.depth(task.parent) + this.height(task.id) > 5 ? 'invalid' : undefined;
  }

  /** Whether its project is archived. */
  inArchivedProject = (task: Task): boolean =>
    task.project !== null && Boolean(this.projects.get(task.project)?.archived_at);

  openBlockers = (task: Task): number =>
    task.blocked_by.filter((id) => this.tasks.has(id) && isOpen(this.task(id))).length;
  openSubtasks = (task: Task): number => this.children(task.id).filter(isOpen).length;
  unblocked = (task: Task): boolean => isOpen(task) && this.openBlockers(task) === 0 && this.openSubtasks(task) === 0;

  /** The ancestors of a task, which include itself if they form a cycle. */
  above(task: Task): Task[] {
    const above = new Set<Task>();
    const up = (id: number | null) => (id === null ? undefined : this.tasks.get(id));
    for (let at = up(task.parent); at && !above.has(at); at = up(at.parent)) above.add(at);
    return [...above];
  }

  /** The nearest ancestor of an open task that is blocked or starts later. */
  waitsWith(task: Task, now: string): Task | undefined {
    const holds = (each: Task) => isOpen(each) && (this.openBlockers(each) > 0 || !hasStarted(each, now));
    return isOpen(task) ? this.above(task).find(holds) : undefined;
  }

  /** Whether it can be started now. */
  free = (task: Task, now: string): boolean =>
    this.unblocked(task) && hasStarted(task, now) && !isClaimed(task, now) && !this.waitsWith(task, now);
}

const hasStarted = ({ start }: Task, now: string): boolean =>
  start === null || (start.length === 10 ? parisMidnight(start) : Date.parse(start)) <= Date.parse(now);

/** All data of one user, with its history. */
export class Model extends Draft {
  log: Entry[] = [];
  nextTask = 1;
  nextProject = 1;
  nextComment = 1;

  constructor() {
    super(new Map(), new Map());
  }

  draft = (): Draft => new Draft(structuredClone(this.tasks), structuredClone(this.projects));

  /** Applies a draft: raises versions, and records the differences. */
  commit(
    draft: Draft,
    { now, by, client = by }: Moment,
    batch = this.log.length + 1,
    reverts: number | null = null,
  ): Entry[] {
    const entries: Entry[] = [];
    const record = (entity: Entry['entity'], entity_id: number, version: number, op: string, change: Change) =>
      entries.push({
        seq: this.log.length + entries.length + 1,
        batch,
        reverts,
        at: now,
        by,
        client,
        entity,
        entity_id,
        version,
        op,
        ...change,
      });
    for (const project of draft.projects.values()) {
      const was = this.projects.get(project.id) ?? null;
      const change = differences(PROJECT_FIELDS, was, project);
      if (isEmpty(change)) continue;
      project.version = was ? was.version + 1 : 1;
      record('project', project.id, project.version, projectOperation(was, project), change);
    }
    for (const task of draft.tasks.values()) {
      const was = this.tasks.get(task.id) ?? null;
      if (was && was.claim !== null && isOpen(was) && !isOpen(task))
        Object.assign(task, {
          claimed_by: null,
          claimed_until: null,
          claim: draft.held.has(task.id) ? was.claim : batch,
        });
      const change = differences(TASK_FIELDS, was, task);
      addList(change, 'labels', was?.labels ?? [], task.labels, key);
      addList(change, 'blocked_by', was?.blocked_by ?? [], task.blocked_by, String);
      const apart = isEmpty(change);
      const claims = differences(CLAIM_FIELDS, was, task);
      Object.assign(change.before, claims.before);
      Object.assign(change.after, claims.after);
      addList(change, 'comments', was?.comments ?? [], task.comments, (comment) => String(comment.id));
      if (isEmpty(change)) continue;
      if (!apart || !was) {
        task.version = was ? was.version + 1 : 1;
        Object.assign(task, { updated_at: now, updated_by: by });
      }
      record('task', task.id, task.version, taskOperation(was, task), change);
    }
    for (const [id, task] of draft.tasks) this.tasks.set(id, task);
    for (const [id, project] of draft.projects) this.projects.set(id, project);
    this.nextTask = Math.max(this.nextTask, ...[...this.tasks.keys()].map((id) => id + 1));
    this.nextProject = Math.max(this.nextProject, ...[...this.projects.keys()].map((id) => id + 1));
    this.log.push(...entries);
    return entries;
  }

  /** Whether a write has been undone, by an undo that was not itself undone. */
  undone = (batch: number): boolean => this.log.some((entry) => entry.reverts === batch && !this.undone(entry.batch));
}

type Change = Pick<Entry, 'before' | 'after'>;

const isEmpty = ({ before, after }: Change) => Object.keys({ ...before, ...after }).length === 0;

function differences<T extends object>(fields: readonly (keyof T & string)[], was: T | null, is: T): Change {
  const names = fields.filter((field) => !isDeepStrictEqual(was?.[field] ?? null, is[field] ?? null));
  const pick = (from: T) => Object.fromEntries(names.map((name) => [name, from[name]]));
  return { before: was ? pick(was) : {}, after: pick(is) };
}

function addList<T>(change: Change, field: string, was: T[], is: T[], keyOf: (each: T) => string): void {
  const missingIn = (from: T[], all: T[]) => from.filter((each) => !all.some((other) => keyOf(other) === keyOf(each)));
  const [removed, added] = [missingIn(was, is), missingIn(is, was)];
  if (removed.length > 0) change.before[field] = removed;
  if (added.length > 0) change.after[field] = added;
}

function taskOperation(was: Task | null, is: Task): string {
  if (!was) return 'create';
  if (is.deleted_at && !was.deleted_at) return 'delete';
  if (was.deleted_at && !is.deleted_at) return 'restore';
  if (is.status === 'completed' && was.status !== 'completed') return 'complete';
  if (is.version !== was.version) return 'update';
  if (is.comments.length !== was.comments.length) return 'comment';
  return is.claimed_by === null ? 'release' : 'claim';
}

function projectOperation(was: Project | null, is: Project): string {
  if (!was) return 'create';
  if (was.merged_into !== is.merged_into) return is.merged_into === null ? 'restore' : 'merge';
  if (is.deleted_at && !was.deleted_at) return 'delete';
  if (was.deleted_at && !is.deleted_at) return 'restore';
  return is.archived_at && !was.archived_at ? 'archive' : 'update';
}

/** Returns the project with a name, created if needed; undefined if it is archived. */
export function findOrCreateProject(draft: Draft, name: string): Project | undefined {
  const found = draft.named(name);
  if (found) return found.archived_at === null ? found : undefined;
  const id = 1 + Math.max(0, ...draft.projects.keys());
  const project = { id, name, archived_at: null, merged_into: null, deleted_at: null, version: 1 };
  draft.projects.set(id, project);
  return project;
}

export const sortedLabels = (labels: string[]) => {
  const unique = labels.filter((label, i) => labels.findIndex((other) => key(other) === key(label)) === i);
  return unique.sort((a, b) => (key(a) < key(b) ? -1 : 1));
};
