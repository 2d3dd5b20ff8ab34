import { ancestorRefusal } from '../family.js';
import { uniqueLabels } from '../labels.js';
import { nameKey } from '../names.js';
import { isGone } from '../project.js';
import {
  type Comment,
  changedFields,
  isTaskField,
  type Recorded,
  type RecordedChange,
  STATUS_FIELDS,
  stillHas,
  withField,
} from '../record.js';
import { isOpenStatus, MAX_BLOCKERS, MAX_LABELS, type Status, type Task } from '../task.js';
import type { Draft } from './draft.js';
import type { Entry } from './past-writes.js';

/** Fields that determine which task of a series is open. */
const SERIES_FIELDS = [...STATUS_FIELDS, 'deleted_at'];

export const commentsIn = (recorded: Recorded) => (recorded.comments ?? []) as Comment[];

/**
 * Reverts what a write changed in a task, except what was changed since.
 *
 * @param inSeriesGroup whether it belongs to the write's `SeriesGroup`, which knows what others did with it since
 * @returns false if something stays as it is on which its series depends
 */
export function revertTask(draft: Draft, { entityId: id, before, after }: Entry, inSeriesGroup: boolean): boolean {
  const now = draft.task(id);
  if (!now) {
    draft.fail(id, `#${id} no longer exists.`, 'Add it again if it is needed.');
    return false;
  }
  const work = before.deleted_at && !now.deletedAt && !inSeriesGroup ? draft.sayWorkOfOthers(now) : undefined;
  if (work) {
    leaveWork(draft, id, work);
    return true;
  }
  let task = now;
  let isSeriesReverted = true;
  for (const fields of fieldGroups({ before, after })) {
    const reverted = revertFields(draft, task, fields, { before, after });
    if (reverted) task = reverted;
    else if (fields.some((field) => SERIES_FIELDS.includes(field))) isSeriesReverted = false;
  }
  if (task.repeats && !task.due) {
    draft.fail(id, `#${id} would repeat without a due date.`);
    isSeriesReverted = false;
    const { due, status, completedAt, repeats } = now;
    task = { ...task, due, status, completedAt, repeats };
  }
  if (task.projectId !== now.projectId)
    task = { ...task, project: task.projectId === null ? null : (draft.project(task.projectId)?.name ?? null) };
  if (task.status !== now.status && 'note' in after && task.note === after.note)
    task = { ...task, note: (before.note ?? null) as string | null };
  revertComments(draft, id, { before, after });
  draft.tasks.set(id, revertLists(draft, task, { before, after }));
  return isSeriesReverted;
}

/** Moves a task that the write created to the trash, unless someone else changed it since or has claimed it. */
export function removeTask(draft: Draft, id: number, inSeriesGroup: boolean): void {
  const task = draft.task(id);
  if (!task || task.deletedAt) return;
  const work = inSeriesGroup ? undefined : draft.sayWorkOfOthers(task);
  if (work) leaveWork(draft, id, work);
  else draft.tasks.set(id, { ...task, deletedAt: draft.context.now });
}

const leaveWork = (draft: Draft, id: number, work: string) =>
  draft.fail(id, `#${id} ${work}.`, 'It was left unchanged; delete it with delete_task if needed.');

/** Returns the fields that changed, grouped by what can only be reverted together. */
function fieldGroups(change: RecordedChange): string[][] {
  const fields = changedFields(change).filter(isTaskField);
  const together = fields.filter((field) => STATUS_FIELDS.includes(field));
  const alone = fields.filter((field) => !STATUS_FIELDS.includes(field));
  // `deleted_at` first: a task that ends up in the trash may have a parent in the trash.
  alone.sort((a, b) => Number(b === 'deleted_at') - Number(a === 'deleted_at'));
  return [together, ...alone.map((field) => [field])].filter((group) => group.length > 0);
}

