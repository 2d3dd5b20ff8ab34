import { nameKey } from '../names.js';
import { isGone, type Project } from '../project.js';
import { changedFields, projectStillHas, withProjectField } from '../record.js';
import type { Draft } from './draft.js';
import type { Entry } from './past-writes.js';

/** Whether undoing a change removes a project. */
export const endsProject = ({ entity, op, before }: Entry): boolean =>
  entity === 'project' && (op === 'create' || Boolean(before.deleted_at ?? before.merged_into));

/**
 * Reverts what a write changed in a project, unless it was changed since, its name is taken, or it would be removed
 * while tasks are in it. Reports which.
 */
export function revertProject(draft: Draft, entry: Entry): void {
  const project = draft.project(entry.entityId);
  if (!project) return;
  const { before, after } = entry;
  const fields = changedFields({ before, after });
  const reverted = fields.reduce((each, field) => withProjectField(each, field, before[field] ?? null), project);
  const differ = fields.filter((field) => !projectStillHas(project, field, after[field] ?? null));
  const namesake = projectCalled(draft, reverted.name);
  const removes = isGone(reverted) && !isGone(project);
  const change = removes ? draft.sayChangeOfOthers('project', project.id) : undefined;
  const fail = (reason: string, hint?: string) =>
    draft.fail(project.name, `The project "${project.name}" ${reason}.`, hint);
  if (differ.length > 0) fail(`was changed${draft.saySince('project', project.id, differ)}`);
  else if (!isGone(reverted) && namesake && namesake.id !== project.id)
    draft.fail(
      reverted.name,
      `Another project is called "${namesake.name}" now.`,
      'Rename or merge it with update_project.',
    );
  else if (change) fail(change);
  else if (removes && (draft.known.projectsInUse.has(project.id) || draft.tasksIn(project.id).length > 0))
    fail('has tasks that were added to it since', 'Move them, or merge it with update_project.');
  else draft.projects.set(project.id, reverted);
}

/** Removes a project that the write created. It stays if other tasks are in it, and, reported, if others changed it. */
export function removeProject(draft: Draft, { entityId: id }: Entry): void {
  const project = draft.project(id);
  if (!project || isGone(project)) return;
  const change = draft.sayChangeOfOthers('project', id);
  const members = draft.tasksIn(id);
  const trashed = members.filter((task) => task.deletedAt && !draft.known.tasks.get(task.id)?.deletedAt);
  if (change) draft.fail(project.name, `The project "${project.name}" ${change}.`);
  else if (!draft.known.projectsInUse.has(id) && members.length === trashed.length) {
    for (const task of trashed) draft.tasks.set(task.id, { ...task, projectId: null, project: null });
    draft.projects.set(id, { ...project, deletedAt: draft.context.now });
  }
}

const projectCalled = (draft: Draft, name: string): Project | undefined =>
  [...draft.allProjects().values()].find((each) => !isGone(each) && nameKey(each.name) === nameKey(name));
