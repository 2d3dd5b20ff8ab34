import { conflict, invalid, notFound, sayCall } from '../errors.js';
import { isNone, suggestNames } from './names.js';
import type { ProjectEdit } from './record.js';

/** A project as the rules see it. */
export interface Project {
  id: number;
  name: string;
  version: number;
  archivedAt: Date | null;
  /** Id of the project that took over its tasks. */
  mergedInto: number | null;
  deletedAt: Date | null;
}

/** The project of a task. */
export type Home = Pick<Project, 'id' | 'name'>;

/** Whether a project was merged or removed, so that its name is free for another. */
export const isGone = (project: Project): boolean => project.mergedInto !== null || project.deletedAt !== null;

export const archivedRefusal = ({ name }: Pick<Project, 'name'>) =>
  conflict(
    `The project "${name}" is archived.`,
    `Choose another, or unarchive it: ${sayCall('update_project', { project: name, archived: false })}.`,
  );

/** @param names existing names, those of archived projects included */
export const noProjectRefusal = (name: string, names: string[]) =>
  notFound(`No project "${name}".`, 'Use list_projects to see existing projects.', suggestNames(name, names));

/** @throws Refusal `invalid` for the name `none`: filters take it to mean no project */
export function checkProjectName(name: string): void {
  if (isNone(name)) throw invalid(`"${name}" is reserved: it means no project.`, 'Choose another name.');
}

/**
 * Returns the project of this name, or a new one if there is none.
 *
 * @throws Refusal `conflict` if it is archived, `invalid` for the name `none`
 */
export function chooseProject(
  name: string | undefined,
  state: { projectNamed(name: string): Project | undefined },
  { nextProject }: { nextProject: number },
): { home?: Home; newProjects: ProjectEdit[] } {
  if (name === undefined) return { newProjects: [] };
  checkProjectName(name);
  const project = state.projectNamed(name);
  if (project?.archivedAt) throw archivedRefusal(project);
  if (project) return { home: project, newProjects: [] };
  const made = { id: nextProject, name, version: 1, archivedAt: null, mergedInto: null, deletedAt: null };
  return { home: made, newProjects: [{ before: null, after: made }] };
}
