import { stillAsMade } from '../record.js';
import { areOfOneSeries, reopenInsteadHint } from '../recurrence/series.js';
import { isOpenTask, type Task } from '../task.js';
import type { Draft } from './draft.js';
import type { Entry } from './past-writes.js';

/**
 * The repeating tasks that a write closed or reopened, or that carry a series on because it deleted another, and the
 * tasks that it created, deleted or restored along with them. All of them are reverted, or none: otherwise two tasks of a
 * series would be open, or have its rule.
 */
export class SeriesGroup {
  readonly #ids: ReadonlySet<number>;
  /** Ids of the repeating tasks that the write closed or reopened, or that carry a series on. */
  readonly #toggled: readonly number[];

  constructor(
    private readonly entries: Entry[],
    private readonly draft: Draft,
  ) {
    const toggling = entries.filter((entry) => togglesSeries(entry, entries));
    const along = entries.filter(
      ({ entity, op, reverts }) =>
        entity === 'task' &&
        ['create', 'delete', 'restore'].includes(op) &&
        toggling.some((each) => each.reverts === reverts),
    );
    this.#toggled = [...new Set(toggling.map((entry) => entry.entityId))];
    this.#ids = new Set([...toggling, ...along].map((entry) => entry.entityId));
  }

  has = (id: number): boolean => this.#ids.has(id);

  /** Leaves the whole group as it is, and reports each of `#toggled`. */
  leave(reason?: string, hint?: string): void {
    for (const id of this.#ids) this.draft.drop(id);
    for (const id of this.#toggled)
      if (!this.draft.failed.some((failure) => failure.id === id))
        this.draft.fail(id, reason ?? `#${id} can only be reverted together with the other task of its series.`, hint);
  }

  /** Leaves the group as it is if two tasks of one series, the first of them in the group, would be open. */
  leaveIfTwoOpen(): boolean {
    const open = [...this.draft.allTasks().values()].filter((task) => task.repeats && isOpenTask(task));
    for (const one of open.filter(({ id }) => this.has(id))) {
      const other = open.find((each) => areOfOneSeries(one, each));
      if (!other) continue;
      const reason = `#${one.id} and #${other.id} of the same series would both be open.`;
      this.leave(reason, reopenInsteadHint(one.id, other));
      return true;
    }
    return false;
  }

  /**
   * Checks whether the next task of a series, which the undo would remove, was changed since it was made or restored.
   * If so, reports the closed tasks before it.
   */
  reportIfNextChanged(): boolean {
    const following = this.entries.filter(
      ({ entity, entityId, op, before }) =>
        entity === 'task' && this.has(entityId) && (op === 'create' || Boolean(before.deleted_at)),
    );
    for (const entry of following) {
      const { entityId: id } = entry;
      const reason = this.#workOnNext(entry);
      if (!reason) continue;
      const isOne = this.#toggled.length === 1;
      const follows = isOne ? 'is followed by' : 'was closed in one write with others, creating';
      for (const each of this.#toggled) {
        const series = this.#seriesFrom(each);
        const next = series.find((task) => following.some(({ entityId }) => entityId === task.id));
        const open = series.find(isOpenTask);
        const touched = next && next.id !== id && isOne ? `#${next.id}, whose sub-task #${id}` : `#${id}, which`;
        this.draft.fail(each, `#${each} ${follows} ${touched} ${reason}.`, open && reopenInsteadHint(each, open));
      }
      return true;
    }
    return false;
  }

  /**
   * Returns how the next task of a series was changed since. If the write created it, any change counts; if the write
   * restored it, only its closing, a new sub-task, or a change by someone else. A claim by someone else always counts.
   */
  #workOnNext({ entityId: id, op, after }: Entry): string | undefined {
    const { tasks, comments } = this.draft.known;
    const task = tasks.get(id);
    const changed = `was changed${this.draft.saySince('task', id)}`;
    if (!task) return op === 'create' ? changed : undefined;
    if (op !== 'create' && !isOpenTask(task)) return changed;
    const child = [...tasks.values()].some((each) => each.parentId === id && !each.deletedAt && !this.has(each.id));
    const commented = op === 'create' && [...comments.values()].includes(id);
    if (child || commented || (op === 'create' && !stillAsMade(task, after))) return changed;
    return (
      (op === 'create' ? undefined : this.draft.sayChangeOfOthers('task', id)) ?? this.draft.sayClaimOfOthers(task)
    );
  }

  /** Returns the loaded tasks that follow a task in its series. */
  #seriesFrom(id: number): Task[] {
    const { tasks } = this.draft.known;
    const task = tasks.get(id);
    return [...tasks.values()].filter((each) => task && each.id > id && areOfOneSeries(task, each));
  }
}

/**
 * Whether a change closed a repeating task, gave a task the rule of another that the write deleted, or undid one of
 * these.
 */
function togglesSeries(entry: Entry, entries: Entry[]): boolean {
  const gain = gainOfRule(entry);
  if (gain === 0 || entry.op === 'create') return false;
  const isOther = (each: Entry) => isMoveToOrFromTrash(each) && each.reverts === entry.reverts;
  return 'status' in entry.after || entries.some((each) => isOther(each) && gainOfRule(each) === -gain);
}

const isMoveToOrFromTrash = ({ op }: Entry) => op === 'delete' || op === 'restore';

/** 1 if a change gave a task a rule, -1 if it took its rule away, else 0. */
const gainOfRule = ({ entity, before, after }: Entry): number =>
  entity === 'task' && 'repeats' in after ? Number(Boolean(after.repeats)) - Number(Boolean(before.repeats)) : 0;
