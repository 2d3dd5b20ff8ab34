import { randomUUID } from 'node:crypto';
import { CLIENT_INFO_META_KEY, McpServer } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import { DEFAULT_BUDGET, fitToBudget } from './answers/budget.js';
import { type Answer, checkAnswer, type RenderContext, refusalAnswer } from './answers/shapes.js';
import type { Principal } from './auth/principal.js';
import type { Scope } from './auth/scopes.js';
import type { Store } from './db/connect.js';
import type { Actor } from './db/schema.js';
import { readAsUser, type UserTx, writeAsUser } from './db/scope.js';
import { nameOf } from './domain/history.js';
import { withLazyModules } from './domain/lazy-module.js';
import { changeCount, undoHandle, writeStatement } from './domain/write.js';
import { forbidden, Refusal } from './errors.js';
import { asRefusal } from './failures.js';
import type { Feed, Subscription } from './feed.js';
import { oneLine } from './fields.js';
import { CLIENT_KEY } from './meta.js';
import { asProtocolError, offerMenus } from './prompts-and-resources.js';
import { type RequestKey, replay, requestKey, storedRequest } from './replay.js';
import { implementation, serverOptions } from './server-options.js';
import { offerSubscriptions } from './subscriptions.js';
import type { Call, ReadContext, ReadTool, Tool, WriteTool } from './tool.js';
import { tools } from './tools/index.js';

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
}

/** The transport's side of a subscription: delivers changed URIs, and ends it. */
export interface SubscriptionSink {
  deliver(uris: string[]): Promise<void>;
  end(): void;
}

/** The tool call that a request was found to contain. */
export interface ExpectedCall {
  tool: Tool;
  /** Its answer, if the call was started ahead of the SDK's handling. */
  result?: Promise<Answer>;
}

/** The server of one connection or request, with `listen` for subscriptions that the transport handles itself. */
export interface TaskServer extends McpServer {
  /** Subscribes the caller to URIs. @throws ProtocolError if that is refused */
  listen(uris: string[], wire: SubscriptionSink, token?: string): Promise<Subscription>;
}

/**
 * Builds the server for one connection, or over HTTP one request.
 *
 * @param resolve returns the caller; called before each tool, prompt, resource or completion
 * @param subscribe whether to offer subscriptions: a 2025 client over HTTP has no stream for notifications
 * @param asked the one tool call to serve, if known; nothing else is registered then
 */
export function buildServer(
  deps: Deps,
  resolve: () => Promise<Principal>,
  { subscribe = deps.feed !== undefined, asked }: { subscribe?: boolean; asked?: ExpectedCall | undefined } = {},
): TaskServer {
  const server = new McpServer(implementation(deps.version), serverOptions(subscribe));
  const reply = ({ json, text }: Answer) => {
    if (deps.validateAnswers) checkAnswer(json);
    return { content: [{ type: 'text' as const, text }], structuredContent: json };
  };
  for (const tool of asked ? [asked.tool] : tools)
    server.registerTool(tool.name, tool.config, async (raw, context) => {
      const { envelope, _meta: meta } = context.mcpReq;
      const client = clientName(envelope as Meta | undefined, server.server.getClientVersion()?.name, meta);
      const origin = { client, meta };
      try {
        return reply(await (asked?.result ?? run(deps, tool, raw, await resolve(), origin)));
      } catch (error) {
        return { ...reply(refusalAnswer(asRefusal(deps.log, tool.name, error))), isError: true };
      }
    });
  const refusal = (what: string, error: unknown) => asRefusal(deps.log, what, error);
  if (!asked)
    offerMenus(server, {
      read: (scope, work, answer) =>
        withLazyModules(async () => {
          const principal = withScope(await resolve(), scope);
          const readContext = { now: deps.clock(), detailed: false, callerName: principal.via };
          const { outcome, say } = await read(deps, principal, work, readContext);
          return answer(outcome, say);
        }),
      refusal,
    });
  const listen: TaskServer['listen'] = async (uris, wire, token) => {
    try {
      const scope = withScope(await resolve(), 'tasks:read');
      if (!deps.feed) throw forbidden('Subscriptions are not offered here.');
      return await deps.feed.listen({ scope, ...(token !== undefined && { token }), ...wire }, uris);
    } catch (error) {
      throw asProtocolError(refusal('subscription', error));
    }
  };
  if (subscribe && !asked) offerSubscriptions(server, (wire) => listen([], wire));
  return Object.assign(server, { listen });
}

function withScope(principal: Principal, scope: Scope): Principal {
  if (!principal.scopes.includes(scope))
    throw forbidden(`This token lacks the scope ${scope}.`, 'Use a token with that scope.');
  return principal;
}

type Meta = Record<string, unknown>;

/** Returns the client's name: from the request's envelope, else the 2025 handshake, else the relay's `_meta` key. */
function clientName(
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
  const result = run(deps, tool, params?.arguments, principal, { client: clientName(meta, undefined, meta) });
  result.catch(() => {}); // may never be awaited; avoids an unhandled rejection
  return { tool, result };
}

