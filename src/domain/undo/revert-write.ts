import { childrenOf } from '../family.js';
import { type Failure, planRefusal } from '../judge.js';
import { type ProjectEdit, projectDifferences } from '../record.js';
import { type Settled, settle } from '../settle.js';
import type { Task } from '../task.js';
import type { Draft } from './draft.js';
import type { Entry } from './past-writes.js';
import { endsProject, removeProject, revertProject } from './revert-project.js';
import { removeTask, revertTask } from './revert-task.js';
import { SeriesGroup } from './series-group.js';

/**
 * Undoes one write.
 *
 * @param entries the changes of the write, latest first
 */
export function revertWrite(
  draft: Draft,
  batch: number,
  entries: Entry[],
): Settled & { projects: ProjectEdit[]; failed: Failure[] } {
  const series = new SeriesGroup(entries, draft);
  for (const entry of entries) if (entry.entity === 'project' && !endsProject(entry)) revertProject(draft, entry);
  revertTasks(draft, entries, series);
  dropInvalid(draft, series);
  for (const entry of entries.filter(endsProject))
    if (entry.op === 'create') removeProject(draft, entry);
    else revertProject(draft, entry); // after the tasks, which have left it by then
  const ids = new Set([...draft.tasks.keys(), ...draft.comments.keys()]);
  const proposals = [...ids].map((id) => ({
    after: draft.task(id) as Task,
    commented: draft.comments.get(id),
    reverts: batch,
  }));
  const projects = [...draft.projects.values()]
    .map((after): ProjectEdit => ({ before: draft.known.projects.get(after.id) ?? null, after, reverts: batch }))
    .filter((edit) => Object.keys(projectDifferences(edit).after).length > 0)
    .map((edit) => ({ ...edit, after: { ...edit.after, version: edit.after.version + 1 } }));
  return { ...settle(draft.known.tasks, proposals, draft.context), projects, failed: draft.failed };
}

function revertTasks(draft: Draft, entries: Entry[], series: SeriesGroup): void {
  let leaveSeries = series.reportIfNextChanged();
  for (const entry of entries.filter(({ entity }) => entity === 'task')) {
    const { entityId: id, op } = entry;
    const inGroup = series.has(id);
    if (inGroup && leaveSeries) continue;
    if (op === 'create') removeTask(draft, id, inGroup);
    else if (!revertTask(draft, entry, inGroup) && inGroup) leaveSeries = true;
  }
  if (!series.leaveIfTwoOpen() && leaveSeries) series.leave();
}

/** Drops changes that would violate a rule on parents or dependencies, until no change does. */
function dropInvalid(draft: Draft, series: SeriesGroup): void {
  for (;;) {
    const all = draft.allTasks();
    const reasonOf = (task: Task) =>
      trashReason(draft, task, all) ?? planRefusal(draft.known.tasks, all, [task])?.body.message;
    const invalid = [...draft.tasks.values()].find(reasonOf);
    if (!invalid) return;
    draft.fail(invalid.id, reasonOf(invalid) as string);
    draft.drop(invalid.id);
    if (series.has(invalid.id)) series.leave();
  }
}

/** Returns why a task cannot be moved to the trash: one of its sub-tasks stays. */
function trashReason(draft: Draft, task: Task, all: ReadonlyMap<number, Task>): string | undefined {
  if (!task.deletedAt || draft.known.tasks.get(task.id)?.deletedAt) return undefined;
  const child = childrenOf(all, task.id).find((each) => !each.deletedAt);
  return child && `#${task.id} cannot be deleted: its sub-task #${child.id} stays.`;
}
