import { randomUUID } from 'node:crypto';
import { CLIENT_INFO_META_KEY } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import { checkAnswer } from './answers/answer-schema.js';
import { DEFAULT_BUDGET, fitToBudget } from './answers/budget.js';
import type { Answer, RenderContext } from './answers/shapes.js';
import type { Principal } from './auth/principal.js';
import type { Scope } from './auth/scopes.js';
import { oneLine } from './characters.js';
import type { Store } from './db/connect.js';
import { readAsUser } from './db/read-as-user.js';
import type { Actor } from './db/schema.js';
import type { LockedState } from './db/scope.js';
import { writeAsUser } from './db/write-as-user.js';
import { clientOf, nameOf } from './domain/actors.js';
import { withLazyModules } from './domain/lazy-module.js';
import { changeCount, undoHandle, type WriteContext } from './domain/write.js';
import { writeStatement } from './domain/write-statement.js';
import { forbidden, Refusal } from './errors.js';
import type { Feed } from './feed.js';
import { CLIENT_KEY } from './meta.js';
import type { ReadContext, Reading } from './reading.js';
import { type RequestKey, replay, requestKey, storedRequest } from './replay.js';
import type { Decide, ReadCall, Tool, WriteCall } from './tool.js';
import { tools } from './tools/index.js';
import type { OutageLog } from './transports/outage.js';

export interface Deps {
  /** Returns the database, opened on first use: listing tools never waits for it. */
  store(): Promise<Store>;
  clock(): Date;
  /** Whether the database uses `clock` as its time too. For tests. */
  databaseUsesClock?: boolean;
  /** Whether every answer is validated against its schema. For tests; answers of writes always are, before COMMIT. */
  validateAnswers?: boolean;
  log: Logger;
  version: string;
  /** How long history is kept, in days. */
  historyDays: number;
  /** Receives every write and notifies subscribers. Without it, subscriptions are refused. */
  feed?: Feed;
  /** Logs an outage of the database once, however many calls it refuses. */
  outages: OutageLog;
}

/** The tool call that a request was found to contain. */
export interface ExpectedCall {
  tool: Tool;
  /** Its answer, if the call was started ahead of the SDK's handling. */
  result?: Promise<Answer>;
}

/** Returns the principal. @throws Refusal `forbidden` if it lacks a scope */
export function withScope(principal: Principal, scope: Scope): Principal {
  if (!principal.scopes.includes(scope))
    throw forbidden(`This token lacks the scope ${scope}.`, 'Use a token with that scope.');
  return principal;
}

export type Meta = Record<string, unknown>;

/** Returns the client's name: from the request's envelope, else the 2025 handshake, else the relay's `_meta` key. */
export function clientName(
  envelope: Meta | undefined,
  handshakeName: string | undefined,
  meta: Meta | undefined,
): string | undefined {
  const info = envelope?.[CLIENT_INFO_META_KEY] as { name?: unknown } | null | undefined;
  const name = info?.name ?? handshakeName ?? meta?.[CLIENT_KEY];
  return typeof name === 'string' ? oneLine(name, 100) || undefined : undefined;
}

/**
 * Returns the tool call in a request body, if any. A read is started at once, so that the database works while the SDK
 * validates the request; if the SDK refuses it, the result is discarded. A write is not started.
 */
export function expectedCall(deps: Deps, body: unknown, principal: Principal): ExpectedCall | undefined {
  const { method, params } = (body ?? {}) as {
    method?: unknown;
    params?: { name?: unknown; arguments?: unknown; _meta?: Meta };
  };
  const tool = method === 'tools/call' ? tools.find(({ name }) => name === params?.name) : undefined;
  if (tool?.effect !== 'read') return tool && { tool };
  const meta = params?._meta;
  const result = runTool(deps, tool, params?.arguments, principal, { client: clientName(meta, undefined, meta) });
  result.catch(() => {}); // may never be awaited; avoids an unhandled rejection
  return { tool, result };
}

/** The client's name and the `_meta` of a call. */
interface Origin {
  client?: string | undefined;
  meta?: Meta | undefined;
}

/** Runs a tool call as the caller. @throws Refusal for whatever the caller can mend; other errors as they come */
export async function runTool(
  deps: Deps,
  tool: Tool,
  raw: unknown,
  principal: Principal,
  { client, meta }: Origin,
): Promise<Answer> {
  withScope(principal, tool.scope);
  const started = performance.now();
  const answer = await withLazyModules(async () => {
    const call = tool.parse(raw);
    const caller = { principal, now: deps.clock(), actor: actorOf(principal, client, call.args) };
    return call.effect === 'read'
      ? runRead(deps, call, caller)
      : runWrite(deps, call, caller, requestKey(tool.name, call, meta, clientOf(caller.actor)));
  });
  deps.outages.answered();
  const ms = Math.round(performance.now() - started);
  deps.log.debug({ tool: tool.name, user: principal.handle, token: principal.token, ms }, 'call');
  return answer;
}

