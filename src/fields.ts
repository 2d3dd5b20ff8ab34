import * as z from 'zod/v4';
import { DEFAULT_BUDGET, MAX_BUDGET, MIN_BUDGET } from './answers/budget.js';
import { BIDI, CONTROL, HIDDEN, VISIBLE } from './characters.js';
import { listField } from './compound-fields.js';
import { isNone } from './domain/names.js';
import { CLEARABLE } from './domain/patch.js';
import { MAX_AT_ONCE, MAX_ID, MAX_LABELS, MAX_TEXT, MAX_TITLE, PRIORITIES } from './domain/task.js';
import { bare, ownName, unwrapped } from './leniency.js';

/**
 * Schemas of tool inputs. Each accepts the variants that models and hosts are known to send (numbers as strings, lists
 * as JSON strings, "#12", a leading + or @) and refuses anything else with a message that says how to fix it.
 */

/** Refuses text of more than `max` code points, which is how PostgreSQL's `char_length` counts. */
function refuseLength(text: string, max: number): string | undefined {
  if (text.length === 0) return 'is empty';
  if (text.length <= max) return undefined;
  if (text.length > 10 * max) return `is too long; the maximum is ${max} characters`; // a request may have 4 MB
  const { length } = [...text];
  return length > max ? `is ${length} characters long; the maximum is ${max}` : undefined;
}

function refuseText(text: string): string | undefined {
  if (text.includes('\0')) return 'contains a NUL character: remove it';
  if (!text.isWellFormed()) return 'contains half of a surrogate pair: send well-formed Unicode';
  return undefined;
}

function refuseLine(text: string): string | undefined {
  if (CONTROL.test(text)) return 'must be one line without control characters: put longer text into the description';
  if (BIDI.test(text)) return 'contains characters that change the direction of text: remove them';
  if (!VISIBLE.test(text)) return 'has no visible character: write it out';
  if (HIDDEN.test(text)) return 'contains hidden characters, which nobody can see: remove them';
  return undefined;
}

function checked(max: number, ...checks: ((text: string) => string | undefined)[]) {
  return z.string('must be text').superRefine((text, context) => {
    const message = refuseLength(text, max) ?? checks.map((check) => check(text)).find(Boolean);
    if (message) context.addIssue({ code: 'custom', message });
  });
}

const toTrimmed = (value: unknown) =>
  typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : value;

/** One line of text, at most `max` code points. */
const line = (max: number) => z.preprocess(toTrimmed, checked(max, refuseText, refuseLine));

/** Text of several lines, usually Markdown, at most `max` code points. */
export const prose = (max: number) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.replace(/\r\n?/g, '\n').trim() : value),
    checked(max, refuseText),
  );

/** The name of a project or label, at most 100 code points. */
export const name = (...refusals: ((text: string) => string | undefined)[]) =>
  z.preprocess(
    (value) => {
      const text = toTrimmed(unwrapped(value));
      return typeof text === 'string' ? bare(text) : text;
    },
    checked(100, refuseText, refuseLine, ...refusals),
  );

/** One line of text that is interpreted, not stored: a date, a cursor, search words. */
export const shortText = (max = 200) => z.preprocess(unwrapped, line(max));

/** The same, joining lines: calendars fold rules over several. */
const unfolded = () =>
  z.preprocess((value) => (typeof value === 'string' ? value.replace(/[\r\n]+/g, ' ') : value), shortText());

/** A whole number from 1; larger values are reduced to `max`. */
export const clampedWhole = (max: number) =>
  z.preprocess((value) => (Number(value) > max && Number(value) < 1e15 ? max : value), wholeNumber(1, max));

/** A whole number from `min` to `max`. */
export const wholeNumber = (min: number, max: number) =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^\s*-?\d{1,15}\s*$/.test(value) ? Number(value) : value),
    z
      .int(`must be a whole number from ${min} to ${max}`)
      .min(min, `must be at least ${min}`)
      .max(max, `must be at most ${max}`),
  );

/** Token budget of an answer. */
export const maxTokens = () => wholeNumber(MIN_BUDGET, MAX_BUDGET).describe(`${DEFAULT_BUDGET} by default`);

const toId = (value: unknown) => {
  const digits = typeof value === 'string' && /^\s*#?(\d{1,10})\s*$/.exec(value)?.[1];
  return digits ? Number(digits) : value;
};
/** The same, and `T-12`, as other task lists show it. */
const toKnownId = (value: unknown) => toId(typeof value === 'string' ? value.replace(/^\s*t-(?=\d+\s*$)/i, '') : value);
const number = z
  .int('must be a task id; find it with list_tasks')
  .min(1, 'must be at least 1')
  .max(MAX_ID, 'is too large');

/** The id of a task: 12, "12", "#12" or "T-12". Not "T12": agents' plans use such names for other things. */
export const id = () => z.preprocess((value) => toKnownId(unwrapped(value)), number);

/** The id of a task, or its title. */
export const idOrTitle = () =>
  z.preprocess(toKnownId, z.union([number, line(MAX_TITLE)], { error: 'must be a task id or title' }));

