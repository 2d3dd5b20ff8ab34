import { conflict } from '../../errors.js';
import { childrenOf, parentRefusal } from '../family.js';
import type { Gathered } from '../gather.js';
import type { Entry, LaterEntry } from '../history.js';
import { type Failure, planRefusal } from '../judge.js';
import { uniqueLabels } from '../labels.js';
import { holderOf } from '../lease.js';
import { nameKey } from '../names.js';
import { isGone, type Project } from '../project.js';
import {
  type Comment,
  changedFields,
  isTaskField,
  type ProjectEdit,
  projectDifferences,
  projectStillHas,
  STATUS_FIELDS,
  stillAsMade,
  stillHas,
  withField,
  withProjectField,
} from '../record.js';
import { areOfOneSeries, reopenInsteadHint } from '../recurrence/series.js';
import { settle } from '../settle.js';
import { isOpenStatus, isOpenTask, MAX_BLOCKERS, MAX_LABELS, type Status, type Task } from '../task.js';
import type { WriteContext } from '../write.js';
import { findTwoOpen, seriesGroupOf, togglesSeries } from './series-group.js';

/** The data that an undo is decided from. */
export interface State extends Gathered {
  /** The writes to undo, newest first. */
  batches: number[];
  /** How many were asked for. */
  asked: number;
  entries: Entry[];
  later: LaterEntry[];
  /** Ids of projects to be removed that have tasks other than those in `entries`. */
  projectsInUse: Set<number>;
  /** Task id by comment id: existing comments mentioned in `entries`, and all on tasks that `entries` created. */
  comments: Map<number, number>;
}

/** Whether undoing a change removes a project. */
export const endsProject = ({ entity, op, before }: Entry): boolean =>
  entity === 'project' && (op === 'create' || Boolean(before.deleted_at ?? before.merged_into));

export const commentsIn = (recorded: Entry['before']) => (recorded.comments ?? []) as Comment[];

/** Fields that determine which task of a series is open. */
const GROUP_FIELDS = [...STATUS_FIELDS, 'deleted_at'];

/** Undoes one write. */
export class Reversal {
  /** Changed tasks as the undo leaves them, by id. */
  private readonly after = new Map<number, Task>();
  /** Comments to add and remove, by task id. */
  private readonly commentChanges = new Map<number, { added: Comment[]; removed: Comment[] }>();
  private readonly projectsAfter = new Map<number, Project>();
  private readonly failed: Failure[] = [];
  private readonly entries: Entry[];
  /** Changes made after this write, newest first. */
  private readonly later: LaterEntry[];
  /** Ids of closed repeating tasks and of their next tasks: all of them are reverted, or none. */
  private readonly seriesGroup: Set<number>;
  /** Whether the series group cannot be reverted. */
  private seriesGroupFailed = false;

  constructor(
    private readonly state: State,
    private readonly batch: number,
    private readonly tasks: ReadonlyMap<number, Task>,
    private readonly projects: ReadonlyMap<number, Project>,
    private readonly commentTasks: ReadonlyMap<number, number>,
    private readonly context: WriteContext,
  ) {
    this.entries = state.entries.filter((entry) => entry.batch === batch).reverse();
    this.later = state.later.filter((each) => each.batch > batch);
    this.seriesGroup = seriesGroupOf(this.entries);
  }