/** The client's name and the `_meta` of a call. */
interface Origin {
  client?: string | undefined;
  meta?: Meta | undefined;
}

async function run(
  deps: Deps,
  tool: Tool,
  raw: unknown,
  principal: Principal,
  { client, meta }: Origin = {},
): Promise<Answer> {
  withScope(principal, tool.scope);
  const call = tool.parse(raw);
  const caller = { principal, now: deps.clock(), actor: actorOf(principal, client, call) };
  const started = performance.now();
  const answer = await withLazyModules(() =>
    tool.effect === 'read'
      ? readWith(deps, tool, call, caller)
      : write(deps, tool, call, caller, requestKey(tool, call, meta)),
  );
  deps.log.debug({ tool: tool.name, ms: Math.round(performance.now() - started) }, 'call');
  return answer;
}

/** The caller of a tool, and the time of the call. */
interface Asker {
  principal: Principal;
  now: Date;
  actor: Actor;
}

const fakeClock = (deps: Deps) => (deps.databaseUsesClock ? { clock: deps.clock } : {});

/** Call only after the database has answered: that is when `principal.timezone` is current. */
const renderContext = ({
  principal: { timezone, handle: user },
  now,
}: Pick<Asker, 'principal' | 'now'>): RenderContext => ({
  now,
  timezone,
  user,
});

async function read<T>(
  deps: Deps,
  principal: Principal,
  work: (tx: UserTx, context: ReadContext) => Promise<T>,
  readContext: Omit<ReadContext, 'secret'>,
): Promise<{ outcome: T; say: RenderContext }> {
  const { database, secret } = await deps.store();
  const outcome = await readAsUser(database, principal, (tx) => work(tx, { ...readContext, secret }), fakeClock(deps));
  return { outcome, say: renderContext({ principal, now: readContext.now }) };
}

async function readWith(deps: Deps, tool: ReadTool, { args, budget }: Call, asker: Asker): Promise<Answer> {
  const work = (tx: UserTx, context: ReadContext) => tool.run(args as never, tx, context);
  const asking = { now: asker.now, detailed: budget > DEFAULT_BUDGET, callerName: nameOf(asker.actor) };
  const { outcome, say } = await read(deps, asker.principal, work, asking);
  return fitToBudget(tool.answer(outcome as never, say, args as never), budget);
}

async function write(
  deps: Deps,
  tool: WriteTool,
  { args, dryRun }: Call,
  caller: Asker,
  key: RequestKey | undefined,
): Promise<Answer> {
  const { principal, now, actor } = caller;
  const change = tool.run(args as never);
  const { database } = await deps.store();
  let newest: number | undefined;
  const answer = await writeAsUser<unknown, Answer>(
    database,
    principal,
    {
      key: key?.digest,
      dryRun,
      // A refusal is held until `decide`: a retry gets its first answer, whatever has changed since.
      read: (tx) => change.read(tx, actor, now).catch(refusalOrThrow),
      decide(state, opened) {
        newest = undefined; // `decide` runs again if the connection broke
        const say = renderContext(caller);
        if (key && opened.request) {
          const first = replay(opened.request, key, say);
          return { value: dryRun ? asDryRun(first) : first };
        }
        if (state instanceof Refusal) throw state;
        const { nextTask, nextProject, nextComment } = opened;
        const batch = opened.changeSeq + 1;
        const { userId, timezone } = principal;
        const by = nameOf(actor);
        const context = { userId, timezone, now: opened.now, by, batch, nextTask, nextProject, nextComment };
        const decision = change.decide(state, context);
        const result = tool.answer(decision.outcome as never, say, args as never);
        const answer = dryRun ? asDryRun(result) : withHandle(result, undoHandle(opened, decision));
        checkAnswer(answer.json); // before COMMIT: a committed write must have a valid answer
        const call = randomUUID();
        const statement = writeStatement(principal, opened, decision, {
          actor: actingAs(actor, decision.by),
          call,
          request: key && !dryRun ? storedRequest(answer, key) : undefined,
        });
        const count = changeCount(decision);
        if (count > 0 && !dryRun) newest = opened.changeSeq + count;
        return {
          value: answer,
          ...(statement && { statement }),
          ...(opened.purgeDue && { purge: { text: 'select taskloom.tidy($1)', params: [deps.historyDays] } }),
          ...(count > 0 && { mark: { seq: batch, call } }),
        };
      },
    },
    fakeClock(deps),
  );
  if (newest !== undefined) deps.feed?.wrote(principal.userId, newest);
  return answer;
}

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
const actorOf = (principal: Principal, client = principal.tokenName, { args }: Pick<Call, 'args'>): Actor => ({
  via: principal.via,
  ...(principal.token && { token: principal.token }),
  ...(client && { client }),
  ...(typeof args.agent === 'string' && { agent: oneLine(args.agent, 100) }),
});
