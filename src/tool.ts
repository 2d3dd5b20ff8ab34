import { requireScopes, type StandardSchemaWithJSON, type ToolAnnotations } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { DEFAULT_BUDGET, type DetailLevels } from './answers/budget.js';
import { type Answer, type AnswerField, type RenderContext, typeOf } from './answers/shapes.js';
import type { Scope } from './auth/scopes.js';
import type { UserTx } from './db/scope.js';
import type { WriteCommand } from './domain/write.js';
import { invalid } from './errors.js';
import { isNothing, maxTokens, meantBy, named, saysNone, words, yes } from './fields.js';

/** What a tool does to the caller's tasks: its hints, its scope and its transaction follow from it. */
export type Effect = 'read' | 'create' | 'update' | 'delete';

export type Fields = Record<string, z.ZodType>;
export type Args<F extends Fields> = z.infer<z.ZodObject<F>>;

/** What a read may use beside the user's rows. */
export interface ReadContext {
  now: Date;
  /** Signs page cursors. */
  secret: Buffer;
  /** Whether more was asked for than an answer usually costs. */
  much: boolean;
  /** By what name the asker would claim a task. */
  me: string;
}

interface Description<F extends Fields> {
  /** A verb a person would say; also the file's name. */
  name: string;
  title: string;
  /** What it does, when to use it, what to use instead. All a model knows of it. */
  description: string;
  input: F;
  /** Other names accepted for fields. */
  aliases?: Record<string, keyof F & string>;
  /** Whether the same call again changes nothing more. Default: unless it makes something. */
  idempotent?: boolean;
  /** What it means where a field is said to be "none": that it is not given, or that it is named in `clear`. */
  none?: 'absent' | 'clear';
  /** What an answer may hold. A total is left out: it is a number or "1000+", which some hosts cannot be told. */
  output: Exclude<AnswerField, 'total'>[];
}

interface Read<F extends Fields, Outcome> extends Description<F> {
  effect: 'read';
  run(args: Args<F>, tx: UserTx, context: ReadContext): Promise<Outcome>;
  answer(outcome: Outcome, say: RenderContext, args: Args<F>): DetailLevels;
}

interface Write<F extends Fields, State, Outcome> extends Description<F> {
  effect: Exclude<Effect, 'read'>;
  run(args: Args<F>): WriteCommand<State, Outcome>;
  answer(outcome: Outcome, say: RenderContext, args: Args<F>): Answer;
}

/** Arguments after coercion, and what every read or every write takes beside its own. */
export interface Call {
  args: Record<string, unknown>;
  /** What the answer of a read may cost, in tokens of each channel. */
  budget: number;
  requestId?: string;
  dryRun: boolean;
}

interface Registered {
  name: string;
  effect: Effect;
  /** The scope a token needs. */
  scope: Scope;
  config: {
    title: string;
    description: string;
    inputSchema: StandardSchemaWithJSON;
    outputSchema: StandardSchemaWithJSON;
    annotations: ToolAnnotations;
    scopeChallenge: ReturnType<typeof requireScopes>;
  };
  /** @throws Refusal `invalid`, naming every field that is wrong */
  parse(raw: unknown): Call;
}

export interface ReadTool extends Registered {
  effect: 'read';
  run(args: never, tx: UserTx, context: ReadContext): Promise<unknown>;
  answer(outcome: never, say: RenderContext, args: never): DetailLevels;
}

export interface WriteTool extends Registered {
  effect: Exclude<Effect, 'read'>;
  run(args: never): WriteCommand<unknown, unknown>;
  answer(outcome: never, say: RenderContext, args: never): Answer;
}

export type Tool = ReadTool | WriteTool;

const everyWrite = {
  request_id: words().describe('random; same on retry').optional(),
  dry_run: yes().optional(),
};

const everyRead = { max_tokens: maxTokens().optional() };

/**
 * Defines a tool: one word of effect, fields, and the few lines that hand them to the domain. Schemas are built once;
 * nothing is built per request.
 */
export function defineTool<F extends Fields, Outcome>(spec: Read<F, Outcome>): ReadTool;
export function defineTool<F extends Fields, State, Outcome>(spec: Write<F, State, Outcome>): WriteTool;
export function defineTool(spec: Description<Fields> & { effect: Effect }): Tool {
  const { name, effect, title, description } = spec;
  const reads = effect === 'read';
  const schema = z.strictObject({ ...spec.input, ...(reads ? everyRead : everyWrite) });
  const aliases = new Map(Object.entries(spec.aliases ?? {}));
  const scope = reads ? 'tasks:read' : 'tasks:write';
  return {
    ...spec,
    scope,
    config: {
      title,
      description,
      inputSchema: published(() => inputJson(schema)),
      outputSchema: published(() =>
        outputJson([...spec.output, ...(reads ? (['omitted'] as const) : (['undo', 'replayed'] as const))]),
      ),
      annotations: {
        readOnlyHint: reads,
        destructiveHint: effect === 'delete',
        idempotentHint: spec.idempotent ?? effect !== 'create',
        openWorldHint: false,
      },
      scopeChallenge: requireScopes(scope),
    },
    parse: (raw: unknown) => parse(name, schema, aliases, raw, spec.none),
  } as unknown as Tool; // `run` and `answer` come with the spec; the overloads above hold them to its fields
}

