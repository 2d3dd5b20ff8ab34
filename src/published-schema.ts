import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { type AnswerField, typeOf } from './answers/answer-schema.js';

/**
 * Returns a schema for the SDK that publishes the JSON schema of `make`, built once on first listing, and accepts any
 * value: `parse` validates, so that invalid input gets the same kind of answer as any other refusal.
 */
export function publishedSchema(make: () => Record<string, unknown>): StandardSchemaWithJSON {
  let made: Record<string, unknown> | undefined;
  const json = () => {
    made ??= make();
    return made;
  };
  return {
    '~standard': {
      version: 1,
      vendor: 'taskloom',
      validate: (value: unknown) => ({ value }),
      jsonSchema: { input: json, output: json },
    },
  };
}

/** Keywords not published: a refusal explains these limits better. */
const BOUNDS = ['minimum', 'maximum', 'minItems', 'maxItems', 'additionalProperties'] as const;

/** Returns the JSON schema that a model sees: without `$schema` and bounds, which it would not use. */
export function inputJson(schema: z.ZodType): Record<string, unknown> {
  const { $schema, ...json } = z.toJSONSchema(schema, {
    io: 'output',
    override: ({ jsonSchema: s }) => {
      for (const bound of BOUNDS) delete s[bound];
      // Some hosts do not support `anyOf`. Where a number or a string is accepted, publish a string.
      if (s.anyOf) {
        delete s.anyOf;
        s.type = 'string';
      }
    },
  });
  return json;
}

/**
 * Shallow and open on purpose: some clients validate refusals against it too, and a strict schema would turn every
 * refusal into a protocol error. `checkAnswer` is the strict check.
 */
export function outputJson(fields: AnswerField[]): Record<string, unknown> {
  const properties = fields.map((field) => [field, { type: typeOf(field) }]);
  return { type: 'object', properties: Object.fromEntries(properties) };
}
