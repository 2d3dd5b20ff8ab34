import { and, eq, isNotNull, sql } from 'drizzle-orm';
import { literal } from '../../db/prepared.js';
import { isOpen, projects, taskLabels, tasks } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import { invalid } from '../../errors.js';
import { type Unused, unusedLabels } from '../labels.js';
import { isNone, nameKey } from '../names.js';
import { isClaimed } from '../task.js';
import { statusOf } from './filter.js';
import { type ListInput, type ListOptions, listTasks, type TaskPage } from './list.js';

/** Why a list is empty, or not what was expected, as far as that can be told. */
export interface Remarks {
  /** Of the labels asked for, those that no task has. */
  unused?: Unused | undefined;
  /** How many tasks there are that are not open, or are in archived projects, and fit all else. */
  elsewhere?: number;
  /** How many there are in the trash that fit all else, and none that are not. */
  trashed?: number;
  /** What is called by the words that were looked for: these are looked for in titles, descriptions and comments only. */
  called?: 'project' | 'label' | undefined;
  /** What was asked for are tasks that are not ready, as who fills in every field does. */
  unready?: true;
  /** Of whom there are claims, where there is none of who was asked for. */
  holders?: string[];
}

/** Whether a list has no tasks for sure: of one that paused, more may come. */
const isEmpty = ({ total, atLeast, paused }: TaskPage): boolean => total === 0 && !atLeast && !paused;

/** Filters of which one expects that something fits, open or not. */
const SUBJECTS = ['text', 'project', 'labels', 'priority', 'parent'];

/** How many holders of claims are named. */
const HOLDERS = 5;

async function holders(tx: UserTx): Promise<string[]> {
  const rows = await tx.db
    .selectDistinct({ name: sql<string>`${tasks.claimedBy}` })
    .from(tasks)
    .where(and(tx.mine(tasks), isNotNull(tasks.claimedBy), isClaimed, isOpen(tasks)))
    .orderBy(tasks.claimedBy)
    .limit(literal(HOLDERS));
  return rows.map(({ name }) => name);
}

/**
 * What is to be said of a list beside its tasks, as far as it has to be looked for: why there are none, or only some that
 * come near.
 */
export async function remarksOn(
  tx: UserTx,
  page: TaskPage,
  input: ListInput,
  options: ListOptions,
): Promise<Remarks | undefined> {
  if (isEmpty(page)) return whyEmpty(tx, input, options);
  if (input.cursor !== undefined) return undefined;
  if (page.near && statusOf(input) === 'open') {
    const all = await listTasks(tx, { ...input, status: 'all', sort: undefined, limit: 1 }, options);
    return all.near ? undefined : { elsewhere: all.total };
  }
  return input.ready === false ? { unready: true } : undefined;
}

/** Looks for the reason why a list has no tasks. */
async function whyEmpty(tx: UserTx, input: ListInput, options: ListOptions): Promise<Remarks | undefined> {
  if (input.cursor !== undefined) return undefined; // it had tasks, and the cursor is of that list alone
  const unused = input.labels && (await unusedLabels(tx, input.labels));
  if (unused) return { unused };
  const has = async (some: Partial<ListInput>) => {
    const page = await listTasks(tx, { ...input, ...some, limit: 1 }, options);
    return page.near ? 0 : page.total;
  };
  if (input.claimed_by !== undefined && !isNone(input.claimed_by)) return { holders: await holders(tx) };
  if (input.ready === false) return (await has({ ready: undefined })) > 0 ? { unready: true } : undefined;
  const { status = 'open', limit: _, sort: __, ...filter } = input;
  const given = Object.keys(filter).filter((field) => filter[field as keyof typeof filter] !== undefined);
  const asks = status === 'open' || status === 'all';
  if (!asks || given.length === 0 || !given.every((field) => SUBJECTS.includes(field))) return undefined;
  const elsewhere = status === 'all' ? 0 : await has({ status: 'all', sort: undefined });
  if (elsewhere > 0) return { elsewhere };
  const trashed = await has({ status: 'deleted', sort: undefined });
  if (trashed > 0) return { trashed };
  return input.text === undefined ? undefined : { called: await calledSo(tx, input.text) };
}

/** Whether there is a project or a label of that name. */
async function calledSo(tx: UserTx, name: string): Promise<Remarks['called']> {
  const key = nameKey(name);
  const project = tx.db
    .select({ of: sql<'project' | 'label'>`'project'` })
    .from(projects)
    .where(and(tx.mine(projects), eq(projects.nameKey, key)));
  const label = tx.db
    .select({ of: sql<'project' | 'label'>`'label'` })
    .from(taskLabels)
    .where(and(tx.mine(taskLabels), eq(taskLabels.labelKey, key)))
    .limit(literal(1));
  const [found] = await project.unionAll(label);
  return found?.of;
}

/** @throws Refusal `invalid` for filters that nothing can fit */
export function refuseContradictions({ status, ready, claimed_by, completed_since }: ListInput): void {
  const isOver = status === 'completed' || status === 'cancelled' || status === 'deleted';
  const isOpen = status !== undefined && status !== 'all' && !isOver;
  const isHeld = claimed_by !== undefined && !isNone(claimed_by);
  if (ready && isOver) throw nothing(`status ${status} and ready`, 'only what is open is ready');
  if (ready && isHeld) throw nothing('claimed_by and ready', 'what is claimed is not ready');
  if (ready && completed_since) throw nothing('completed_since and ready', 'only what is open is ready');
  if (isHeld && (isOver || status === 'not_started'))
    throw nothing(`status ${status} and claimed_by`, 'what is claimed is in progress');
  if (completed_since && (isOpen || status === 'cancelled'))
    throw nothing(`status ${status} and completed_since`, 'it is not completed');
}

const nothing = (filters: string, why: string) =>
  invalid(`Nothing can fit ${filters}: ${why}.`, 'Leave out one of the two.');
