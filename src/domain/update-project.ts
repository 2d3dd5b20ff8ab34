import { and, sql } from 'drizzle-orm';
import { isOpen, tasks } from '../db/schema.js';
import { rowsOf, type UserTx } from '../db/scope.js';
import { conflict, invalid, sayCall } from '../errors.js';
import { type Gathered, gather, MAX_MERGED } from './gather.js';
import { isInProject } from './lists/filter.js';
import { countUpTo, MAX_COUNT_EACH } from './lists/list.js';
import { nameKey } from './names.js';
import { archivedRefusal, checkProjectName, noProjectRefusal, type Project } from './project.js';
import { projectDifferences } from './record.js';
import { settle } from './settle.js';
import type { WriteCommand } from './write.js';

export interface ProjectPatch {
  name?: string | undefined;
  archived?: boolean | undefined;
  merge_into?: string | undefined;
}

/** What was done with a project, and the project as it is now. */
export type ProjectOutcome = Merged | Edited;

export interface Merged {
  project: Project;
  /** The target project, how many tasks were moved, how many of the trash, and whether more are left. */
  into: { name: string; moved: number; trashed: number; more: boolean };
}

export interface Edited {
  project: Project;
  /** Number of open tasks archived with it: exact up to `MAX_COUNT_EACH`, then one more. */
  open: number | undefined;
  unchanged: boolean;
}

/**
 * Renames, archives or unarchives a project, or merges it into another.
 *
 * @throws Refusal `invalid` for contradictory or no changes; in `decide`, also `not_found` or `conflict`
 */
export function updateProject(
  project: string,
  { merge_into: into, ...patch }: ProjectPatch,
): WriteCommand<unknown, ProjectOutcome> {
  const edits = patch.name !== undefined || patch.archived !== undefined;
  if (into !== undefined && edits)
    throw invalid(
      'merge_into cannot be combined with name or archived, because it removes the project.',
      'Use separate calls.',
    );
  if (into === undefined && !edits) throw invalid('Nothing to change.', 'Give name, archived or merge_into.');
  for (const name of [patch.name, into]) if (name !== undefined) checkProjectName(name);
  return into === undefined ? editProject(project, patch) : mergeProject(project, into);
}

/** Moves the tasks of a project to another, at most `MAX_MERGED` per call, and removes it once none is left. */
function mergeProject(name: string, target: string): WriteCommand<Gathered, Merged> {
  return {
    read: (tx) => gather(tx, { ids: [], projects: { names: [name, target], archived: true }, inProjectNamed: name }),
    decide(state, context) {
      const before = find(name, state);
      const into = find(target, state);
      if (into.id === before.id)
        throw conflict(`"${into.name}" cannot be merged into itself.`, 'Choose another project.');
      if (into.archivedAt) throw archivedRefusal(into);
      const members = [...state.tasks.values()].filter((task) => task.projectId === before.id);
      const more = members.length > MAX_MERGED;
      const moved = members
        .slice(0, MAX_MERGED)
        .map((task) => ({ after: { ...task, projectId: into.id, project: into.name } }));
      const after = more ? before : { ...before, mergedInto: into.id, version: before.version + 1 };
      const shown = moved.filter((each) => !each.after.deletedAt).length;
      return {
        ...settle(state.tasks, moved, context),
        projects: more ? [] : [{ before, after }],
        outcome: { project: after, into: { name: into.name, moved: shown, trashed: moved.length - shown, more } },
      };
    },
  };
}

function editProject(
  name: string,
  patch: Omit<ProjectPatch, 'merge_into'>,
): WriteCommand<Gathered & Pick<Edited, 'open'>, Edited> {
  const names = patch.name === undefined ? [name] : [name, patch.name];
  return {
    async read(tx) {
      const [gathered, open] = await Promise.all([
        gather(tx, { ids: [], projects: { names, archived: true } }),
        patch.archived ? openIn(tx, name) : undefined,
      ]);
      return { ...gathered, open };
    },
    decide(state, context) {
      const before = find(name, state);
      const holder = patch.name === undefined ? undefined : state.projectNamed(patch.name);
      if (holder && holder.id !== before.id)
        throw conflict(
          `A project "${holder.name}" already exists.`,
          `To merge them: ${sayCall('update_project', { project: before.name, merge_into: holder.name })}.`,
        );
      const archivedAt =
        patch.archived === undefined ? before.archivedAt : patch.archived ? (before.archivedAt ?? context.now) : null;
      const after = { ...before, name: patch.name ?? before.name, archivedAt };
      const unchanged = Object.keys(projectDifferences({ before, after }).after).length === 0;
      return {
        edits: [],
        projects: unchanged ? [] : [{ before, after: { ...after, version: before.version + 1 } }],
        outcome: { project: after, open: before.archivedAt ? undefined : state.open, unchanged },
      };
    },
  };
}

function find(name: string, state: Gathered): Project {
  const project = state.projectNamed(name);
  if (project) return project;
  throw noProjectRefusal(name, state.projectNames);
}

/** Counts the open tasks of a project, up to `MAX_COUNT_EACH` + 1. */
async function openIn(tx: UserTx, name: string): Promise<number> {
  const called = isInProject(tx, { project: 'called' }, () => nameKey(name));
  const [row] = await rowsOf(tx, sql`select ${countUpTo(tx, MAX_COUNT_EACH, and(isOpen(tasks), called))}`);
  return Number(row?.[0]);
}
