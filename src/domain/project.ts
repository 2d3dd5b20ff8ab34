import { conflict, invalid, notFound, sayCall } from '../errors.js';
import { isNone, offeredFor } from './names.js';
import type { ProjectEdit } from './record.js';

/** A project as the rules see it. */
export interface Project {
  id: number;
  name: string;
  version: number;
  archivedAt: Date | null;
  /** The project that took its tasks over. */
  mergedInto: number | null;
  deletedAt: Date | null;
}

/** Where a task is. */
export type Home = Pick<Project, 'id' | 'name'>;

/** Merged or removed: its name is free for another. */
export const isGone = (project: Project): boolean => project.mergedInto !== null || project.deletedAt !== null;

export const archived = ({ name }: Pick<Project, 'name'>) =>
  conflict(
    `The project "${name}" is archived.`,
    `Choose another, or bring it back: ${sayCall('update_project', { project: name, archived: false })}.`,
  );

/** @param names those that there are, archived ones included */
export const noProjectCalled = (name: string, names: string[]) =>
  notFound(`No project "${name}".`, 'Use list_projects to see the projects there are.', offeredFor(name, names));

/** @throws Refusal for the word that says that there is no project: in one of that name, nothing could be found */
export function refuseNone(name: string): void {
  if (isNone(name)) throw invalid(`"${name}" is how one says that a task is in no project.`, 'Choose another name.');
}

/**
 * The project of that name: the one there is, or a new one.
 *
 * @throws Refusal `conflict` where it is archived, `invalid` where it could not be told from none
 */
export function chooseProject(
  name: string | undefined,
  state: { named(name: string): Project | undefined },
  { nextProject }: { nextProject: number },
): { home?: Home; newProjects: ProjectEdit[] } {
  if (name === undefined) return { newProjects: [] };
  refuseNone(name);
  const project = state.named(name);
  if (project?.archivedAt) throw archived(project);
  if (project) return { home: project, newProjects: [] };
  const made = newProject(nextProject, name);
  return { home: made, newProjects: [{ before: null, after: made }] };
}

const newProject = (id: number, name: string): Project => ({
  id,
  name,
  version: 1,
  archivedAt: null,
  mergedInto: null,
  deletedAt: null,
});
