import { isDeepStrictEqual } from 'node:util';
import { oneLine } from '../characters.js';
import type { Repeat } from '../db/schema.js';
import { sayWhen, type TimeContext, type When } from '../domain/dates/clock.js';
import { MAX_TEXT_SHOWN } from '../domain/history.js';
import { isClaimField, type Operation, type Recorded, type Step } from '../domain/record.js';
import { sayRepeat } from '../domain/recurrence/say-rule.js';

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

type Words = (value: unknown, context: TimeContext) => string;

const word: Words = (value) => String(value).replace('_', ' ');
const when: Words = (value, context) => sayWhen(value as When, context);

/** Formatters of the fields whose values before and after are stated. */
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

/** Returns the members that a list field lost (`before`) or got (`after`). */
const items = (side: Recorded, field: string) => (side[field] ?? []) as unknown[];
const without = (some: unknown[], others: unknown[]) => some.filter((each) => !others.includes(each));

/** Quotes a name that contains separators of this format. */
const quoted = (name: string): string => (/[·,()"]/.test(name) ? JSON.stringify(name) : name);

/** Says how a value changed: `20 Dec → 31 Dec`, or `31 Dec` if it had none or an undo brought it back. */
const fromTo = (from: string | null, to: string | null, undoes: boolean): string =>
  from === null || undoes ? (to ?? 'none') : `${from} → ${to ?? 'none'}`;

/** Describes the change of a field under the caller's name for it. Returns nothing for fields derived from others. */
function sayField(field: string, { before, after, projects, text, undoes }: Step, context: TimeContext): string[] {
  const member = MEMBERS[field];
  if (member) {
    const news = [...items(after, field).map(member), ...items(before, field).map((each) => `no ${member(each)}`)];
    return [`${field} (${news.join(', ')})`];
  }
  const words = VALUE_WORDS[field];
  const said = (from: Recorded) => (from[field] == null || !words ? null : words(from[field], context));
  if (words && !undoes && said(before) !== null && said(before) === said(after))
    return [`${field} (${said(after)}, begun anew)`]; // a series that starts on another day
  if (words) return [`${field} (${fromTo(said(before), said(after), undoes)})`];
  // The new title or name precedes this text, so only the old one is given.
  if (field === 'title' || field === 'name')
    return [before[field] == null ? field : `${field} (was ${quoted(String(before[field]))})`];
  if (field === 'archived_at') return [`archived (${after[field] ? 'yes' : 'no'})`];
  if (field === 'project') {
    const [from, to] = [projects.from, projects.to].map((name) => name && `+${name}`);
    return [`project (${fromTo(from ?? null, to ?? null, undoes)})`];
  }
  if (field === 'comments') return [`comment (${text === null ? 'removed' : 'restored'})`];
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
 * Describes a step, as `updated title (was Call), due (24 Dec → 25 Dec)` or `completed, title (was Call)`. A step of an undo
 * reads `undone priority (none)`, or `deleted by undo` if it deleted, restored or merged something.
 */
export function describeStep(step: Step, context: TimeContext): { what: string; fields: string[] } {
  const { operation, undoes, text, projects } = step;
  const whole = operation === 'delete' || operation === 'restore' || operation === 'merge';
  const implied = undoes && !whole ? [] : operation === 'update' ? [] : IMPLIED[operation];
  const fields = step.fields
    .filter((field) => implied && !implied.includes(field))
    .flatMap((field) => sayField(field, step, context));
  if (undoes) return { what: whole ? `${VERBS[operation]} by undo` : 'undone', fields };
  const said = text === null ? [] : [JSON.stringify(oneLine(text, MAX_TEXT_SHOWN))];
  if (operation === 'update')
    return { what: VERBS[operation], fields: [...fields, ...said.map((each) => `note ${each}`)] };
  const into = operation === 'merge' && projects.to ? [`into +${projects.to}`] : [];
  return { what: [VERBS[operation], ...into, ...said].join(' '), fields };
}

export function stepText(step: Step, context: TimeContext): string {
  const { what, fields } = describeStep(step, context);
  const between = what === 'updated' || what === 'undone' ? ' ' : ', ';
  return [what, fields.join(', ')].filter(Boolean).join(between);
}

/** Describes the steps of one write to one task or project, in order. Edits that follow each other are told as one. */
export function stepsText(steps: Step[], context: TimeContext): string {
  const told: Step[] = [];
  for (const step of steps) {
    const last = told.at(-1);
    if (last && areToldAsOne(last, step)) told[told.length - 1] = combine(last, step);
    else told.push(step);
  }
  return told.map((step) => stepText(step, context)).join(', then ');
}

/** Whether both steps only change fields, and both or neither by undo. */
const areToldAsOne = (one: Step, next: Step): boolean =>
  one.undoes === next.undoes && [one, next].every((each) => each.text === null && onlyEdits(each));

const onlyEdits = ({ operation, undoes, fields }: Step): boolean =>
  (operation === 'update' || (undoes && operation === 'complete')) && !fields.includes('comments');

/** Describes two steps from the first value of each field to its last. */
function combine(one: Step, next: Step): Step {
  const before = { ...next.before, ...one.before };
  const after = { ...one.after, ...next.after };
  for (const field of Object.keys(MEMBERS)) {
    const [removed, added] = [items(one.before, field), items(one.after, field)];
    const [removedNext, addedNext] = [items(next.before, field), items(next.after, field)];
    before[field] = [...without(removed, addedNext), ...without(removedNext, added)];
    after[field] = [...without(added, removedNext), ...without(addedNext, removed)];
  }
  const fields = [...new Set([...one.fields, ...next.fields])].sort();
  const projects = {
    from: (one.fields.includes('project') ? one : next).projects.from,
    to: (next.fields.includes('project') ? next : one).projects.to,
  };
  return {
    ...next,
    before,
    after,
    fields: fields.filter((field) => !isDeepStrictEqual(before[field], after[field])),
    projects,
  };
}
