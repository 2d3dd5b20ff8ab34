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
import { kept, type RequestKey, replay, requestKey } from './replay.js';
import { implementation, serverOptions } from './server-options.js';
import { offerSubscriptions } from './subscriptions.js';
import type { Call, ReadContext, ReadTool, Tool, WriteTool } from './tool.js';
import { tools } from './tools/index.js';

export interface Deps {
  /** The database, opened when it is first needed: listing tools never waits for it. */
  store(): Promise<Store>;
  clock(): Date;
  /** Whether the database takes its time from `clock` too, as in tests. */
  databaseUsesClock?: boolean;
  /** Whether every answer is held to its shape, as in tests. One of a write always is, before it is committed. */
  validateAnswers?: boolean;
  log: Logger;
  version: string;
  /** How long history is kept. */
  historyDays: number;
  /** Told of every write, and tells whoever subscribed. Without one, nobody can subscribe. */
  feed?: Feed;
}

/** How a transport tells a subscriber, and ends it. */
export interface SubscriptionSink {
  deliver(uris: string[]): Promise<void>;
  end(): void;
}

/** What one request asks for. */
export interface ExpectedCall {
  tool: Tool;
  /** What it answers, where that is under way. */
  ahead?: Promise<Answer>;
}

/** The server of one connection or request, and its door for subscriptions that the transport carries. */
export interface TaskServer extends McpServer {
  /** Subscribes the caller to addresses. @throws ProtocolError where they may not */
  listen(uris: string[], wire: SubscriptionSink, token?: string): Promise<Subscription>;
}

/**
 * Builds the server for one connection, or over HTTP one request.
 *
 * @param resolve who is calling; asked before each tool runs
 * @param subscribe whether what changes can be told to this client: a 2025 one over HTTP has no stream to be told on
 * @param asked the one tool that it will be asked for, where that is known
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
        return reply(await (asked?.ahead ?? run(deps, tool, raw, await resolve(), origin)));
      } catch (error) {
        return { ...reply(refusalAnswer(asRefusal(deps.log, tool.name, error))), isError: true };
      }
    });
  const refusal = (what: string, error: unknown) => asRefusal(deps.log, what, error);
  if (!asked)
    offerMenus(server, {
      read: (scope, work, answer) =>
        withLazyModules(async () => {
          const principal = allowed(await resolve(), scope);
          const asker = { now: deps.clock(), much: false, me: principal.via };
          const { outcome, say } = await read(deps, principal, work, asker);
          return answer(outcome, say);
        }),
      refusal,
    });
  const listen: TaskServer['listen'] = async (uris, wire, token) => {
    try {
      const scope = allowed(await resolve(), 'tasks:read');
      if (!deps.feed) throw forbidden('Subscriptions are not offered here.');
      return await deps.feed.listen({ scope, ...(token !== undefined && { token }), ...wire }, uris);
    } catch (error) {
      throw asProtocolError(refusal('subscription', error));
    }
  };
  if (subscribe && !asked) offerSubscriptions(server, (wire) => listen([], wire));
  return Object.assign(server, { listen });
}

function allowed(principal: Principal, scope: Scope): Principal {
  if (!principal.scopes.includes(scope))
    throw forbidden(`This token may not do that: it lacks ${scope}.`, 'Use a token with that scope.');
  return principal;
}

type Meta = Record<string, unknown>;

/** The client as it names itself: in each request's envelope, in the 2025 handshake, or to a relay. */
function clientName(
  envelope: Meta | undefined,
  shaken: string | undefined,
  meta: Meta | undefined,
): string | undefined {
  const info = envelope?.[CLIENT_INFO_META_KEY] as { name?: unknown } | null | undefined;
  const name = info?.name ?? shaken ?? meta?.[CLIENT_KEY];
  return typeof name === 'string' ? oneLine(name, 100) || undefined : undefined;
}

/**
 * What a request asks for. If it reads, that is begun before there is a server: the database works while the SDK looks
 * at the request. Where the SDK refuses it, it was read in vain; so a write has to wait.
 */
export function expectedCall(deps: Deps, body: unknown, principal: Principal): ExpectedCall | undefined {
  const { method, params } = (body ?? {}) as {
    method?: unknown;
    params?: { name?: unknown; arguments?: unknown; _meta?: Meta };
  };
  const tool = method === 'tools/call' ? tools.find(({ name }) => name === params?.name) : undefined;
  if (tool?.effect !== 'read') return tool && { tool };
  const meta = params?._meta;
  const ahead = run(deps, tool, params?.arguments, principal, { client: clientName(meta, undefined, meta) });
  ahead.catch(() => {}); // it may be that nobody waits for it
  return { tool, ahead };
}