/** Runs a read that is not a tool call: of a prompt, a resource or a completion. */
export const runReading = <T>(deps: Deps, principal: Principal, scope: Scope, read: Reading<T>): Promise<T> =>
  withLazyModules(() =>
    readAndRender(deps, withScope(principal, scope), read, {
      now: deps.clock(),
      detailed: false,
      callerName: principal.via,
    }),
  );

/** The caller of a tool, and the time of the call. */
interface Caller {
  principal: Principal;
  now: Date;
  actor: Actor;
}

async function runRead(deps: Deps, { read, budget }: ReadCall, { principal, now, actor }: Caller): Promise<Answer> {
  const context = { now, detailed: budget > DEFAULT_BUDGET, callerName: nameOf(actor) };
  return fitToBudget(await readAndRender(deps, principal, read, context), budget);
}

async function readAndRender<T>(
  deps: Deps,
  principal: Principal,
  read: Reading<T>,
  context: Omit<ReadContext, 'secret'>,
): Promise<T> {
  const { database, secret } = await deps.store();
  const render = await readAsUser(database, principal, (tx) => read(tx, { ...context, secret }), fakeClock(deps));
  return render(renderContext(principal, context.now));
}

/** What a write comes to: its answer, and the user's newest change if it made any. */
interface Done {
  answer: Answer;
  newest?: number | undefined;
}

async function runWrite(
  deps: Deps,
  { read, dryRun }: WriteCall,
  { principal, now, actor }: Caller,
  key: RequestKey | undefined,
): Promise<Answer> {
  const { database } = await deps.store();
  const { answer, newest } = await writeAsUser<Decide | Refusal, Done>(
    database,
    principal,
    {
      key: key?.digest,
      dryRun,
      // A refusal is held until `decide`: a retry gets its first answer, whatever has changed since.
      read: (tx) => read(tx, actor, now).catch(refusalOrThrow),
      decide(prepared, opened) {
        const rendering = renderContext(principal, now);
        if (key && opened.request) {
          const first = replay(opened.request, key, rendering);
          return { value: { answer: dryRun ? asDryRun(first) : first }, statements: [] };
        }
        if (prepared instanceof Refusal) throw prepared;
        const { decision, answer: plain } = prepared(writeContext(principal, actor, opened), rendering);
        const answer = dryRun ? asDryRun(plain) : withHandle(plain, undoHandle(opened, decision));
        checkAnswer(answer.json); // before COMMIT: a committed write must have a valid answer
        const call = randomUUID();
        const statement = writeStatement(principal, opened, decision, {
          actor: actingAs(actor, decision.by),
          call,
          request: key && !dryRun ? storedRequest(answer, key) : undefined,
        });
        const purge = { text: 'select taskloom.tidy($1)', params: [deps.historyDays] };
        const count = changeCount(decision);
        return {
          value: { answer, newest: count > 0 && !dryRun ? opened.changeSeq + count : undefined },
          statements: statement ? [statement, ...(opened.purgeDue && !dryRun ? [purge] : [])] : [],
          ...(count > 0 && { mark: { seq: opened.changeSeq + 1, call } }),
        };
      },
    },
    fakeClock(deps),
  );
  if (newest !== undefined) deps.feed?.wrote(principal.userId, newest);
  return answer;
}

const fakeClock = (deps: Deps) => (deps.databaseUsesClock ? deps.clock : undefined);

/** Call only after the database has answered: that is when `timezone` is current. */
const renderContext = ({ timezone, handle: user }: Principal, now: Date): RenderContext => ({ now, timezone, user });

const writeContext = (
  { timezone }: Principal,
  actor: Actor,
  { now, changeSeq, nextTask, nextProject, nextComment }: LockedState,
): WriteContext => ({
  timezone,
  now,
  by: nameOf(actor),
  batch: changeSeq + 1,
  nextTask,
  nextProject,
  nextComment,
});

function refusalOrThrow(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  throw error;
}

const withHandle = ({ json, text }: Answer, undo: string | undefined): Answer =>
  undo ? { json: { ...json, undo }, text: `${text}\nundo: ${undo}` } : { json, text };

const asDryRun = ({ json, text }: Answer): Answer => ({
  json: { ...json, dry_run: true },
  text: `Dry run, nothing was written. The answer would be:\n${text}`,
});

const actingAs = (actor: Actor, by = nameOf(actor)): Actor => (by === nameOf(actor) ? actor : { ...actor, agent: by });

/** @param client the name the client gave; the name of its token by default */
const actorOf = (principal: Principal, client = principal.tokenName, { agent }: Record<string, unknown>): Actor => ({
  via: principal.via,
  ...(principal.token && { token: principal.token }),
  ...(client && { client }),
  ...(typeof agent === 'string' && { agent: oneLine(agent, 100) }),
});
