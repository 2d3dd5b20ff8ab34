import { isDeepStrictEqual } from 'node:util';
import {
  accepted,
  type Draft,
  isClaimed,
  isGone,
  isOpen,
  isOpenStatus,
  key,
  type Model,
  type Moment,
  type Prediction,
  refused,
} from './model.js';
import { type Comment, type Entry, isClaiming, TASK_FIELDS, type Task } from './tables.js';
import { readinessChanges } from './update.js';

/** Undoes writes, newest first. */
export function undo(model: Model, input: { undo?: string; last?: number }, moment: Moment): Prediction {
  const { undo: handle, last } = input;
  if ((handle === undefined) === (last === undefined)) return refused('invalid');
  const batches: number[] = [];
  if (handle !== undefined) {
    const number = Number(/^u?([1-9]\d*)$/i.exec(handle)?.[1]);
    if (Number.isNaN(number)) return refused('invalid');
    if (!model.log.some((entry) => entry.batch === number)) return refused('not_found');
    if (model.undone(number)) return refused('conflict');
    if (model.log.every((entry) => entry.batch !== number || isClaiming(entry.op))) return refused('conflict');
    batches.push(number);
  } else {
    const own = model.log.filter(
      (entry) => entry.client === moment.by && entry.reverts === null && !isClaiming(entry.op),
    );
    const left = [...new Set(own.map((entry) => entry.batch))].filter((batch) => !model.undone(batch));
    batches.push(...left.reverse().slice(0, last));
    if (batches.length === 0) return refused('not_found');
  }
  const failed = new Map<number | string, Set<string>>();
  const mayFail = new Set<number | string>();
  const batch = model.log.length + 1;
  const before = model.draft();
  const written: Entry[] = [];
  for (const each of batches) {
    const reversal = new Reversal(model, each, moment);
    const draft = reversal.run();
    for (const id of reversal.failed) failed.set(id, new Set(['conflict']));
    for (const id of reversal.mayFail) mayFail.add(id);
    written.push(...model.commit(draft, moment, batch, each));
  }
  if (written.length === 0) return refused('conflict');
  return accepted({ failed, mayFail, ...readinessChanges(model, before, written, moment) });
}

/** Fields that are restored together or not at all. */
const TOGETHER = ['status', 'completed_at', 'repeats'];

class Reversal {
  readonly failed = new Set<number | string>();
  readonly mayFail = new Set<number | string>();
  private readonly draft: Draft;
  private readonly entries: Entry[];
  private readonly bundle: Set<number>;

  constructor(
    private readonly model: Model,
    private readonly batch: number,
    private readonly moment: Moment,
  ) {
    this.draft = model.draft();
    this.entries = model.log.filter((entry) => entry.batch === batch).reverse();
    this.bundle = bundleOf(this.entries);
  }

  run(): Draft {
    const tasks = this.entries.filter((entry) => entry.entity === 'task');
    const projects = this.entries.filter((entry) => entry.entity === 'project');
    for (const entry of projects) if (entry.op !== 'create' && !this.removes(entry)) this.project(entry);
    let broken = this.isSeriesChanged(tasks);
    for (const entry of tasks) if (!(broken && this.bundle.has(entry.entity_id))) broken = !this.task(entry) || broken;
    if (broken || this.leavesTwoOpen()) this.keep(this.bundle);
    this.settle([...new Set(tasks.map((entry) => entry.entity_id))]);
    for (const entry of projects)
      if (entry.op === 'create') this.unmake(entry.entity_id);
      else if (this.removes(entry)) this.project(entry);
    return this.draft;
  }

  /** Whether undoing this change deletes or merges the project again. */
  private removes = ({ before, after }: Entry) =>
    (before.deleted_at ?? before.merged_into ?? null) !== null &&
    (after.deleted_at ?? after.merged_into ?? null) === null;

  private project({ entity_id: id, before, after, op }: Entry): void {
    const is = this.draft.projects.get(id);
    if (!is) return;
    const fields = Object.keys({ ...before, ...after }) as ['name'];
    const was = { ...is, ...before };
    const holder = this.draft.named(was.name);
    const taken = !isGone(was) && holder !== undefined && holder.id !== id;
    const inUse = isGone(was) && !isGone(is) && [...this.draft.tasks.values()].some((task) => task.project === id);
    if (fields.some((field) => is[field] !== after[field])) this.failed.add(is.name);
    else if (isGone(was) && !isGone(is) && this.isChangedByOthers('project', id)) this.failed.add(is.name);
    else if (taken || inUse) this.failed.add(was.name);
    else Object.assign(is, before);
    if (op === 'create') throw new Error('the creation of a project is undone by `unmake`');
  }