/** Where a call came from. */
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
  allowed(principal, tool.scope);
  const call = tool.parse(raw);
  const asker = { principal, now: deps.clock(), actor: actorOf(principal, client, call) };
  const started = performance.now();
  const answer = await withLazyModules(() =>
    tool.effect === 'read'
      ? readWith(deps, tool, call, asker)
      : write(deps, tool, call, asker, requestKey(tool, call, meta)),
  );
  deps.log.debug({ tool: tool.name, ms: Math.round(performance.now() - started) }, 'call');
  return answer;
}

/** Who asks, and when. */
interface Asker {
  principal: Principal;
  now: Date;
  actor: Actor;
}

const fakeClock = (deps: Deps) => (deps.databaseUsesClock ? { clock: deps.clock } : {});

/** The user's zone is only certain once the database has answered. */
const saying = ({ principal: { timezone, handle: user }, now }: Pick<Asker, 'principal' | 'now'>): RenderContext => ({
  now,
  timezone,
  user,
});

async function read<T>(
  deps: Deps,
  principal: Principal,
  work: (tx: UserTx, context: ReadContext) => Promise<T>,
  asking: Omit<ReadContext, 'secret'>,
): Promise<{ outcome: T; say: RenderContext }> {
  const { database, secret } = await deps.store();
  const outcome = await readAsUser(database, principal, (tx) => work(tx, { ...asking, secret }), fakeClock(deps));
  return { outcome, say: saying({ principal, now: asking.now }) };
}

async function readWith(deps: Deps, tool: ReadTool, { args, budget }: Call, asker: Asker): Promise<Answer> {
  const work = (tx: UserTx, context: ReadContext) => tool.run(args as never, tx, context);
  const asking = { now: asker.now, much: budget > DEFAULT_BUDGET, me: nameOf(asker.actor) };
  const { outcome, say } = await read(deps, asker.principal, work, asking);
  return fitToBudget(tool.answer(outcome as never, say, args as never), budget);
}

async function write(
  deps: Deps,
  tool: WriteTool,
  { args, dryRun }: Call,
  asker: Asker,
  key: RequestKey | undefined,
): Promise<Answer> {
  const { principal, now, actor } = asker;
  const change = tool.run(args as never);
  const { database } = await deps.store();
  let newest: number | undefined;
  const answer = await writeAsUser<unknown, Answer>(
    database,
    principal,
    {
      key: key?.digest,
      dryRun,
      // A refusal waits for the decision: a call that was answered before is answered the same, whatever is true now.
      read: (tx) => change.read(tx, actor, now).catch(refusalOrThrow),
      decide(state, opened) {
        newest = undefined; // it is decided anew where a connection broke
        const say = saying(asker);
        if (key && opened.request) {
          const first = replay(opened.request, key, say);
          return { value: dryRun ? asDryRun(first) : first };
        }
        if (state instanceof Refusal) throw state;
        const { nextTask, nextProject, nextComment } = opened;
        const batch = opened.changeSeq + 1;
        const { userId, timezone } = principal;
        const by = nameOf(actor);
        const moment = { userId, timezone, now: opened.now, by, batch, nextTask, nextProject, nextComment };
        const decision = change.decide(state, moment);
        const plain = tool.answer(decision.outcome as never, say, args as never);
        const answer = dryRun ? asDryRun(plain) : withHandle(plain, undoHandle(opened, decision));
        checkAnswer(answer.json); // before it is too late: what is committed must have an answer
        const call = randomUUID();
        const statement = writeStatement(principal, opened, decision, {
          actor: actingAs(actor, decision.by),
          call,
          request: key && !dryRun ? kept(answer, key) : undefined,
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
  text: `Dry run, nothing was written. It would answer:\n${text}`,
});

const actingAs = (actor: Actor, by = nameOf(actor)): Actor => (by === nameOf(actor) ? actor : { ...actor, agent: by });

/** @param client its own name, if it gave one; otherwise it is known by the name of its token */
const actorOf = (principal: Principal, client = principal.tokenName, { args }: Pick<Call, 'args'>): Actor => ({
  via: principal.via,
  ...(principal.token && { token: principal.token }),
  ...(client && { client }),
  ...(typeof args.agent === 'string' && { agent: oneLine(args.agent, 100) }),
});