  run() {
    for (const entry of this.entries) if (entry.entity === 'project' && !endsProject(entry)) this.revertProject(entry);
    const tasks = this.entries.filter((entry) => entry.entity === 'task');
    this.seriesGroupFailed = this.nextChanged();
    for (const entry of tasks)
      if (this.seriesGroupFailed && this.seriesGroup.has(entry.entityId)) continue;
      else if (entry.op === 'create') this.removeTask(entry.entityId);
      else this.revertTask(entry);
    const bothOpen = findTwoOpen(this.seriesGroup, new Map([...this.tasks, ...this.after]));
    if (bothOpen) {
      const [one, other] = bothOpen;
      const reason = `#${one.id} and #${other.id} of the same series would both be open.`;
      this.leaveSeriesGroup(reason, reopenInsteadHint(one, other));
    } else if (this.seriesGroupFailed) this.leaveSeriesGroup();
    this.judge();
    for (const entry of this.entries.filter(endsProject))
      if (entry.op === 'create') this.removeProject(entry);
      else this.revertProject(entry);
    const ids = new Set([...this.after.keys(), ...this.commentChanges.keys()]);
    const proposals = [...ids].map((id) => ({
      after: this.taskNow(id) as Task,
      commented: this.commentChanges.get(id),
      reverts: this.batch,
    }));
    const projects = [...this.projectsAfter.values()]
      .map((after): ProjectEdit => ({ before: this.projects.get(after.id) ?? null, after, reverts: this.batch }))
      .filter((edit) => Object.keys(projectDifferences(edit).after).length > 0)
      .map((edit) => ({ ...edit, after: { ...edit.after, version: edit.after.version + 1 } }));
    return { ...settle(this.tasks, proposals, this.context), projects, failed: this.failed };
  }

  private taskNow = (id: number) => this.after.get(id) ?? this.tasks.get(id);
  private projectNow = (id: number) => this.projectsAfter.get(id) ?? this.projects.get(id);

  /** Reports a task or project that is left as it is, fully or in part. */
  private reportFailure(
    id: number | string,
    reason: string,
    hint = 'It was left unchanged; change it yourself if needed.',
  ) {
    this.failed.push({ id, ...conflict(reason, hint).body });
  }

  /** Returns the author of the latest change since, of these fields if given: ` since, by claude (u57)`. */
  private since(entity: Entry['entity'], id: number, fields?: string[]): string {
    const change = this.later.find(
      (each) =>
        each.entity === entity &&
        each.entityId === id &&
        (!fields || each.fields.some((field) => fields.includes(field))),
    );
    return change ? ` since, by ${change.by} (u${change.batch})` : ' since';
  }

  private revertTask({ entityId: id, before, after }: Entry) {
    const now = this.taskNow(id);
    if (!now) {
      this.seriesGroupFailed ||= this.seriesGroup.has(id);
      return this.reportFailure(id, `#${id} no longer exists.`, 'Add it again if it is needed.');
    }
    const reason = before.deleted_at && !now.deletedAt ? this.workOfOthers(now) : undefined;
    if (reason) return this.leaveWork(id, reason);
    let task = now;
    const fields = changedFields({ before, after }).filter(isTaskField);
    const independent = fields.filter((field) => !STATUS_FIELDS.includes(field));
    // `deleted_at` first: a task that ends up in the trash may have a parent in the trash.
    independent.sort((a, b) => Number(b === 'deleted_at') - Number(a === 'deleted_at'));
    const groups = [fields.filter((field) => STATUS_FIELDS.includes(field)), ...independent.map((field) => [field])];
    for (const group of groups.filter((each) => each.length > 0)) {
      const current = task;
      const differ = group.filter((field) => !stillHas(current, field, after[field] ?? null));
      if (differ.length > 0) {
        this.seriesGroupFailed ||= this.seriesGroup.has(id) && group.some((field) => GROUP_FIELDS.includes(field));
        if (!group.every((field) => stillHas(current, field, before[field] ?? null)))
          this.reportFailure(id, `#${id}: ${differ[0]} was changed${this.since('task', id, differ)}.`);
        continue;
      }
      const refusal = this.fieldReason(current, group, before);
      if (refusal) {
        this.reportFailure(id, refusal);
        this.seriesGroupFailed ||= this.seriesGroup.has(id) && group.some((field) => GROUP_FIELDS.includes(field));
      } else for (const field of group) task = withField(task, field, before[field] ?? null);
    }
    const { due, status, completedAt, repeats } = now;
    if (task.repeats && !task.due) {
      this.reportFailure(id, `#${id} would repeat without a due date.`);
      this.seriesGroupFailed ||= this.seriesGroup.has(id);
      task = { ...task, due, status, completedAt, repeats };
    }
    if (task.projectId !== now.projectId)
      task = { ...task, project: task.projectId === null ? null : (this.projectNow(task.projectId)?.name ?? null) };
    if (task.status !== now.status && 'note' in after && task.note === after.note)
      task = { ...task, note: (before.note ?? null) as string | null };
    this.after.set(id, this.revertLists(task, { before, after }));
  }

