import { isNone } from './domain/names.js';
import { CLEARABLE } from './domain/patch.js';
import { truncateForMessage } from './errors.js';
import { MAX_FIELDS } from './json-bounds.js';

/** What models and hosts send in place of our fields' names, of a plain value, and of no value. */

/** Unwraps a list of one, if a single value is expected. */
export const unwrapped = (value: unknown) => (Array.isArray(value) && value.length === 1 ? value[0] : value);

/** Strips the sign (@, + or #) that answers and people put before a name. */
export const bare = (name: string) =>
  name
    .trim()
    .replace(/^[@+#]+\s*/, '')
    .replace(/ +/g, ' ');

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

/** How many unknown fields a refusal names. */
const MAX_NAMED = 10;

/** A field's name without case, dashes and underscores. */
const plain = (field: string) => field.toLowerCase().replace(/[_-]/g, '');

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

/**
 * Returns what to do instead of giving these fields, where that is known.
 *
 * @param instead advice by the plain name of a field
 */
export const insteadOf = (fields: string[], instead: Record<string, string>): string[] => [
  ...new Set(fields.flatMap((field) => (Object.hasOwn(instead, plain(field)) ? (instead[plain(field)] ?? []) : []))),
];

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
