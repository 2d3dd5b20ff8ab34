import { InvalidArgumentError } from 'commander';
import type * as z from 'zod/v4';
import { SCOPES, type Scope } from '../auth/scopes.js';

/** Makes an argument parser that checks a value against a schema. */
export const parserFor =
  <T>(schema: z.ZodType<T>) =>
  (value: string): T => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new InvalidArgumentError(`It ${parsed.error.issues[0]?.message}.`);
  };

/**
 * Parses a list of scopes such as `tasks:read,tasks:write`.
 *
 * @throws InvalidArgumentError for any other value
 */
export function parseScopes(value: string): Scope[] {
  const scopes = new Set(value.split(',').map((scope) => scope.trim()));
  const known = SCOPES.filter((scope) => scopes.has(scope));
  if (known.length !== scopes.size) throw new InvalidArgumentError(`It must be a list of ${SCOPES.join(' and ')}.`);
  return known;
}

const HOUR = 3_600_000;
const UNITS: Record<string, number> = { h: HOUR, d: 24 * HOUR, w: 7 * 24 * HOUR };

/**
 * Parses a duration such as `12h`, `90d` or `52w`.
 *
 * @returns milliseconds
 * @throws InvalidArgumentError for any other value
 */
export function parseDuration(value: string): number {
  const [, count, unit] = /^([1-9]\d{0,4})([hdw])$/.exec(value) ?? [];
  const length = UNITS[unit ?? ''];
  if (!length) throw new InvalidArgumentError('It must be a number and h, d or w, such as 90d.');
  return Number(count) * length;
}