/**
 * A schema for the SDK that publishes what `make` makes, once and when it is first listed, and lets everything pass: we
 * validate ourselves, so that bad input is answered as every other refusal is.
 */
export function published(make: () => Record<string, unknown>): StandardSchemaWithJSON {
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

/** What a refusal explains better: how much may be given, and that nothing else may. */
const BOUNDS = ['minimum', 'maximum', 'minItems', 'maxItems', 'additionalProperties'] as const;

/** What a model sees: no `$schema`, no bounds, nothing it would not use. */
export function inputJson(schema: z.ZodType): Record<string, unknown> {
  const { $schema, ...json } = z.toJSONSchema(schema, {
    io: 'output',
    override: ({ jsonSchema: s }) => {
      for (const bound of BOUNDS) delete s[bound];
      // Where a number or a text will do, some hosts can only be told of one of them: text can say both.
      if (s.anyOf) {
        delete s.anyOf;
        s.type = 'string';
      }
    },
  });
  return json;
}

/**
 * Shallow and open, on purpose: some clients hold answers and refusals alike to it, and a strict one would
 * turn every refusal into a protocol error. The strict check of every answer is ours: `checkAnswer`.
 */
function outputJson(fields: AnswerField[]): Record<string, unknown> {
  const typed = fields.map((field) => [field, { type: typeOf(field) }]);
  return { type: 'object', properties: Object.fromEntries(typed) };
}

export function parse(
  tool: string,
  schema: z.ZodObject,
  aliases: ReadonlyMap<string, string>,
  raw: unknown,
  none?: 'absent' | 'clear',
): Call {
  const given = new Map<string, unknown>();
  const emptied: string[] = [];
  for (const [field, value] of Object.entries(raw ?? {})) {
    const name = aliases.get(field) ?? field;
    if (isNothing(name, value)) continue;
    if (given.has(name)) throw invalid(`${name} is given twice, under two names.`, `Give ${name} alone.`);
    if (none && saysNone(name, value)) emptied.push(name);
    else given.set(name, value);
  }

  const known = Object.keys(schema.shape);
  const unknown = [...given.keys()].filter((field) => !known.includes(field));
  if (unknown.length > 0) {
    const meant = meantBy(unknown, known, new Set(given.keys()));
    throw invalid(
      `Unknown ${unknown.length > 1 ? 'fields' : 'field'}: ${named(unknown)}.`,
      meant.length > 0 ? `Did you mean ${meant.join(', ')}?` : `${tool} takes ${known.join(', ') || 'no fields'}.`,
    );
  }
  const result = schema.safeParse(Object.fromEntries(given));
  if (!result.success) {
    const problems = result.error.issues.map((issue) => problem(issue, given, raw as object));
    throw invalid(`${[...new Set(problems)].slice(0, 5).join('; ')}.`, 'Correct this and call again.');
  }
  const { request_id, dry_run, max_tokens, ...args } = result.data as Record<string, unknown>;
  // Sorted, for it is the same call in whatever order its fields come.
  if (none === 'clear' && emptied.length > 0) args.clear = [...new Set([args.clear ?? [], emptied].flat())].sort();
  return {
    args,
    budget: typeof max_tokens === 'number' ? max_tokens : DEFAULT_BUDGET,
    dryRun: dry_run === true,
    ...(typeof request_id === 'string' && { requestId: request_id }),
  };
}

/** What is wrong with a field, and where: `tasks[0].title is missing`. */
function problem(
  { path, message, ...issue }: z.core.$ZodIssue,
  given: ReadonlyMap<string, unknown>,
  raw: object,
): string {
  const [first, ...rest] = path;
  if (first === undefined) return message;
  const place = rest.reduce<string>(
    (to, step) => to + (typeof step === 'number' ? `[${step}]` : `.${String(step)}`),
    String(first),
  );
  if (issue.code === 'unrecognized_keys') return `${place} ${message}`;
  const there = rest.reduce<unknown>(
    (value, step) => (value as Record<PropertyKey, unknown> | undefined)?.[step],
    given.get(String(first)),
  );
  const unread = typeof given.get(String(first)) === 'string' && rest.length > 0;
  if (there !== undefined || unread) return `${place} ${message}`;
  const empty = rest.length === 0 && (raw as Record<PropertyKey, unknown>)[first] != null;
  return `${place} is ${empty ? 'empty' : 'missing'}`;
}