/** Reverts fields. If they stay, returns undefined, and reports why unless they have their former values already. */
function revertFields(draft: Draft, task: Task, fields: string[], { before, after }: RecordedChange): Task | undefined {
  const { id } = task;
  const differ = fields.filter((field) => !stillHas(task, field, after[field] ?? null));
  if (differ.length > 0) {
    const isBack = fields.every((field) => stillHas(task, field, before[field] ?? null));
    if (!isBack) draft.fail(id, `#${id}: ${differ[0]} was changed${draft.saySince('task', id, differ)}.`);
    return undefined;
  }
  const reason = whyFieldsStay(draft, task, fields, before);
  if (reason) {
    draft.fail(id, reason);
    return undefined;
  }
  return fields.reduce((each, field) => withField(each, field, before[field] ?? null), task);
}

/** Returns why fields cannot be reverted although nobody changed them, or undefined. */
function whyFieldsStay(draft: Draft, task: Task, fields: string[], before: Recorded): string | undefined {
  const [field] = fields as [string];
  const value = before[field];
  if (fields.includes('status') && !isOpenStatus(before.status as Status)) {
    const claim = draft.sayClaimOfOthers(task);
    return claim && `#${task.id} ${claim}.`;
  }
  if (field === 'project' && typeof value === 'number') {
    const project = draft.project(value);
    if (!project || isGone(project))
      return `#${task.id}: its former project${project ? ` "${project.name}"` : ''} no longer exists.`;
  }
  if (field === 'parent' && typeof value === 'number') {
    const parent = draft.task(value);
    if (!parent || (parent.deletedAt && !task.deletedAt))
      return `#${task.id}: its former parent #${value} was deleted.`;
    return ancestorRefusal(draft.allTasks(), task.id, parent)?.body.message;
  }
  return undefined;
}

/** Reverts labels and blockers item by item. */
function revertLists(draft: Draft, task: Task, { before, after }: RecordedChange): Task {
  const list = <T>(from: Recorded, field: string) => (from[field] ?? []) as T[];
  const added = list<string>(after, 'labels').map(nameKey);
  const labels = task.labels.filter((label) => !added.includes(nameKey(label)));
  const labelled = new Set(labels.map(nameKey));
  const lost = list<string>(before, 'labels').filter((label) => !labelled.has(nameKey(label)));
  const lostBlockers = list<number>(before, 'blocked_by').filter((id) => {
    const isThere = draft.task(id) !== undefined;
    if (!isThere) draft.fail(task.id, `#${task.id}: its former blocker #${id} no longer exists.`);
    return isThere;
  });
  const addedBlockers = list<number>(after, 'blocked_by');
  const blockers = task.blockedBy.filter((id) => !addedBlockers.includes(id));
  return {
    ...task,
    labels: uniqueLabels(withinLimit(draft, task.id, 'labels', MAX_LABELS, labels, lost)),
    blockedBy: withinLimit(draft, task.id, 'blockers', MAX_BLOCKERS, blockers, lostBlockers).sort((a, b) => a - b),
  };
}

/** Adds the lost items back to a list, unless that exceeds the limit because others were added since. */
function withinLimit<T>(draft: Draft, id: number, what: string, most: number, items: T[], lost: T[]): T[] {
  const all = [...new Set([...items, ...lost])];
  if (all.length <= most) return all;
  draft.fail(id, `#${id} would have ${all.length} ${what} (limit ${most}), because others were added since.`);
  return items;
}

/** Removes the comments that the write added, and adds those that it removed. */
function revertComments(draft: Draft, id: number, { before, after }: RecordedChange): void {
  const written = commentsIn(after).filter((each) => draft.known.comments.has(each.id));
  const erased = commentsIn(before).filter((each) => !draft.known.comments.has(each.id));
  if (written.length + erased.length === 0) return;
  const known = draft.comments.get(id) ?? { added: [], removed: [] };
  const dated = (comments: Comment[]) => comments.map((each) => ({ ...each, at: new Date(each.at) }));
  draft.comments.set(id, { added: [...known.added, ...dated(erased)], removed: [...known.removed, ...dated(written)] });
}