  /** Deletes a project that was created implicitly with a task, if nothing else is in it. */
  private unmake(id: number): void {
    const project = this.draft.projects.get(id);
    if (!project || isGone(project)) return;
    if (this.isChangedByOthers('project', id)) {
      this.failed.add(project.name);
      return;
    }
    const contents = [...this.draft.tasks.values()].filter((task) => task.project === id);
    const trashed = (task: Task) => task.deleted_at !== null && this.model.task(task.id).deleted_at === null;
    if (!contents.every(trashed)) return;
    for (const task of contents) task.project = null;
    project.deleted_at = this.moment.now;
  }

  /** Whether the next task of a series was changed since it was created, or changed or claimed by others since it was restored. */
  private isSeriesChanged(entries: Entry[]): boolean {
    return entries
      .filter(({ entity_id: id, op, before }) => this.bundle.has(id) && (op === 'create' || before.deleted_at))
      .some(({ entity_id: id, op, after }) => {
        const task = this.draft.task(id);
        const child = this.draft.children(id).some((each) => each.deleted_at === null && !this.bundle.has(each.id));
        if (child || this.isClaimedByOthers(task)) return true;
        if (op !== 'create') return this.isChangedByOthers('task', id) || !isOpen(task);
        const same = TASK_FIELDS.every((field) => isDeepStrictEqual(task[field], after[field] ?? null));
        const labels = isDeepStrictEqual(task.labels, after.labels ?? []);
        const blockers = isDeepStrictEqual(task.blocked_by, after.blocked_by ?? []);
        return !(same && labels && blockers) || task.comments.length > 0;
      });
  }

  /** Whether two tasks of a series would be open, one of them in the bundle. */
  private leavesTwoOpen(): boolean {
    const open = [...this.draft.tasks.values()].filter((task) => task.repeats && isOpen(task));
    return open.some(
      (one) =>
        this.bundle.has(one.id) &&
        open.some((other) => one !== other && (other.series ?? other.id) === (one.series ?? one.id)),
    );
  }

  /** Whether another client has changed a task since this write, or has claimed it. */
  private isOthers = (task: Task): boolean => this.isChangedByOthers('task', task.id) || this.isClaimedByOthers(task);

  private isClaimedByOthers = ({ id, claimed_by }: Task): boolean =>
    isClaimed(this.model.task(id), this.moment.now) && claimed_by !== this.moment.by;

  private isChangedByOthers(entity: Entry['entity'], id: number): boolean {
    return this.model.log.some(
      (entry) =>
        entry.entity === entity &&
        entry.entity_id === id &&
        entry.batch > this.batch &&
        entry.by !== this.moment.by &&
        entry.reverts === null &&
        !isClaiming(entry.op) &&
        !this.isTakenBack(entry),
    );
  }

  /** Whether this change was undone, by an undo that was not itself undone. */
  private isTakenBack({ batch, entity, entity_id: id }: Entry): boolean {
    return this.model.log.some(
      (each) => each.reverts === batch && each.entity === entity && each.entity_id === id && !this.isTakenBack(each),
    );
  }

  /** Undoes a change of a task. Returns false if it belongs to a series and could not be restored completely. */
  private task({ entity_id: id, op, before, after }: Entry): boolean {
    const task = this.draft.task(id);
    const goes = task.deleted_at === null && (op === 'create' || (before.deleted_at ?? null) !== null);
    if (goes && !this.bundle.has(id) && this.isOthers(task)) {
      this.failed.add(id);
      return true;
    }
    if (op === 'create') {
      task.deleted_at ??= this.moment.now;
      return true;
    }
    let whole = true;
    const was = { ...task };
    const fields = TASK_FIELDS.filter((field) => field in before || field in after);
    fields.sort((a, b) => Number(b === 'deleted_at') - Number(a === 'deleted_at'));
    const groups = [
      fields.filter((f) => TOGETHER.includes(f)),
      ...fields.filter((f) => !TOGETHER.includes(f)).map((f) => [f]),
    ];
    for (const group of groups) {
      const is = (state: Entry['before']) =>
        group.every((field) => isDeepStrictEqual(task[field], state[field] ?? null));
      const inBundle = this.bundle.has(id) && (group.includes('status') || group.includes('deleted_at'));
      if (is(before) && !is(after)) {
        if (inBundle) whole = false;
        continue;
      }
      if (is(after) && this.possible(task, group, before)) {
        for (const field of group) Object.assign(task, { [field]: before[field] ?? null });
      } else if (group.length > 0) {
        this.failed.add(id);
        if (inBundle) whole = false;
      }
    }
    if (task.repeats && !task.due) {
      for (const field of ['due', ...TOGETHER] as const) Object.assign(task, { [field]: was[field as 'due'] });
      this.failed.add(id);
      if (this.bundle.has(id)) whole = false;
    }
    // The note of a release that closed the task is restored with the status.
    if (task.status !== was.status && 'note' in after && task.note === after.note)
      task.note = (before.note ?? null) as string | null;
    const list = <T>(from: Entry['before'], field: string) => (from[field] ?? []) as T[];
    const kept = task.labels.filter((label) => !list<string>(after, 'labels').some((each) => key(each) === key(label)));
    const back = list<string>(before, 'labels').filter((label) => !kept.some((each) => key(each) === key(label)));
    task.labels = [...kept, ...back].sort((a, b) => (key(a) < key(b) ? -1 : 1));
    const blockers = task.blocked_by.filter((each) => !list<number>(after, 'blocked_by').includes(each));
    task.blocked_by = [...new Set([...blockers, ...list<number>(before, 'blocked_by')])].sort((a, b) => a - b);
    const written = list<Comment>(after, 'comments');
    task.comments = task.comments.filter((comment) => !written.some((each) => each.id === comment.id));
    for (const comment of list<Comment>(before, 'comments'))
      if (!task.comments.some((each) => each.id === comment.id)) task.comments.push(structuredClone(comment));
    task.comments.sort((a, b) => a.id - b.id);
    return whole;
  }

