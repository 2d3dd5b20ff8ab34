import { type SQL, sql } from 'drizzle-orm';
import { literalLimit } from '../db/prepared.js';
import { taskLabels } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { invalid, notFound } from '../errors.js';
import { isNone, isSimilarKey, nameKey } from './names.js';
import { MAX_LABELS } from './task.js';

/**
 * Removes duplicate labels and sorts them by key.
 *
 * @throws Refusal `invalid` for more than `MAX_LABELS`
 */
export function uniqueLabels(labels: string[]): string[] {
  const byKey = new Map<string, string>();
  for (const label of labels) if (!byKey.has(nameKey(label))) byKey.set(nameKey(label), label);
  if (byKey.size > MAX_LABELS) throw invalid(`A task can have at most ${MAX_LABELS} labels.`, 'Use fewer labels.');
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, label]) => label);
}

export interface LabelEdit {
  /** Those of the existing labels that stay. */
  keep: string[];
  add?: string[] | undefined;
  remove?: string[] | undefined;
}

/** Adds and removes labels. A label that the task already has keeps its spelling. */
export function editLabels(labels: string[], { keep, add = [], remove = [] }: LabelEdit): string[] {
  const spelled = new Map(labels.map((label) => [nameKey(label), label]));
  const gone = new Set(remove.map(nameKey));
  const wanted = [...keep, ...add].filter((label) => !gone.has(nameKey(label)));
  return uniqueLabels(wanted.map((label) => spelled.get(nameKey(label)) ?? label));
}

/** Sub-query for the labels in use, by key. One index step per label, however many tasks have it. */
export const labelsInUse = ({ userId }: Pick<UserTx, 'userId'>, most: SQL) => sql`(
  with recursive each (key, label) as (
    (select l.label_key, l.label from ${taskLabels} l where l.user_id = ${userId} order by l.label_key limit 1)
    union all
    select next.label_key, next.label from each, lateral (
      select l.label_key, l.label from ${taskLabels} l where l.user_id = ${userId} and l.label_key > each.key
      order by l.label_key limit 1) next
  ) select key, label from each limit ${most})`;

/** Returns the first `most` labels in use, by key. */
export async function usedLabels(tx: UserTx, most: number): Promise<string[]> {
  const rows = await tx.db
    .select({ label: sql<string>`used.label` })
    .from(sql`${labelsInUse(tx, literalLimit(most))} as used`)
    .orderBy(sql`used.key`);
  return rows.map(({ label }) => label);
}

/** Maximum number of labels in use examined, to limit the work; most users have fewer. */
const LABELS = 1000;

/** For how many unused labels similar ones are sought. */
const MISSED = 5;

/** Requested labels that no task has, and labels in use instead. */
export interface Unused {
  labels: string[];
  /** Labels in use that are spelled similarly, or all if there are none. */
  used: string[];
  /** Whether `used` are spelled similarly. */
  alike: boolean;
}

/** Whether a filter by labels asks for tasks without any: `['none']`. */
export const isUnlabelled = (labels: string[]): boolean => labels.length === 1 && labels.every(isNone);

/** Finds requested labels that are not in use. Returns undefined if all are, or too many labels are in use to tell. */
export async function unusedLabels(tx: UserTx, labels: string[]): Promise<Unused | undefined> {
  if (labels.length === 0 || isUnlabelled(labels)) return undefined;
  const used = (await usedLabels(tx, LABELS + 1)).map((label) => ({ label, key: nameKey(label) }));
  const keys = new Set(used.map(({ key }) => key));
  const unused = uniqueLabels(labels).filter((label) => !keys.has(nameKey(label)));
  if (unused.length === 0 || used.length > LABELS) return undefined;
  const missed = unused.slice(0, MISSED).map(nameKey);
  const alike = used.filter(({ key }) => missed.some((other) => isSimilarKey(key, other)));
  const offered = alike.length > 0 ? alike : used;
  return { labels: unused, used: offered.map(({ label }) => label), alike: alike.length > 0 };
}

/** @throws Refusal `not_found` for a label that no task has */
export async function refuseUnused(tx: UserTx, label: string): Promise<void> {
  const unused = await unusedLabels(tx, [label]);
  if (unused) throw notFound(sayUnused(unused), 'Try another label, or omit it.');
}

/** Maximum number of labels in each list of a message, and their maximum length in characters. */
const [MAX_NOTED, MAX_NOTED_LENGTH] = [20, 200];

/** Says which labels no task has, and which are in use instead. */
export function sayUnused({ labels, used, alike }: Unused): string {
  const [asked, instead] = [shorten(labels), shorten(used)];
  if (used.length === 0) return `No task has ${asked} or any other label.`;
  return `No task has ${asked}; ${alike ? 'similar labels' : 'labels in use'}: ${instead}.`;
}

/** Joins as many labels as fit, at least one. */
function shorten(labels: string[]): string {
  let room = MAX_NOTED_LENGTH;
  const some = labels.slice(0, MAX_NOTED).filter((label, i) => {
    room -= label.length;
    return i === 0 || room > 0;
  });
  return `${some.map((label) => `@${quoted(label)}`).join(', ')}${some.length < labels.length ? ' and others' : ''}`;
}

/** Quotes a label of several words: it could be read as a part of the sentence. */
const quoted = (label: string) => (/^[\p{L}\p{M}\p{N}_-]+$/u.test(label) ? label : JSON.stringify(label));
