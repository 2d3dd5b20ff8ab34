import * as z from 'zod/v4';
import { isTooComplex } from './json-bounds.js';
import { floodOfUnknown, insteadOf, isNoneFor, isNotGiven, joinNames, meantBy, ownName } from './leniency.js';

/** Schemas of objects and lists, which some hosts send as JSON text. */

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
        const meant = meantBy(issue.keys, Object.keys(shape), new Set(Object.keys(issue.input as object)));
        const didYouMean = meant.length > 0 ? [`did you mean ${meant.join(', ')}?`] : [];
        const hints = [...insteadOf(issue.keys, instead), ...didYouMean].join('; ');
        return `has no field ${joinNames(issue.keys)}${hints && ` (${hints})`}`;
      },
    }),
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