  /** Returns why a group of fields cannot be reverted although nobody changed them, or undefined. */
  private fieldReason(task: Task, group: string[], before: Entry['before']): string | undefined {
    const [field] = group as [string];
    const value = before[field];
    if (group.includes('status') && !isOpenStatus(before.status as Status)) {
      const reason = this.claimOfOthers(task);
      return reason && `#${task.id} ${reason}.`;
    }
    if (field === 'project' && typeof value === 'number') {
      const project = this.projectNow(value);
      if (!project || isGone(project))
        return `#${task.id}: its former project${project ? ` "${project.name}"` : ''} no longer exists.`;
    }
    if (field === 'parent' && typeof value === 'number') {
      const parent = this.taskNow(value);
      if (!parent || (parent.deletedAt && !task.deletedAt))
        return `#${task.id}: its former parent #${value} was deleted.`;
      const family = new Map([...this.tasks, ...this.after]);
      return parentRefusal(family, parent, task.id)?.body.message;
    }
    return undefined;
  }

  /** Reverts labels, blockers and comments item by item. */
  private revertLists(task: Task, { before, after }: Pick<Entry, 'before' | 'after'>): Task {
    const list = <T>(from: Entry['before'], field: string) => (from[field] ?? []) as T[];
    const added = list<string>(after, 'labels').map(nameKey);
    const labels = task.labels.filter((label) => !added.includes(nameKey(label)));
    const labelled = new Set(labels.map(nameKey));
    const lost = list<string>(before, 'labels').filter((label) => !labelled.has(nameKey(label)));
    const lostBlockers = list<number>(before, 'blocked_by').filter((id) => {
      if (!this.taskNow(id)) this.reportFailure(task.id, `#${task.id}: its former blocker #${id} no longer exists.`);
      return this.taskNow(id) !== undefined;
    });
    const addedBlockers = list<number>(after, 'blocked_by');
    const blockers = task.blockedBy.filter((id) => !addedBlockers.includes(id));
    const written = commentsIn(after).filter(({ id }) => this.commentTasks.has(id));
    const erased = commentsIn(before).filter(({ id }) => !this.commentTasks.has(id));
    if (written.length + erased.length > 0) {
      const known = this.commentChanges.get(task.id) ?? { added: [], removed: [] };
      const dated = (comments: Comment[]) => comments.map((each) => ({ ...each, at: new Date(each.at) }));
      this.commentChanges.set(task.id, {
        added: [...known.added, ...dated(erased)],
        removed: [...known.removed, ...dated(written)],
      });
    }
    return {
      ...task,
      labels: uniqueLabels(this.withinLimit(task.id, 'labels', MAX_LABELS, labels, lost)),
      blockedBy: this.withinLimit(task.id, 'blockers', MAX_BLOCKERS, blockers, lostBlockers).sort((a, b) => a - b),
    };
  }

  /** Adds the lost items back to a list, unless that exceeds the limit because others were added since. */
  private withinLimit<T>(id: number, what: string, most: number, items: T[], lost: T[]): T[] {
    const all = [...new Set([...items, ...lost])];
    if (all.length <= most) return all;
    this.reportFailure(id, `#${id} would have ${all.length} ${what} (limit ${most}), because others were added since.`);
    return items;
  }

