import { and, eq, isNotNull, sql } from 'drizzle-orm';
import { literalLimit } from '../../db/prepared.js';
import { isOpen, projects, taskLabels, tasks } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import { invalid } from '../../errors.js';
import { type Unused, unusedLabels } from '../labels.js';
import { isNone, nameKey } from '../names.js';
import { isClaimed } from '../task.js';
import { statusOf } from './filter.js';
import { capped, findTasks, type ListFilter, type ListInput, type TaskPage } from './list.js';

/** Likely reasons why a list is empty or not what the agent expected. */
export interface Remarks {
  /** The requested labels that no task has, and similar ones. */
  unused?: Unused | undefined;
  /** How many tasks match everything else, but are closed or in archived projects. */
  elsewhere?: number;
  /** How many tasks in the trash match everything else, if none outside it does. */
  trashed?: number;
  /** What else has the search text as its name: search covers only titles, descriptions and comments. */
  namedLikeText?: 'project' | 'label' | undefined;
  /** Set if several labels are asked for, all of which a task must have. */
  severalLabels?: boolean;
  /** Set if `ready: false` excluded ready tasks, as happens when a model fills in every field. */
  excludedReady?: true;
  /** Who holds claims, if the requested holder has none. */
  holders?: string[];
}

/** Tells whether a list certainly has no tasks; a paused one may continue. */
const isEmpty = ({ total, atLeast, paused }: TaskPage): boolean => total === 0 && !atLeast && !paused;

/** Filters that an agent expects to match something, open or closed. */
const SUBJECTS = ['text', 'project', 'labels', 'priority', 'parent', 'changed_since'];

/** How many holders are named at most. */
const HOLDERS = 5;

async function holders(tx: UserTx): Promise<string[]> {
  const rows = await tx.db
    .selectDistinct({ name: sql<string>`${tasks.claimedBy}` })
    .from(tasks)
    .where(and(tx.mine(tasks), isNotNull(tasks.claimedBy), isClaimed, isOpen(tasks)))
    .orderBy(tasks.claimedBy)
    .limit(literalLimit(HOLDERS));
  return rows.map(({ name }) => name);
}

/** Queries for remarks on a list that is empty, has only near matches, or has `ready: false`. */
export async function remarksOn(
  tx: UserTx,
  page: TaskPage,
  { cursor, limit: _, ...filter }: ListInput,
  now: Date,
): Promise<Remarks | undefined> {
  if (cursor !== undefined) return undefined; // of an empty page too: those before it had tasks
  if (isEmpty(page)) return whyEmpty(tx, filter, now);
  if (page.closestOnly && statusOf(filter) === 'open') {
    const all = await findTasks(tx, { ...filter, status: 'all', sort: undefined }, { now, limit: 1 });
    return all.closestOnly ? undefined : { elsewhere: all.total };
  }
  return filter.ready === false ? { excludedReady: true } : undefined;
}

const asksForClaims = ({ claimed_by }: Pick<ListFilter, 'claimed_by'>): boolean =>
  typeof claimed_by === 'object' || (claimed_by !== undefined && !isNone(claimed_by));

/** Says that all matching tasks are closed, archived or in the trash, and what finds them, if it is so. */
export function sayOnly({ elsewhere, trashed }: Remarks): { what: string; how: string } | undefined {
  if (elsewhere) return { what: 'Only closed or archived tasks match', how: `status all finds ${capped(elsewhere)}` };
  if (trashed) return { what: 'Only tasks in the trash match', how: `status deleted finds ${capped(trashed)}` };
  return undefined;
}

/** Queries for the reason why a list is empty. */
export async function whyEmpty(tx: UserTx, input: ListFilter, now: Date): Promise<Remarks | undefined> {
  const unused = input.labels && (await unusedLabels(tx, input.labels));
  if (unused) return { unused };
  const found = async (changes: Partial<ListFilter>) => {
    const page = await findTasks(tx, { ...input, ...changes }, { now, limit: 1 });
    return page.closestOnly ? 0 : page.total;
  };
  if (asksForClaims(input)) return { holders: await holders(tx) };
  if (input.ready === false) return (await found({ ready: undefined })) > 0 ? { excludedReady: true } : undefined;
  const { status = 'open', sort: _, ...filter } = input;
  const given = Object.keys(filter).filter((field) => filter[field as keyof typeof filter] !== undefined);
  const wide = status === 'open' || status === 'all';
  if (!wide || given.length === 0 || !given.every((field) => SUBJECTS.includes(field))) return undefined;
  const elsewhere = status === 'all' ? 0 : await found({ status: 'all', sort: undefined });
  if (elsewhere > 0) return { elsewhere };
  const trashed = await found({ status: 'deleted', sort: undefined });
  if (trashed > 0) return { trashed };
  if (input.labels && input.labels.length > 1) return { severalLabels: true };
  return input.text === undefined ? undefined : { namedLikeText: await calledSo(tx, input.text) };
}

/** Tells whether the name is that of a project or a label. */
async function calledSo(tx: UserTx, name: string): Promise<Remarks['namedLikeText']> {
  const key = nameKey(name.replace(/^\s*[@+]/, ''));
  const project = tx.db
    .select({ of: sql<'project' | 'label'>`'project'` })
    .from(projects)
    .where(and(tx.mine(projects), eq(projects.nameKey, key)));
  const label = tx.db
    .select({ of: sql<'project' | 'label'>`'label'` })
    .from(taskLabels)
    .where(and(tx.mine(taskLabels), eq(taskLabels.labelKey, key)))
    .limit(literalLimit(1));
  const [found] = await project.unionAll(label);
  return found?.of;
}

/** @throws Refusal `invalid` for filters that no task can match together */
export function refuseContradictions({ status, ready, claimed_by, completed_since }: ListInput): void {
  const isOver = status === 'completed' || status === 'cancelled' || status === 'deleted';
  const isOpen = status !== undefined && status !== 'all' && !isOver;
  const isHeld = asksForClaims({ claimed_by });
  if (ready && isOver) throw impossible(`status ${status} and ready`, 'only open tasks can be ready');
  if (ready && isHeld) throw impossible('claimed_by and ready', 'claimed tasks are not ready');
  if (ready && completed_since) throw impossible('completed_since and ready', 'only open tasks can be ready');
  if (isHeld && (isOver || status === 'not_started'))
    throw impossible(`status ${status} and claimed_by`, 'claimed tasks are in progress');
  if (completed_since && (isOpen || status === 'cancelled'))
    throw impossible(`status ${status} and completed_since`, 'those tasks are not completed');
}

const impossible = (filters: string, why: string) =>
  invalid(`No task can match ${filters}: ${why}.`, 'Omit one of the two.');