/** The same, or `#12 Buy milk`, as completions offer tasks: the id is used. */
export const pickedTask = () =>
  z.preprocess((value) => (typeof value === 'string' && /^\s*#(\d{1,10})\s+\S/.exec(value)?.[1]) || value, idOrTitle());

const refuseReserved = (text: string) =>
  /^#?\d+$/.test(text)
    ? 'must not be a number: numbers are ids of existing tasks'
    : isNone(text)
      ? 'must not be "none", which means no task'
      : undefined;
const word = checked(40, refuseText, refuseLine);

/** The ref by which other tasks of the same plan name a task. */
export const ref = () => z.preprocess(toTrimmed, checked(40, refuseText, refuseLine, refuseReserved));

/** The id of an existing task, or the ref of one in the same plan. */
export const idOrRef = () =>
  z.preprocess(toId, z.union([number, z.preprocess(toTrimmed, word)], { error: 'must be a task id or a ref' }));

/** Returns the words of a choice: a list, or a text with commas. Of too many, some are enough to refuse them. */
const wordsOf = (given: unknown, most: number): unknown[] =>
  (typeof given === 'string' ? given.split(',', most + 1) : [given].flat()).slice(0, most + 1);

interface Understood<T> {
  aliases?: Record<string, T>;
  /** Several words that together mean one. */
  joint?: [together: string[], value: T][];
  /** Appended to the refusal: what to use instead. */
  otherwise?: string;
}

/** One of a few words. Case is ignored; spaces and dashes count as underscores. */
export const oneOf = <const T extends readonly [string, ...string[]]>(
  values: T,
  { aliases = {}, joint = [], otherwise = '' }: Understood<T[number]> = {},
) => {
  const meant = (word: unknown) => {
    if (typeof word !== 'string' && typeof word !== 'number') return word;
    const canonical = String(word)
      .trim()
      .toLowerCase()
      .replace(/[\s-]+/g, '_');
    return Object.hasOwn(aliases, canonical) ? aliases[canonical] : canonical;
  };
  return z.preprocess(
    (given) => {
      const words = new Set(wordsOf(given, values.length).map(meant));
      const [only] = words;
      if (words.size === 1) return only;
      return (
        joint.find(
          ([together]) => together.length === words.size && together.every((word) => words.has(word)),
        )?.[1] ?? [...words]
      );
    },
    z.enum(values, {
      error: ({ input }) => `must be ${Array.isArray(input) ? 'only ' : ''}one of ${values.join(', ')}${otherwise}`,
    }),
  );
};

export const flag = () =>
  z.preprocess(
    (value) => (value === 'true' ? true : value === 'false' ? false : value),
    z.boolean('must be true or false'),
  );

/** Ids of 1 to `MAX_AT_ONCE` tasks. */
export const ids = () => listField(id(), MAX_AT_ONCE, ',');

export const labels = () => listField(name(), MAX_LABELS, ',');

/** Labels to add to a task. */
export const newLabels = () => listField(name(refuseNone), MAX_LABELS, ',');
const refuseNone = (label: string) => (isNone(label) ? 'must not be "none", which means no label' : undefined);

/** A filter value, or null for "none": tasks without a value. */
const orNone = <T extends z.ZodType>(schema: T) =>
  z.preprocess((given) => {
    const value = unwrapped(given);
    return typeof value === 'string' && isNone(bare(value)) ? null : given;
  }, schema.nullable());

export const nameOrNone = () => orNone(name());
export const idOrNone = () => orNone(id());

/** A priority, or its word or number in other task lists. */
export const priority = <const Other extends string = never>(...others: Other[]) =>
  oneOf<[...typeof PRIORITIES, ...Other[]]>([...PRIORITIES, ...others], {
    aliases: {
      p1: 'urgent',
      p2: 'high',
      p3: 'medium',
      p4: 'low',
      critical: 'urgent',
      normal: 'medium',
      '1': 'urgent',
      '2': 'high',
      '3': 'medium',
      '4': 'low',
    },
  });

/** The fields of a new task, in the order in which models see them. */
export const taskFields = z.object({
  title: line(MAX_TITLE),
  description: prose(MAX_TEXT).describe('Markdown'),
  priority: priority(),
  due: shortText().describe('local date or time, ISO or words: tomorrow 5pm'),
  start: shortText().describe('not before; as due'),
  repeats: unfolded().describe('every 2 weeks on Tue; every 3 days after completion; or an RRULE'),
  estimate_minutes: wholeNumber(1, 100_000),
  project: name().describe('by name; created if new'),
  parent: id().describe('id of the task this is part of'),
});

/** The number of a claim. */
export const claim = () => wholeNumber(1, Number.MAX_SAFE_INTEGER);

/** What the caller believes about the task it names. If it is wrong, the write is refused. */
export const guard = {
  expected_version: wholeNumber(1, MAX_ID).describe('with one id: the version you know').optional(),
  expect_title: shortText(MAX_TITLE).optional(),
  claim: claim().describe('with one id: yours').optional(),
};

/** The name of a field to empty. */
export const clearable = () => {
  const isClearable = (field: string) => CLEARABLE.some((each) => each === field);
  return z.preprocess(
    (given) => (typeof given === 'string' ? ownName(given.trim().toLowerCase(), isClearable) : given),
    oneOf(CLEARABLE),
  );
};