  /** Whether the former project or parent can be restored, and no other client has claimed a task that would be closed. */
  private possible(task: Task, group: string[], before: Entry['before']): boolean {
    const [field] = group;
    const value = before[field as string];
    if (group.includes('status') && !isOpenStatus(before.status as string)) return !this.isClaimedByOthers(task);
    if (field === 'project' && typeof value === 'number') {
      const project = this.draft.projects.get(value);
      return project !== undefined && !isGone(project);
    }
    if (field !== 'parent' || typeof value !== 'number') return true;
    if (this.draft.task(value).deleted_at !== null && task.deleted_at === null) return false;
    return value !== task.id && !this.draft.below(task.id).some(({ id }) => id === value);
  }

  /** Leaves a series unchanged. The answer must name the closed task as failed. */
  private keep(ids: Iterable<number>): void {
    for (const id of ids) {
      const was = this.model.tasks.get(id);
      if (was) this.draft.tasks.set(id, structuredClone(was));
      this.mayFail.add(id);
    }
    const closed = this.entries.filter(
      ({ entity_id: id, op }) => this.bundle.has(id) && op !== 'create' && op !== 'delete' && op !== 'restore',
    );
    for (const { entity_id: id } of closed) this.failed.add(id);
  }

  /** Leaves unchanged what would make families or dependencies invalid, until none is invalid. */
  private settle(order: number[]): void {
    const left = new Set(order);
    for (;;) {
      const wrong = [...left].find((id) => {
        const [was, is] = [this.model.tasks.get(id), this.draft.task(id)];
        const leaves = is.deleted_at !== null && was?.deleted_at === null;
        return (
          (leaves && this.draft.children(id).some((child) => child.deleted_at === null)) || this.draft.broken(was, is)
        );
      });
      if (wrong === undefined) return;
      this.failed.add(wrong);
      const group = this.bundle.has(wrong) ? [...this.bundle] : [wrong];
      for (const id of group) left.delete(id);
      for (const id of group) this.draft.tasks.set(id, structuredClone(this.model.task(id)));
      if (group.length > 1) for (const id of group) this.mayFail.add(id);
    }
  }
}

/** What a write changed by closing a repeating task, handing its rule on or undoing either: undone together or not at all. */
function bundleOf(entries: Entry[]): Set<number> {
  const tasks = entries.filter((entry) => entry.entity === 'task');
  const gain = ({ before, after }: Entry) =>
    'repeats' in after ? Number(!!after.repeats) - Number(!!before.repeats) : 0;
  const moved = ({ before, after }: Entry) => before.deleted_at !== after.deleted_at;
  const along = (one: Entry, other: Entry) => one.reverts === other.reverts;
  const toggled = tasks.filter(
    (entry) =>
      entry.op !== 'create' &&
      gain(entry) !== 0 &&
      (entry.after.status ||
        tasks.some((each) => each.op !== 'create' && moved(each) && along(each, entry) && gain(each) === -gain(entry))),
  );
  if (toggled.length === 0) return new Set();
  const made = tasks.filter(
    (entry) => (entry.op === 'create' || moved(entry)) && toggled.some((each) => along(each, entry)),
  );
  return new Set([...toggled, ...made].map((entry) => entry.entity_id));
}
