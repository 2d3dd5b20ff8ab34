import { requireScopes, type StandardSchemaWithJSON, type ToolAnnotations } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import type { AnswerField } from './answers/answer-schema.js';
import { DEFAULT_BUDGET, type DetailLevels } from './answers/budget.js';
import type { Answer, RenderContext } from './answers/shapes.js';
import { parse } from './arguments.js';
import type { Scope } from './auth/scopes.js';
import type { Actor } from './db/schema.js';
import type { UserTx } from './db/scope.js';
import type { Decision, WriteCommand, WriteContext } from './domain/write.js';
import { flag, maxTokens, shortText } from './fields.js';
import { inputJson, outputJson, publishedSchema } from './published-schema.js';
import { type ReadContext, type Reading, reading } from './reading.js';

/** What a tool does to the caller's tasks. Determines its annotations, scope and transaction. */
type Effect = 'read' | 'create' | 'update' | 'delete';

export type Fields = Record<string, z.ZodType>;
export type Args<F extends Fields> = z.infer<z.ZodObject<F>>;

interface Description<F extends Fields> {
  /** A verb phrase such as `add_task`; the file has the same name with dashes. */
  name: string;
  title: string;
  /** What it does, when to use it, what to use instead. A model knows nothing else about the tool. */
  description: string;
  input: F;
  /** Field names by accepted alias, besides those that every tool accepts. */
  aliases?: Record<string, keyof F & string>;
  /** What to do instead of giving fields that callers may expect, by their plain names. */
  instead?: Record<string, string>;
  /** Whether repeating the call changes nothing more. Default: false for `create`, else true. */
  idempotent?: boolean;
  /** How the value "none" of a clearable field is read: as absent, or as if the field were named in `clear`. */
  none?: 'absent' | 'clear';
  /** Fields that an answer may have. `total` is not listed: some hosts reject the union of number and "1000+". */
  output: Exclude<AnswerField, 'total'>[];
}

interface Read<F extends Fields, Outcome> extends Description<F> {
  effect: 'read';
  run(args: Args<F>, tx: UserTx, context: ReadContext): Promise<Outcome>;
  answer(outcome: Outcome, context: RenderContext, args: Args<F>): DetailLevels;
}

interface Write<F extends Fields, State, Outcome> extends Description<F> {
  effect: Exclude<Effect, 'read'>;
  run(args: Args<F>): WriteCommand<State, Outcome>;
  /** @param sent the arguments as they were sent */
  answer(outcome: Outcome, context: RenderContext, args: Args<F>, sent: Record<string, unknown>): Answer;
}

interface CallBase {
  /** The tool's own arguments after coercion, without the parameters that every read or every write accepts. */
  args: Record<string, unknown>;
}

/** A call of a tool that reads, with valid arguments. */
export interface ReadCall extends CallBase {
  effect: 'read';
  /** Token budget of the answer, for each channel. */
  budget: number;
  read: Reading<DetailLevels>;
}

/** A call of a tool that writes, with valid arguments. */
export interface WriteCall extends CallBase {
  effect: Exclude<Effect, 'read'>;
  requestId: string | undefined;
  dryRun: boolean;
  /** Reads what the decision needs, and returns the decision. Both are repeated if the connection breaks. */
  read(tx: UserTx, actor: Actor, now: Date): Promise<Decide>;
}

/** Decides a write and renders its answer. Pure: what it depends on was read, or is in the context. */
export type Decide = (
  context: WriteContext,
  rendering: RenderContext,
) => { decision: Decision<unknown>; answer: Answer };

export interface Tool {
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
  /** @throws Refusal `invalid` that names the invalid fields, five at most, or what they contradict */
  parse(raw: unknown): ReadCall | WriteCall;
}

const commonWrite = {
  request_id: shortText().describe('random; same on retry').optional(),
  dry_run: flag().optional(),
};

const commonRead = { max_tokens: maxTokens().optional() };

/**
 * Defines a tool from its effect, its fields, and the functions that pass them to the domain. Schemas are built once,
 * not per request.
 */
export function defineTool<F extends Fields, Outcome>(spec: Read<F, Outcome>): Tool;
export function defineTool<F extends Fields, State, Outcome>(spec: Write<F, State, Outcome>): Tool;
export function defineTool<F extends Fields, State, Outcome>(spec: Read<F, Outcome> | Write<F, State, Outcome>): Tool {
  const { name, effect, title, description } = spec;
  const reads = effect === 'read';
  const schema = z.strictObject({ ...spec.input, ...(reads ? commonRead : commonWrite) });
  const { none, instead } = spec;
  const aliases = new Map<string, string>(Object.entries(spec.aliases ?? {}));
  const scope = reads ? 'tasks:read' : 'tasks:write';
  return {
    name,
    effect,
    scope,
    config: {
      title,
      description,
      inputSchema: publishedSchema(() => inputJson(schema)),
      outputSchema: publishedSchema(() =>
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
    parse(raw) {
      const { request_id, dry_run, max_tokens, ...rest } = parse(name, schema, raw, { aliases, instead, none });
      const args = rest as Args<F>; // TypeScript cannot take the common parameters off a generic type
      if (spec.effect === 'read')
        return {
          effect: spec.effect,
          args,
          budget: typeof max_tokens === 'number' ? max_tokens : DEFAULT_BUDGET,
          read: reading(
            (tx, context) => spec.run(args, tx, context),
            (outcome, context) => spec.answer(outcome, context, args),
          ),
        };
      const command = spec.run(args);
      return {
        effect: spec.effect,
        args,
        requestId: typeof request_id === 'string' ? request_id : undefined,
        dryRun: dry_run === true,
        async read(tx, actor, now) {
          const state = await command.read(tx, actor, now);
          return (context, rendering) => {
            const decision = command.decide(state, context);
            return { decision, answer: spec.answer(decision.outcome, rendering, args, raw as Record<string, unknown>) };
          };
        },
      };
    },
  };
}
