import { conflict } from '../../errors.js';
import type { Failure } from '../judge.js';
import { holderOf } from '../lease.js';
import type { Project } from '../project.js';
import type { Comment } from '../record.js';
import type { Task } from '../task.js';
import type { WriteContext } from '../write.js';
import type { Entry, LaterEntry } from './past-writes.js';

interface Known {
  tasks: ReadonlyMap<number, Task>;
  projects: ReadonlyMap<number, Project>;
  /** Ids of projects to be removed that have tasks other than `tasks`. */
  projectsInUse: ReadonlySet<number>;
  /** Task id by comment id: the comments that exist. */
  comments: ReadonlyMap<number, number>;
  /** Changes made after the write, newest first, except those that the same call undoes. */
  later: LaterEntry[];
}

/** Tasks and projects as the undo of a write leaves them, as far as it has come, and what could not be reverted. */
export class Draft {
  /** Changed tasks, by id. */
  readonly tasks = new Map<number, Task>();
  /** Changed projects, by id. */
  readonly projects = new Map<number, Project>();
  /** Comments to add and remove, by task id. */
  readonly comments = new Map<number, { added: Comment[]; removed: Comment[] }>();
  readonly failed: Failure[] = [];
  #inEffect: LaterEntry[] | undefined;

  constructor(
    /** Everything as it is without the undo. */
    readonly known: Known,
    readonly context: WriteContext,
  ) {}

  task = (id: number): Task | undefined => this.tasks.get(id) ?? this.known.tasks.get(id);
  project = (id: number): Project | undefined => this.projects.get(id) ?? this.known.projects.get(id);
  allTasks = (): Map<number, Task> => new Map([...this.known.tasks, ...this.tasks]);
  allProjects = (): Map<number, Project> => new Map([...this.known.projects, ...this.projects]);
  tasksIn = (project: number): Task[] => [...this.allTasks().values()].filter((task) => task.projectId === project);

  /** Leaves a task as it is without the undo. */
  drop(id: number): void {
    this.tasks.delete(id);
    this.comments.delete(id);
  }

  /** Reports a task or project that is left as it is, fully or in part. */
  fail(id: number | string, reason: string, hint = 'It was left unchanged; change it yourself if needed.'): void {
    this.failed.push({ id, ...conflict(reason, hint).body });
  }

  /** Says who made the latest change since, to these fields if given: ` since, by claude (u57)`. */
  saySince(entity: Entry['entity'], id: number, fields?: string[]): string {
    const change = this.known.later.find(
      (each) =>
        each.entity === entity &&
        each.entityId === id &&
        (!fields || each.fields.some((field) => fields.includes(field))),
    );
    return change ? ` since, by ${change.by} (u${change.batch})` : ' since';
  }

  /** Says that someone else made a later change that is still in effect: `was changed since, by claude (u57)`. */
  sayChangeOfOthers(entity: Entry['entity'], id: number): string | undefined {
    this.#inEffect ??= inEffect(this.known.later);
    const change = this.#inEffect.find(
      (each) => each.entity === entity && each.entityId === id && each.by !== this.context.by,
    );
    return change && `was changed since, by ${change.by} (u${change.batch})`;
  }

  /** Says that someone else has claimed the task: `is claimed by claude until 16:30`. */
  sayClaimOfOthers = (task: Task): string | undefined =>
    task.claimed && task.claimedBy !== this.context.by ? `is claimed by ${holderOf(task, this.context)}` : undefined;

  sayWorkOfOthers = (task: Task): string | undefined =>
    this.sayChangeOfOthers('task', task.id) ?? this.sayClaimOfOthers(task);
}

/** Drops undos and the changes that they undid, per task or project. Takes and returns the newest first. */
function inEffect(later: LaterEntry[]): LaterEntry[] {
  const undone = new Set<string>();
  return later.filter(({ batch, reverts, entity, entityId }) => {
    if (undone.has(`${batch} ${entity} ${entityId}`)) return false;
    if (reverts !== null) undone.add(`${reverts} ${entity} ${entityId}`);
    return reverts === null;
  });
}
