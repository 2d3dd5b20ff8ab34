import { and, asc, eq, gt, sql } from 'drizzle-orm';
import { changes, type Repeat } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { type Clash, invalid, Refusal } from '../errors.js';
import { formatWhen } from './dates/clock.js';
import { exactTitle, nameKey } from './names.js';
import { changedFields, differences, makesVersion, type RecordedChange, STATUS_FIELDS } from './record.js';
import { sayRepeat } from './recurrence/say-rule.js';
import type { Task } from './task.js';

/** Expectations of a caller about the one task it names. If one is wrong, nothing is written. */
export interface Guard {
  expected_version?: number | undefined;
  expect_title?: string | undefined;
  /** Number of the caller's claim. */
  claim?: number | undefined;
}

/** A change made after the expected version. */
export interface LaterChange extends RecordedChange {
  version: number;
}

/** @throws Refusal `invalid` for a guard on more than one task */
export function checkGuard({ expected_version, expect_title, claim }: Guard, ids: readonly number[]): void {
  if (new Set(ids).size > 1 && [expected_version, expect_title, claim].some((each) => each !== undefined))
    throw invalid(
      'expected_version, expect_title and claim apply to one task, but several ids are given.',
      'Make a separate call for each task.',
    );
}

/** Loads the changes to a task since the version that the caller expects, except comments and claims. */
export async function changesSince(
  tx: UserTx,
  { expected_version }: Guard,
  ids: readonly number[],
): Promise<LaterChange[]> {
  if (expected_version === undefined || ids[0] === undefined) return [];
  return tx.db
    .select({ version: changes.version, before: changes.before, after: changes.after })
    .from(changes)
    .where(
      and(
        tx.mine(changes),
        eq(changes.entity, 'task'),
        eq(changes.entityId, ids[0]),
        gt(changes.version, expected_version),
        sql`${changes.op} not in ('comment', 'claim', 'release')`,
      ),
    )
    .orderBy(asc(changes.seq));
}

/** Fields whose concurrent changes never conflict: list items and moves are independent of each other. */
const LISTS = ['labels', 'blocked_by'];
const ONE_BY_ONE = [...LISTS, 'rank'];

function groupOf(field: string): string | undefined {
  if (ONE_BY_ONE.includes(field) || !makesVersion(field)) return undefined;
  return STATUS_FIELDS.includes(field) ? 'status' : field;
}

/** Labels and blockers that a task got since the version that the caller expects: clearing a list leaves these. */
export interface Unseen {
  labels: string[];
  blockedBy: number[];
}

const listOf = (field: string, task: Task) => (field === 'labels' ? task.labels : task.blockedBy);

/** Returns the items that a task has and did not have when the changes began: the lists of its caller's version. */
export function unseenItems(task: Task, since: readonly LaterChange[]): Unseen {
  const added = <T>(items: T[], field: string, key: (each: T) => unknown) => {
    const had = new Set(items.map(key));
    for (const { before, after } of since.toReversed()) {
      for (const each of (after[field] ?? []) as T[]) had.delete(key(each));
      for (const each of (before[field] ?? []) as T[]) had.add(key(each));
    }
    return items.filter((each) => !had.has(key(each)));
  };
  return { labels: added(task.labels, 'labels', nameKey), blockedBy: added(task.blockedBy, 'blocked_by', Number) };
}

/** Maximum length of a text that a refusal repeats, in characters. */
const LONGEST = 200;

/** Formats a recorded value as answers do. */
function show(field: string, value: unknown, timezone: string): unknown {
  if (value === null || value === undefined) return null;
  if (field === 'repeats') return sayRepeat(value as Repeat);
  if (typeof value !== 'string') return value;
  if (field === 'due' || field === 'start') return formatWhen(value, timezone);
  const text = [...value];
  return text.length > LONGEST ? `${text.slice(0, LONGEST).join('')}…` : value;
}

/** Returns the fields of a group that others changed, and the caller does not: those that it changes clash by themselves. */
function othersOf(
  group: string,
  theirs: LaterChange[],
  mine: RecordedChange,
  shown: (field: string, value: unknown) => unknown,
): Clash[] {
  const changed = new Set(theirs.flatMap(changedFields));
  return [...changed]
    .filter((field) => groupOf(field) === group && field !== 'completed_at' && !(field in mine.after))
    .map((field) => {
      const touching = theirs.filter(({ after }) => field in after);
      return {
        field,
        base: shown(field, touching[0]?.before[field]),
        theirs: shown(field, touching.at(-1)?.after[field]),
      };
    });
}

/**
 * Checks a change against the title and version that its caller expects. Later changes to other fields are kept and
 * merged; a different change to the same field is a conflict.
 *
 * @throws Refusal `conflict`, with both values of each field; `invalid` for a version that does not exist yet
 */
export function checkExpectations(
  task: Task,
  after: Task,
  { expected_version, expect_title }: Guard,
  { since, timezone }: { since: LaterChange[]; timezone: string },
): void {
  if (expect_title !== undefined && exactTitle(expect_title) !== exactTitle(task.title))
    throw new Refusal({
      code: 'conflict',
      message: `#${task.id} has another title.`,
      hint: 'Use list_tasks to find the id of the task you mean.',
      conflict: [{ field: 'title', theirs: task.title, yours: expect_title }],
    });
  if (expected_version === undefined || expected_version === task.version) return;
  if (expected_version > task.version)
    throw invalid(
      `#${task.id} is at version ${task.version}; there is no version ${expected_version} yet.`,
      'Use the version that get_task returns.',
    );
  const known = new Set(since.map(({ version }) => version)).size === task.version - expected_version;
  const mine = differences({ before: task, after });
  const shown = (field: string, value: unknown) => show(field, value, timezone);
  const clashes = changedFields(mine).flatMap((field): Clash[] => {
    const group = groupOf(field);
    // Without their history, lists are not cleared of what others may have added.
    if (!known && LISTS.includes(field) && field in mine.before)
      return [{ field, theirs: listOf(field, task), yours: listOf(field, after) }];
    if (!group || (field === 'completed_at' && 'status' in mine.after)) return [];
    // Deleting a task would discard the changes of others.
    if (field === 'deleted_at') return [{ field: 'version', theirs: task.version, yours: expected_version }];
    const theirs = since.filter((change) => changedFields(change).some((each) => groupOf(each) === group));
    if (known && theirs.length === 0) return [];
    if (field === 'project') return [{ field, theirs: task.project, yours: after.project }];
    const first = theirs.find((change) => field in change.before || field in change.after);
    if (theirs.length > 0 && !first) return othersOf(group, theirs, mine, shown);
    return [
      {
        field,
        ...(first && { base: shown(field, first.before[field]) }),
        theirs: shown(field, mine.before[field]),
        yours: shown(field, mine.after[field]),
      },
    ];
  });
  if (clashes.length > 0)
    throw new Refusal({
      code: 'conflict',
      message: `#${task.id} has changed since version ${expected_version}: ${clashes.map(({ field }) => field).join(', ')}.`,
      hint: `Read it with get_task, then decide; it is at version ${task.version} now.`,
      conflict: clashes,
    });
}