  /** Moves a task that the write created to the trash, unless someone else changed it since or has claimed it. */
  private removeTask(id: number) {
    const task = this.taskNow(id);
    if (!task || task.deletedAt) return;
    const reason = this.workOfOthers(task);
    if (reason) return this.leaveWork(id, reason);
    this.after.set(id, { ...task, deletedAt: this.context.now });
  }

  /** Returns a later change by someone else that is still in effect, or their claim; undefined if there is neither. */
  private workOfOthers(task: Task): string | undefined {
    if (this.seriesGroup.has(task.id)) return undefined; // checked by nextChanged()
    return this.changeOfOthers('task', task.id) ?? this.claimOfOthers(task);
  }

  private claimOfOthers = (task: Task): string | undefined =>
    task.claimed && task.claimedBy !== this.context.by ? `is claimed by ${holderOf(task, this.context)}` : undefined;

  private leaveWork = (id: number, reason: string) =>
    this.reportFailure(id, `#${id} ${reason}.`, 'It was left unchanged; delete it with delete_task if needed.');

  private changeOfOthers(entity: Entry['entity'], id: number): string | undefined {
    const change = inEffect(this.later).find(
      (each) => each.entity === entity && each.entityId === id && each.by !== this.context.by,
    );
    return change && `was changed since, by ${change.by} (u${change.batch})`;
  }

  private revertProject({ entityId: id, before, after }: Entry) {
    const project = this.projectNow(id);
    if (!project) return;
    const fields = changedFields({ before, after });
    const differ = fields.filter((field) => !projectStillHas(project, field, after[field] ?? null));
    if (differ.length > 0)
      return this.reportFailure(
        project.name,
        `The project "${project.name}" was changed${this.since('project', id, differ)}.`,
      );
    const restored = fields.reduce((each, field) => withProjectField(each, field, before[field] ?? null), project);
    const holder = this.projectCalled(restored.name);
    if (!isGone(restored) && holder && holder.id !== id)
      return this.reportFailure(
        restored.name,
        `Another project is called "${holder.name}" now.`,
        'Rename or merge it with update_project.',
      );
    const reason = isGone(restored) && !isGone(project) ? this.changeOfOthers('project', id) : undefined;
    if (reason) return this.reportFailure(project.name, `The project "${project.name}" ${reason}.`);
    if (isGone(restored) && !isGone(project) && (this.state.projectsInUse.has(id) || this.tasksIn(id).length > 0))
      return this.reportFailure(
        project.name,
        `The project "${project.name}" has tasks that were added to it since.`,
        'Move them, or merge it with update_project.',
      );
    this.projectsAfter.set(id, restored);
  }

  /** Returns the loaded tasks that are in a project now. */
  private tasksIn = (id: number): Task[] =>
    [...new Map([...this.tasks, ...this.after]).values()].filter((task) => task.projectId === id);

  private projectCalled(name: string): Project | undefined {
    const all = new Map([...this.projects, ...this.projectsAfter]);
    return [...all.values()].find((each) => !isGone(each) && nameKey(each.name) === nameKey(name));
  }

  /** Removes a project that the write created, unless other tasks are in it now. */
  private removeProject({ entityId: id }: Entry) {
    const project = this.projectNow(id);
    if (!project || isGone(project)) return;
    const reason = this.changeOfOthers('project', id);
    if (reason) return this.reportFailure(project.name, `The project "${project.name}" ${reason}.`);
    const members = this.tasksIn(id);
    const trashed = members.filter((task) => task.deletedAt && !this.tasks.get(task.id)?.deletedAt);
    if (this.state.projectsInUse.has(id) || members.length > trashed.length) return;
    for (const task of trashed) this.after.set(task.id, { ...task, projectId: null, project: null });
    this.projectsAfter.set(id, { ...project, deletedAt: this.context.now });
  }

