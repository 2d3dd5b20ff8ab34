import { oneLine } from '../characters.js';
import type { Repeat } from '../db/schema.js';
import type { TimeContext } from '../domain/dates/read-date.js';
import { sayWhen, type When } from '../domain/dates/when.js';
import { REMARK_LENGTH } from '../domain/history.js';
import { isClaimField, type Operation, type Recorded, type Step } from '../domain/record.js';
import { sayRepeat } from '../domain/recurrence/repeats.js';

/** Past-tense verbs by operation. */
const VERBS: Record<Operation, string> = {
  create: 'created',
  update: 'updated',
  complete: 'completed',
  delete: 'deleted',
  restore: 'restored',
  comment: 'commented',
  claim: 'claimed',
  release: 'released',
  archive: 'archived',
  merge: 'merged',
};

type Words = (value: unknown, clock: TimeContext) => string;

const word: Words = (value) => String(value).replace('_', ' ');
const when: Words = (value, { now, timezone }) => sayWhen(value as When, now, timezone);

/** Formatters of the fields whose new value is stated. */
const VALUE_WORDS: Record<string, Words> = {
  status: word,
  priority: word,
  due: when,
  start: when,
  repeats: (value) => sayRepeat(value as Repeat),
  estimate_minutes: (value) => `${value} min`,
  parent: (value) => `#${value}`,
};

/** Formatters of the members of list fields. */
const MEMBERS: Record<string, (value: unknown) => string> = {
  labels: (value) => `@${value}`,
  blocked_by: (value) => `#${value}`,
};

/** Quotes a name that contains separators of this format. */
const quoted = (name: string): string => (/[·,()"]/.test(name) ? JSON.stringify(name) : name);

/** Describes the change of a field under the caller's name for it. Returns nothing for fields derived from others. */
function sayField(field: string, { before, after, project, remark, undoes }: Step, clock: TimeContext): string[] {
  const list = (from: Recorded) => (from[field] ?? []) as unknown[];
  const member = MEMBERS[field];
  if (member) {
    const news = [...list(after).map(member), ...list(before).map((each) => `no ${member(each)}`)];
    return [`${field} (${news.join(', ')})`];
  }
  const became = VALUE_WORDS[field];
  if (became) return [`${field} (${after[field] == null ? 'none' : became(after[field], clock)})`];
  // The new title or name precedes this text, so only the old one is given.
  if (field === 'title' || field === 'name')
    return [before[field] == null ? field : `${field} (was ${quoted(String(before[field]))})`];
  if (field === 'archived_at') return [`archived (${after[field] ? 'yes' : 'no'})`];
  if (field === 'project') return [`project (${project === null ? 'none' : `+${project}`})`];
  if (field === 'comments') return [`comment (${remark === null ? 'removed' : 'restored'})`];
  if (field === 'rank') return ['order'];
  if (field === 'note' && undoes) return ['note (reverted)'];
  return field.endsWith('_at') || isClaimField(field) ? [] : [field];
}

/** Operations other than `update` whose changed fields are described, and the fields that they imply. */
const IMPLIED: Partial<Record<Operation, string[]>> = {
  complete: ['status', 'repeats'],
  delete: [],
  restore: ['merged_into'],
  archive: ['archived_at'],
  merge: ['merged_into'],
};

/**
 * Describes a step, as `updated title (was Call), due (Fri 25 Dec)` or `completed, title (was Call)`. A step of an undo
 * reads `undone priority (none)`, or `deleted by undo` if it deleted, restored or merged something.
 */
export function describeStep(step: Step, clock: TimeContext): { what: string; fields: string[] } {
  const { operation, undoes, remark } = step;
  const whole = operation === 'delete' || operation === 'restore' || operation === 'merge';
  const implied = undoes && !whole ? [] : operation === 'update' ? [] : IMPLIED[operation];
  const fields = step.fields
    .filter((field) => implied && !implied.includes(field))
    .flatMap((field) => sayField(field, step, clock));
  if (undoes) return { what: whole ? `${VERBS[operation]} by undo` : 'undone', fields };
  const quoted = remark === null ? [] : [JSON.stringify(oneLine(remark, REMARK_LENGTH))];
  if (operation === 'update')
    return { what: VERBS[operation], fields: [...fields, ...quoted.map((each) => `note ${each}`)] };
  return { what: [VERBS[operation], ...quoted].join(' '), fields };
}

export function stepText(step: Step, clock: TimeContext): string {
  const { what, fields } = describeStep(step, clock);
  const between = what === 'updated' || what === 'undone' ? ' ' : ', ';
  return [what, fields.join(', ')].filter(Boolean).join(between);
}

/** Describes the steps of one write to one task or project, in order. */
export const stepsText = (steps: Step[], clock: TimeContext): string =>
  [...new Set(steps.map((step) => stepText(step, clock)))].join(', then ');
