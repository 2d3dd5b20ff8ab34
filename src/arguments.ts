import type * as z from 'zod/v4';
import { invalid, type Refusal } from './errors.js';
import { floodOfUnknown, insteadOf, isNoneFor, isNotGiven, joinNames, meantBy, ownName } from './leniency.js';

interface Leniency {
  /** Field names by accepted alias. */
  aliases?: ReadonlyMap<string, string>;
  instead?: Record<string, string> | undefined;
  none?: 'absent' | 'clear' | undefined;
}

/**
 * Validates raw arguments, and coerces them.
 *
 * @throws Refusal `invalid` that names the invalid fields, five at most
 */
export function parse(
  tool: string,
  schema: z.ZodObject,
  raw: unknown,
  { aliases = new Map(), instead = {}, none }: Leniency = {},
): Record<string, unknown> {
  // A read is started before the SDK has checked that it is an object: the keys of a long text would take seconds.
  if (raw != null && (typeof raw !== 'object' || Array.isArray(raw)))
    throw invalid('The arguments are not an object.', `${tool} takes named fields.`);
  const known = Object.keys(schema.shape);
  const flood = floodOfUnknown(raw ?? {}, (field) => known.includes(field) || aliases.has(field));
  if (flood) throw unknownFields(tool, flood, known);
  const given = new Map<string, unknown>();
  const cleared: string[] = [];
  for (const [field, value] of Object.entries(raw ?? {})) {
    const name = aliases.get(field) ?? ownName(field, (own) => Object.hasOwn(schema.shape, own));
    if (isNotGiven(name, value)) continue;
    if (given.has(name)) throw invalid(`${name} is given twice, under two names.`, `Give ${name} alone.`);
    if (none && isNoneFor(name, value)) cleared.push(name);
    else given.set(name, value);
  }

  const unknown = [...given.keys()].filter((field) => !known.includes(field));
  if (unknown.length > 0) throw unknownFields(tool, unknown, known, { given: new Set(given.keys()), instead });
  const result = schema.safeParse(Object.fromEntries(given), { reportInput: true });
  if (!result.success) {
    const messages = result.error.issues.map((issue) => describeIssue(issue, raw as object));
    throw invalid(`${[...new Set(messages)].slice(0, 5).join('; ')}.`, 'Correct this and call again.');
  }
  const args = result.data as Record<string, unknown>;
  // Sorted: the request fingerprint must not depend on the order of the fields.
  if (none === 'clear' && cleared.length > 0) args.clear = [...new Set([args.clear ?? [], cleared].flat())].sort();
  return args;
}

function unknownFields(
  tool: string,
  unknown: string[],
  known: string[],
  { given = new Set(), instead = {} }: { given?: ReadonlySet<string>; instead?: Record<string, string> } = {},
): Refusal {
  const alternatives = meantBy(unknown, known, given);
  return invalid(
    `Unknown ${unknown.length > 1 ? 'fields' : 'field'}: ${joinNames(unknown)}.`,
    insteadOf(unknown, instead).join(' ') ||
      (alternatives.length > 0
        ? `Did you mean ${alternatives.join(', ')}?`
        : `${tool} takes ${known.join(', ') || 'no fields'}.`),
  );
}

/** Describes an issue with the path of its field: `tasks[0].title is missing`. */
function describeIssue({ path, message, input }: z.core.$ZodIssue, raw: object): string {
  const [first, ...rest] = path;
  if (first === undefined) return message;
  const fieldPath = rest.reduce<string>(
    (to, step) => to + (typeof step === 'number' ? `[${step}]` : `.${String(step)}`),
    String(first),
  );
  if (input !== undefined) return `${fieldPath} ${message}`;
  const sent = path.reduce<unknown>((value, step) => (value as Record<PropertyKey, unknown> | null)?.[step], raw);
  return `${fieldPath} is ${sent == null ? 'missing' : 'empty'}`;
}
