import { and, asc, eq, gt, sql } from 'drizzle-orm';
import { changes, type Repeat } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { type Clash, conflict, invalid, Refusal } from '../errors.js';
import { formatWhen } from './dates/when.js';
import { exactTitle } from './names.js';
import { changedFields, differences, makesVersion, type Recorded, STATUS_FIELDS } from './record.js';
import { sayRepeat } from './recurrence/repeats.js';
import type { Task } from './task.js';

/** What a caller believes of the one task it names: if it is mistaken, nothing is written. */
export interface Guard {
  expected_version?: number | undefined;
  expect_title?: string | undefined;
  /** The number of the claim that the caller has. */
  claim?: number | undefined;
}

/** A change made since the version that was expected. */
export interface Since {
  version: number;
  before: Recorded;
  after: Recorded;
}

/** @throws Refusal `invalid` for a guard on more than one task */
export function checkGuard({ expected_version, expect_title, claim }: Guard, ids: readonly number[]): void {
  if (new Set(ids).size > 1 && [expected_version, expect_title, claim].some((each) => each !== undefined))
    throw invalid(
      'expected_version, expect_title and claim are about one task, but several ids are given.',
      'Make one call for each task that needs a guard.',
    );
}

/** What happened to a task since the version that the caller knows. */
export async function changesSince(tx: UserTx, { expected_version }: Guard, ids: readonly number[]): Promise<Since[]> {
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

/** They change one by one, and so never get into each other's way. */
const ONE_BY_ONE = ['labels', 'blocked_by', 'rank'];

function groupOf(field: string): string | undefined {
  if (ONE_BY_ONE.includes(field) || !makesVersion(field)) return undefined;
  return STATUS_FIELDS.includes(field) ? 'status' : field;
}

/** How much of a text a refusal repeats. */
const LONGEST = 200;

/** A recorded value as answers show it. */
function show(field: string, value: unknown, timezone: string): unknown {
  if (value === null || value === undefined) return null;
  if (field === 'repeats') return sayRepeat(value as Repeat);
  if (typeof value !== 'string') return value;
  if (field === 'due' || field === 'start') return formatWhen(value, timezone);
  const text = [...value];
  return text.length > LONGEST ? `${text.slice(0, LONGEST).join('')}…` : value;
}

/**
 * Holds a change to what its caller believes of the task. Changes that others made since to other fields stay,
 * and the two are merged; a different change to the same field is a conflict.
 *
 * @throws Refusal `conflict`, with what each side wants of each field
 */
export function refuseMistaken(
  task: Task,
  after: Task,
  { expected_version, expect_title }: Guard,
  { since, timezone }: { since: Since[]; timezone: string },
): void {
  if (expect_title !== undefined && exactTitle(expect_title) !== exactTitle(task.title))
    throw conflict(`#${task.id} is "${task.title}".`, 'Use list_tasks to find the id of the task you mean.');
  if (expected_version === undefined || expected_version === task.version) return;
  if (expected_version > task.version)
    throw invalid(
      `#${task.id} is at version ${task.version}; there is no version ${expected_version} yet.`,
      'Use the version that get_task answers.',
    );
  const known = new Set(since.map(({ version }) => version)).size === task.version - expected_version;
  const mine = differences({ before: task, after });
  const clashes = changedFields(mine).flatMap((field): Clash[] => {
    const group = groupOf(field);
    if (!group || (field === 'completed_at' && 'status' in mine.after)) return [];
    // To throw a task away is to throw away what others changed in it.
    if (field === 'deleted_at') return [{ field: 'version', theirs: task.version, yours: expected_version }];
    const theirs = since.filter((change) => changedFields(change).some((each) => groupOf(each) === group));
    if (known && theirs.length === 0) return [];
    if (field === 'project') return [{ field, theirs: task.project, yours: after.project }];
    const first = theirs.find((change) => field in change.before || field in change.after);
    const shown = (value: unknown) => show(field, value, timezone);
    return [
      {
        field,
        ...(first && { base: shown(first.before[field]) }),
        theirs: shown(mine.before[field]),
        yours: shown(mine.after[field]),
      },
    ];
  });
  if (clashes.length > 0)
    throw new Refusal({
      code: 'conflict',
      message: `#${task.id} has changed since version ${expected_version}: ${clashes.map(({ field }) => field).join(', ')}.`,
      hint: `Look at it with get_task, then decide; it is at version ${task.version} now.`,
      conflict: clashes,
    });
}
