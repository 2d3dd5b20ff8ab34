import { and, asc, eq, gt, sql } from 'drizzle-orm';
import { changes, type Repeat } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { type Clash, conflict, invalid, Refusal } from '../errors.js';
import { formatWhen } from './dates/when.js';
import { exactTitle } from './names.js';
import { changedFields, differences, makesVersion, type Recorded, STATUS_FIELDS } from './record.js';
import { sayRepeat } from './recurrence/repeats.js';
import type { Task } from './task.js';

/** Expectations of a caller about the one task it names. If one is wrong, nothing is written. */
export interface Guard {
  expected_version?: number | undefined;
  expect_title?: string | undefined;
  /** Number of the caller's claim. */
  claim?: number | undefined;
}

/** A change made after the expected version. */
export interface LaterChange {
  version: number;
  before: Recorded;
  after: Recorded;
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
const ONE_BY_ONE = ['labels', 'blocked_by', 'rank'];

function groupOf(field: string): string | undefined {
  if (ONE_BY_ONE.includes(field) || !makesVersion(field)) return undefined;
  return STATUS_FIELDS.includes(field) ? 'status' : field;
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
    throw conflict(`#${task.id} is "${task.title}".`, 'Use list_tasks to find the id of the task you mean.');
  if (expected_version === undefined || expected_version === task.version) return;
  if (expected_version > task.version)
    throw invalid(
      `#${task.id} is at version ${task.version}; there is no version ${expected_version} yet.`,
      'Use the version that get_task returns.',
    );
  const known = new Set(since.map(({ version }) => version)).size === task.version - expected_version;
  const mine = differences({ before: task, after });
  const clashes = changedFields(mine).flatMap((field): Clash[] => {
    const group = groupOf(field);
    if (!group || (field === 'completed_at' && 'status' in mine.after)) return [];
    // Deleting a task would discard the changes of others.
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
      hint: `Read it with get_task, then decide; it is at version ${task.version} now.`,
      conflict: clashes,
    });
}
