import { invalid } from '../errors.js';
import type { Unseen } from './guard.js';
import { editLabels } from './labels.js';
import { nameKey } from './names.js';
import type { Place } from './order.js';
import { patchDates } from './patch-dates.js';
import type { Home } from './project.js';
import { type Priority, type Status, type Task, uniqueBlockers } from './task.js';
import type { WriteContext } from './write.js';

/** Fields that `clear` may empty. */
export const CLEARABLE = [
  'description',
  'priority',
  'due',
  'start',
  'repeats',
  'estimate_minutes',
  'project',
  'parent',
  'labels',
  'blocked_by',
] as const;

/** A patch for one or many tasks. Omitted fields stay as they are; only `clear` empties fields. */
export interface Patch extends Place {
  title?: string | undefined;
  description?: string | undefined;
  status?: Status | undefined;
  priority?: Priority | undefined;
  due?: string | undefined;
  start?: string | undefined;
  repeats?: string | undefined;
  /** Duration by which due and start move. */
  shift?: string | undefined;
  estimate_minutes?: number | undefined;
  project?: string | undefined;
  parent?: number | undefined;
  add_labels?: string[] | undefined;
  remove_labels?: string[] | undefined;
  add_blocked_by?: number[] | undefined;
  remove_blocked_by?: number[] | undefined;
  clear?: (typeof CLEARABLE)[number][] | undefined;
}

/** @throws Refusal `invalid` for a patch that contradicts itself or is empty */
export function refuseContradiction(patch: Patch): void {
  if (Object.keys(patch).length === 0)
    throw invalid('Nothing to change.', 'Give at least one field besides ids. To clear a field, list it in clear.');
  const both = patch.clear?.find((field) => patch[field as keyof Patch] !== undefined);
  if (both) throw invalid(`${both} is both given and cleared.`, 'Choose one.');
  const date = (['due', 'start', 'repeats'] as const).find(
    (field) => patch[field] !== undefined || patch.clear?.includes(field),
  );
  if (patch.shift !== undefined && date) throw invalid(`shift and ${date} are both given.`, 'Choose one.');
  const removed = new Set(patch.remove_labels?.map(nameKey));
  const label = patch.add_labels?.find((each) => removed.has(nameKey(each)));
  if (label !== undefined)
    throw invalid(
      `@${label} is both added and removed.`,
      'Choose one. To change how it is written, remove it in one call and add it in the next.',
    );
  const blocker = patch.add_blocked_by?.find((each) => patch.remove_blocked_by?.includes(each));
  if (blocker !== undefined) throw invalid(`#${blocker} is both added and removed as a blocker.`, 'Choose one.');
  if (patch.before !== undefined && patch.after !== undefined)
    throw invalid('before and after are both given.', 'Choose one.');
}

/**
 * Applies a patch to a task, without its effects on sub-tasks and series.
 *
 * @param unseen items that stay where the patch clears their list
 */
export function applyPatch(
  task: Task,
  patch: Patch,
  home: Home | undefined,
  unseen: Unseen,
  context: WriteContext,
): Task {
  const clear = new Set(patch.clear);
  const status = patch.status ?? task.status;
  const kept = clear.has('blocked_by') ? unseen.blockedBy : task.blockedBy;
  const { add_blocked_by: added = [], remove_blocked_by: removed = [] } = patch;
  return {
    ...task,
    title: patch.title ?? task.title,
    ...('description' in task && {
      description: patch.description ?? (clear.has('description') ? null : task.description),
    }),
    status,
    completedAt: status !== 'completed' ? null : task.status === 'completed' ? task.completedAt : context.now,
    deletedAt: null, // a deleted task only gets here to be restored
    priority: patch.priority ?? (clear.has('priority') ? null : task.priority),
    ...patchDates(task, patch, context, clear),
    estimateMinutes: patch.estimate_minutes ?? (clear.has('estimate_minutes') ? null : task.estimateMinutes),
    projectId: home?.id ?? (clear.has('project') ? null : task.projectId),
    project: home?.name ?? (clear.has('project') ? null : task.project),
    inArchivedProject: !home && !clear.has('project') && task.inArchivedProject,
    parentId: patch.parent ?? (clear.has('parent') ? null : task.parentId),
    labels: editLabels(task.labels, {
      keep: clear.has('labels') ? unseen.labels : task.labels,
      add: patch.add_labels,
      remove: patch.remove_labels,
    }),
    blockedBy: uniqueBlockers([...kept, ...added].filter((id) => !removed.includes(id))),
  };
}
