import * as z from 'zod/v4';
import { DEFAULT_BUDGET, MAX_BUDGET, MIN_BUDGET } from './answers/budget.js';
import { BIDI, CONTROL, HIDDEN, VISIBLE } from './characters.js';
import { isNone } from './domain/names.js';
import { CLEARABLE } from './domain/patch.js';
import { MAX_AT_ONCE, MAX_ID, MAX_LABELS, MAX_TEXT, MAX_TITLE, PRIORITIES } from './domain/task.js';
import { truncateForMessage } from './errors.js';
import { isTooComplex, MAX_FIELDS } from './json-bounds.js';

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

/** Unwraps a list of one, if a single value is expected. */
const unwrapped = (value: unknown) => (Array.isArray(value) && value.length === 1 ? value[0] : value);

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

/** Strips the sign (@, + or #) that answers and people put before a name. */
const bare = (name: string) =>
  name
    .trim()
    .replace(/^[@+#]+\s*/, '')
    .replace(/ +/g, ' ');

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
const toKnownId = (value: unknown) => toId(typeof value === 'string' ? value.replace(/^\s*t-(?=\d)/i, '') : value);
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

/**
 * An object; a JSON string is parsed, and fields whose value means "not given" are dropped.
 *
 * @param instead what to do instead, for a field that it does not have
 */
export const object = <T extends z.ZodRawShape>(shape: T, instead: Record<string, string> = {}) =>
  z.preprocess(
    (value, context) => {
      const parsed = typeof value === 'string' ? fromJson(value) : value;
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return parsed;
      const isField = (field: string) => Object.hasOwn(shape, field);
      const flood = floodOfUnknown(parsed, isField);
      if (flood) {
        context.addIssue({ code: 'custom', message: `has no field ${joinNames(flood)}` });
        return z.NEVER;
      }
      const given = new Map<string, unknown>();
      for (const [field, each] of Object.entries(parsed)) {
        const own = ownName(field, isField);
        if (!isNotGiven(own, each) && !isNoneFor(own, each)) given.set(given.has(own) ? field : own, each);
      }
      return Object.fromEntries(given);
    },
    z.strictObject(shape, {
      error: (issue) => {
        if (issue.code === 'invalid_type') return 'must be an object with a title';
        if (issue.code !== 'unrecognized_keys') return undefined;
        const other = issue.keys.flatMap((field) =>
          Object.hasOwn(instead, plain(field)) ? instead[plain(field)] : [],
        );
        const meant = meantBy(issue.keys, Object.keys(shape), new Set(Object.keys(issue.input as object)));
        const hint = other[0] ?? (meant.length > 0 ? `did you mean ${meant.join(', ')}?` : undefined);
        return `has no field ${joinNames(issue.keys)}${hint ? ` (${hint})` : ''}`;
      },
    }),
  );

/** Returns whether a value means "not given", as some clients send it. It never empties a field: `clear` does. */
export const isNotGiven = (field: string, value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === 'string' && /^\s*(?:null|undefined)\s*$/.test(value) && !WRITTEN.includes(field));

/** Fields of free text, and a guard that compares with one: even "null" may be meant literally. */
const WRITTEN = ['title', 'description', 'text', 'note', 'expect_title'];

/** Returns whether a clearable field except `description` is given as "none" (or `repeats` as "never"). */
export function isNoneFor(field: string, given: unknown): boolean {
  const value = unwrapped(given);
  if (typeof value !== 'string' || field === 'description' || !CLEARABLE.some((each) => each === field)) return false;
  return isNone(bare(value)) || (field === 'repeats' && /^\s*never\s*$/i.test(value));
}

/** Returns the words of a choice: a list, or a text with commas. Of too many, some are enough to refuse them. */
const wordsOf = (given: unknown, most: number): unknown[] =>
  (typeof given === 'string' ? given.split(',', most + 1) : [given].flat()).slice(0, most + 1);

/**
 * One of a few words or their `aliases`. Case is ignored; spaces and dashes count as underscores.
 *
 * @param otherwise appended to the refusal: what to use instead
 * @param joint several words that together mean one of `values`
 */
export const oneOf = <const T extends readonly [string, ...string[]]>(
  values: T,
  aliases: Record<string, T[number]> = {},
  otherwise = '',
  joint: [together: string[], value: T[number]][] = [],
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

/**
 * A list of at most `max` items. A single value becomes a list of one. A string is parsed as JSON, or split at
 * `separator`, which is given if items contain no commas.
 */
export const listField = <T extends z.ZodType>(item: T, max: number, separator?: ',') =>
  z.preprocess(
    (value) => {
      // One item too many is enough to refuse the list.
      return value === undefined ? value : itemsOf(value, separator).slice(0, max + 1);
    },
    z.array(item).min(1, 'is empty').max(max, `can have at most ${max} items`),
  );

function itemsOf(value: unknown, separator?: ','): unknown[] {
  const list = typeof value === 'string' ? listOf(value, separator) : value;
  return Array.isArray(list) ? list.filter((each) => each !== '' && each !== null) : [list];
}

/** Returns the objects of a valid list as they were sent, to tell what of them was understood as something else. */
export const objectsSent = (value: unknown): Record<string, unknown>[] =>
  itemsOf(value).map((each) => (typeof each === 'string' ? fromJson(each) : each) as Record<string, unknown>);

/**
 * Longer texts are not matched against the pattern of a list of ids, which overflows the stack at a million ids; nor
 * are they split into more items.
 */
const MAX_LIST_LENGTH = 10_000;

function listOf(text: string, separator: ',' | undefined): unknown {
  if (text.length <= MAX_LIST_LENGTH && /^\s*#?\d+(\s*,\s*#?\d+)+\s*$/.test(text)) return text.split(',');
  if (!text.trim().startsWith('[')) return separator ? text.split(separator, MAX_LIST_LENGTH) : text;
  return fromJson(text);
}

function fromJson(text: string): unknown {
  try {
    return isTooComplex(text) ? text : JSON.parse(text);
  } catch {
    return text;
  }
}

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

/** Names of our fields in other task lists, where their values mean the same: they are accepted. */
const SYNONYMS = new Map([
  ['name', ['title']],
  ['duedate', ['due']],
  ['deadline', ['due']],
  ['startdate', ['start']],
  ['recurrence', ['repeats']],
  ['dependencies', ['blocked_by']],
  ['dependson', ['blocked_by']],
  ['tag', ['labels']],
  ['tags', ['labels']],
  ['label', ['labels']],
  ['parentid', ['parent']],
  ['projectname', ['project']],
  ['state', ['status']],
  ['assignee', ['claimed_by']],
  ['sortby', ['sort']],
  ['orderby', ['sort']],
  ['updatedsince', ['changed_since']],
  ['modifiedsince', ['changed_since']],
  ['id', ['ids', 'ref']],
  ['ids', ['id']],
  ['taskid', ['ids', 'id']],
  ['taskids', ['ids']],
]);

/** Names that may mean one of our fields; of two, the second if the first is given already. */
const SIMILAR = new Map([
  ['content', ['title', 'description']],
  ['notes', ['description']],
  ['body', ['description']],
  ['when', ['due']],
  ['duration', ['estimate_minutes']],
  ['completed', ['status']],
  ['task', ['ids']],
]);

/** The name of a field to empty. */
export const clearable = () => {
  const isClearable = (field: string) => CLEARABLE.some((each) => each === field);
  return z.preprocess(
    (given) => (typeof given === 'string' ? ownName(given.trim().toLowerCase(), isClearable) : given),
    oneOf(CLEARABLE),
  );
};

/** How many unknown fields a refusal names. */
const MAX_NAMED = 10;

/** A field's name without case, dashes and underscores. */
export const plain = (field: string) => field.toLowerCase().replace(/[_-]/g, '');

/** Returns our name of a field that has another one elsewhere, or the name itself. */
export const ownName = (field: string, isKnown: (name: string) => boolean): string =>
  isKnown(field) ? field : (SYNONYMS.get(plain(field))?.find(isKnown) ?? field);

/**
 * Returns the known fields that unknown ones may have been meant as.
 *
 * @param given names of all fields given, which decide between two synonyms
 */
export function meantBy(unknown: string[], known: string[], given: ReadonlySet<string>): string[] {
  const matches = unknown.slice(0, MAX_NAMED).flatMap((unknownField) => {
    const field = truncateForMessage(unknownField);
    const [first = field, other = first] = SYNONYMS.get(plain(field)) ?? SIMILAR.get(plain(field)) ?? [];
    const word = plain(given.has(first) ? other : first);
    const resembles = (each: string) =>
      each === word || (word.length > 2 && (word.includes(each) || each.includes(word)));
    return known.filter((each) => resembles(plain(each)));
  });
  return [...new Set(matches)];
}

/** Returns the unknown fields of an object that has too many to look at each of them and its value. */
export function floodOfUnknown(given: object, isKnown: (field: string) => boolean): string[] | undefined {
  const fields = Object.keys(given);
  return fields.length > MAX_FIELDS ? fields.filter((field) => !isKnown(field)) : undefined;
}

/** Joins field names that the caller chose: the first 10 of them, cut to 40 characters each. */
export function joinNames(fields: string[]): string {
  const names = fields.slice(0, MAX_NAMED).map(truncateForMessage);
  const more = fields.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