  /**
   * Checks whether the next task of a series, which this undo would remove, was changed since it was made or restored.
   * If so, reports the closed tasks before it.
   */
  private nextChanged(): boolean {
    const following = this.entries.filter(
      ({ entity, entityId, op, before }) =>
        entity === 'task' && this.seriesGroup.has(entityId) && (op === 'create' || Boolean(before.deleted_at)),
    );
    for (const entry of following) {
      const { entityId: id } = entry;
      const reason = this.workOnNext(entry);
      if (!reason) continue;
      const [closed, ...more] = this.toggledIds();
      const follows = more.length > 0 ? 'was closed in one write with others, creating' : 'is followed by';
      for (const each of [closed, ...more] as number[]) {
        const series = this.seriesFrom(each);
        const next = series.find((task) => following.some(({ entityId }) => entityId === task.id));
        const open = series.find(isOpenTask);
        const touched =
          next && next.id !== id && more.length === 0 ? `#${next.id}, whose sub-task #${id}` : `#${id}, which`;
        this.reportFailure(
          each,
          `#${each} ${follows} ${touched} ${reason}.`,
          open && reopenInsteadHint({ id: each, repeats: null }, open),
        );
      }
      return true;
    }
    return false;
  }

  /**
   * Returns how the next task of a series was changed since. If the write created it, any change counts; if the write
   * restored it, only its closing, a new sub-task, or a change by someone else. A claim by someone else always counts.
   */
  private workOnNext({ entityId: id, op, after }: Entry): string | undefined {
    const task = this.tasks.get(id);
    const changed = `was changed${this.since('task', id)}`;
    if (!task) return op === 'create' ? changed : undefined;
    if (op !== 'create' && !isOpenTask(task)) return changed;
    const child = [...this.tasks.values()].some(
      (each) => each.parentId === id && !each.deletedAt && !this.seriesGroup.has(each.id),
    );
    const remarked = op === 'create' && [...this.commentTasks.values()].includes(id);
    if (child || remarked || (op === 'create' && !stillAsMade(task, after))) return changed;
    return (op === 'create' ? undefined : this.changeOfOthers('task', id)) ?? this.claimOfOthers(task);
  }

  /** Returns the loaded tasks that follow a task in its series. */
  private seriesFrom = (id: number): Task[] => {
    const task = this.tasks.get(id);
    return [...this.tasks.values()].filter((each) => task && each.id > id && areOfOneSeries(task, each));
  };

  /** Returns the ids of the repeating tasks that the write closed or reopened. */
  private toggledIds = () => this.entries.filter(togglesSeries).map((entry) => entry.entityId);

  /** Leaves the whole series group as it is, and reports each repeating task that the write closed or reopened. */
  private leaveSeriesGroup(reason?: string, hint?: string) {
    for (const id of this.seriesGroup) {
      this.after.delete(id);
      this.commentChanges.delete(id);
    }
    for (const id of this.toggledIds())
      if (!this.failed.some((failure) => failure.id === id))
        this.reportFailure(
          id,
          reason ?? `#${id} can only be reverted together with the other task of its series.`,
          hint,
        );
  }

  /** Drops changes that would violate a rule on parents or dependencies, until no change does. */
  private judge() {
    for (let settled = false; !settled; ) {
      settled = true;
      const all = new Map([...this.tasks, ...this.after]);
      for (const [id, task] of this.after) {
        const reason = this.trashReason(task, all) ?? planRefusal(this.tasks, all, [task])?.body.message;
        if (!reason) continue;
        this.reportFailure(id, reason);
        this.after.delete(id);
        this.commentChanges.delete(id);
        if (this.seriesGroup.has(id)) this.leaveSeriesGroup();
        settled = false;
        break;
      }
    }
  }

  /** Returns why a task cannot be moved to the trash: one of its sub-tasks stays. */
  private trashReason(task: Task, all: ReadonlyMap<number, Task>): string | undefined {
    if (!task.deletedAt || this.tasks.get(task.id)?.deletedAt) return undefined;
    const child = childrenOf(all, task.id).find((each) => !each.deletedAt);
    return child && `#${task.id} cannot be deleted: its sub-task #${child.id} stays.`;
  }
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
