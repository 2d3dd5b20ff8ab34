import { hash, randomBytes, randomUUID } from 'node:crypto';
import { CLIENT_INFO_META_KEY, McpServer } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import type { Principal } from './auth/principal.js';
import type { Store } from './db/connect.js';
import { isBusy, isUnreachable, setupMistake, sqlState, Undecided } from './db/database.js';
import type { Actor } from './db/schema.js';
import { type Opened, readAsUser, type UserTx, writeAsUser } from './db/scope.js';
import { nameOf } from './domain/history.js';
import { withLate } from './domain/late.js';
import { changes, undoHandle, writeStatement } from './domain/write.js';
import {
  conflict,
  forbidden,
  internal,
  type RefusalBody,
  refusalIn,
  UsageError,
  unavailable,
  unusable,
} from './errors.js';
import type { Feed, Subscription } from './feed.js';
import { oneLine } from './fields.js';
import { fitted, USUAL_BUDGET } from './fit.js';
import { asProtocolError, offerMenus } from './menus.js';
import { CLIENT_KEY, RELAY_KEY } from './meta.js';
import { implementation, offer } from './offer.js';
import { type Answer, checkAnswer, refusalAnswer, type Say, sayTime } from './shapes.js';
import { offerSubscriptions } from './subscriptions.js';
import {
  type Call,
  fingerprintOf,
  type ReadContext,
  type ReadTool,
  type Scope,
  type Tool,
  type WriteTool,
} from './tool.js';
import { tools } from './tools/index.js';

export interface Deps {
  /** The database, opened when it is first needed: listing tools never waits for it. */
  store(): Promise<Store>;
  clock(): Date;
  /** Whether the database takes its time from `clock` too, as in tests. */
  fakeTime?: boolean;
  /** Whether every answer is held to its shape, as in tests. One of a write always is, before it is committed. */
  checks?: boolean;
  log: Logger;
  version: string;
  /** How long history is kept. */
  historyDays: number;
  /** Told of every write, and tells whoever subscribed. Without one, nobody can subscribe. */
  feed?: Feed;
}

/** How a transport tells a subscriber, and ends it. */
export interface Wire {
  deliver(uris: string[]): Promise<void>;
  end(): void;
}

/** What one request asks for. */
export interface Asked {
  tool: Tool;
  /** What it answers, where that is under way. */
  ahead?: Promise<Answer>;
}

/** The server of one connection or request, and its door for subscriptions that the transport carries. */
export interface TaskServer extends McpServer {
  /** Subscribes the caller to addresses. @throws ProtocolError where they may not */
  listen(uris: string[], wire: Wire, token?: string): Promise<Subscription>;
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
  { subscribe = deps.feed !== undefined, asked }: { subscribe?: boolean; asked?: Asked | undefined } = {},
): TaskServer {
  const server = new McpServer(implementation(deps.version), offer(subscribe));
  const reply = ({ json, text }: Answer) => {
    if (deps.checks) checkAnswer(json);
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
        return { ...reply(refusalAnswer(asRefusal(deps, tool.name, error))), isError: true };
      }
    });
  const refusal = (what: string, error: unknown) => asRefusal(deps, what, error);
  if (!asked)
    offerMenus(server, {
      read: (scope, work, answer) =>
        withLate(async () => {
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
export function askedBy(deps: Deps, body: unknown, principal: Principal): Asked | undefined {
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
  const now = deps.clock();
  const started = performance.now();
  const actor = actorOf(principal, client, call);
  const answer = await withLate(() =>
    tool.effect === 'read'
      ? readWith(deps, tool, call, principal, now, actor)
      : write(deps, tool, call, principal, now, actor, requestKey(tool, call, meta)),
  );
  deps.log.debug({ tool: tool.name, ms: Math.round(performance.now() - started) }, 'call');
  return answer;
}

const fakeClock = (deps: Deps) => (deps.fakeTime ? { clock: deps.clock } : {});

/** The user's zone is only certain once the database has answered. */
const saying = (principal: Principal, now: Date): Say => ({
  now,
  timezone: principal.timezone,
  user: principal.handle,
});

async function read<T>(
  deps: Deps,
  principal: Principal,
  work: (tx: UserTx, context: ReadContext) => Promise<T>,
  asker: Omit<ReadContext, 'secret'>,
): Promise<{ outcome: T; say: Say }> {
  const { database, secret } = await deps.store();
  const outcome = await readAsUser(database, principal, (tx) => work(tx, { ...asker, secret }), fakeClock(deps));
  return { outcome, say: saying(principal, asker.now) };
}

async function readWith(
  deps: Deps,
  tool: ReadTool,
  { args, budget }: Call,
  principal: Principal,
  now: Date,
  actor: Actor,
): Promise<Answer> {
  const work = (tx: UserTx, context: ReadContext) => tool.run(args as never, tx, context);
  const asker = { now, much: budget > USUAL_BUDGET, me: nameOf(actor) };
  const { outcome, say } = await read(deps, principal, work, asker);
  return fitted(tool.answer(outcome as never, say, args as never), budget);
}

async function write(
  deps: Deps,
  tool: WriteTool,
  { args, dryRun }: Call,
  principal: Principal,
  now: Date,
  actor: Actor,
  key: RequestKey | undefined,
): Promise<Answer> {
  const change = tool.run(args as never);
  const { database } = await deps.store();
  let newest: number | undefined;
  const answer = await writeAsUser<unknown, Answer>(
    database,
    principal,
    {
      key: dryRun ? undefined : key?.digest, // a dry run is judged afresh, and leaves nothing to be replayed
      dryRun,
      read: (tx) => change.read(tx, actor, now),
      decide(state, opened) {
        newest = undefined; // it is decided anew where a connection broke
        const say = saying(principal, now);
        if (key && opened.request) return { value: replay(opened.request, key, say) };
        const { nextTask, nextProject, nextComment } = opened;
        const decision = change.decide(state, {
          userId: principal.userId,
          timezone: principal.timezone,
          now: opened.now,
          by: nameOf(actor),
          batch: opened.changeSeq + 1,
          nextTask,
          nextProject,
          nextComment,
        });
        const plain = tool.answer(decision.outcome as never, say, args as never);
        const answer = dryRun ? asDryRun(plain) : withHandle(plain, undoHandle(opened, decision));
        checkAnswer(answer.json); // before it is too late: what is committed must have an answer
        const request =
          key && !dryRun
            ? {
                key: key.digest,
                relayed: key.digest === key.relay,
                fingerprint: key.fingerprint,
                answer: { ...answer, relay: key.relay },
              }
            : undefined;
        const call = randomUUID();
        const statement = writeStatement(principal, opened, decision, {
          actor: actingAs(actor, decision.by),
          call,
          request,
        });
        const seq = opened.changeSeq + 1;
        if (changes(decision) > 0 && !dryRun) newest = opened.changeSeq + changes(decision);
        return {
          value: answer,
          ...(statement && { statement }),
          ...(opened.tidy && { alongside: { text: 'select taskloom.tidy($1)', params: [deps.historyDays] } }),
          ...(changes(decision) > 0 && { mark: { seq, call } }),
        };
      },
    },
    fakeClock(deps),
  );
  if (newest !== undefined) deps.feed?.wrote(principal.userId, newest);
  return answer;
}

const withHandle = ({ json, text }: Answer, undo: string | undefined): Answer =>
  undo ? { json: { ...json, undo }, text: `${text}\nundo: ${undo}` } : { json, text };

const asDryRun = ({ json, text }: Answer): Answer => ({
  json: { ...json, dry_run: true },
  text: `Dry run, nothing was written. It would answer:\n${text}`,
});

/** An answer as it is kept, with the relay's id of the request that it was first given to. */
type Kept = Answer & { relay?: string };

/** The first answer again, word for word; marked as such for a client that asked again itself. */
function replay(request: NonNullable<Opened['request']>, { fingerprint, relay }: RequestKey, say: Say): Answer {
  if (request.fingerprint !== fingerprint)
    throw conflict(
      'This request_id was already used for another call.',
      'Use a fresh random request_id for each new write.',
    );
  const { json, text, relay: first } = request.answer as unknown as Kept; // stored by `write`, above
  if (relay !== undefined && relay === first) return { json, text };
  return {
    json: { ...json, replayed: true },
    text: `Already done at ${sayTime(request.at, say)}, nothing new was written.\n${text}`,
  };
}

/** Ids that a host gives one call of a tool and keeps when it sends it again. Never `progressToken`: it is of one attempt. */
const STABLE_META = ['claudecode/toolUseId'];

/** What a write is known by, so that it happens once however often it is sent. Each is SHA-256, hex. */
interface RequestKey {
  /** Of the client's id; of the relay's, where it gave none. */
  digest: string;
  /** Of the id that our own relay gave one request, which it may have to send again: the client knows nothing of it. */
  relay: string | undefined;
  /** Of the call itself, which is to be the same again. */
  fingerprint: string;
}

function requestKey(tool: Tool, call: Call, meta: Meta | undefined): RequestKey | undefined {
  const digestOf = (source: string, id: unknown) =>
    typeof id === 'string' ? hash('sha256', `${source}\0${id}`) : undefined;
  const name = STABLE_META.find((each) => typeof meta?.[each] === 'string');
  const relay = digestOf('relay', meta?.[RELAY_KEY]);
  const digest = digestOf('client', call.requestId) ?? (name && digestOf('meta', `${name}\0${meta?.[name]}`)) ?? relay;
  return digest === undefined ? undefined : { digest, relay, fingerprint: fingerprintOf(tool.name, call) };
}

const actingAs = (actor: Actor, by = nameOf(actor)): Actor => (by === nameOf(actor) ? actor : { ...actor, agent: by });

const actorOf = (principal: Principal, client: string | undefined, { args }: Call): Actor => ({
  via: principal.via,
  ...(principal.token && { token: principal.token }),
  ...(client && { client }),
  ...(typeof args.agent === 'string' && { agent: oneLine(args.agent, 100) }),
});

/** The one place where failures become answers. What nobody foresaw leaves nothing behind but a reference. */
function asRefusal(deps: Deps, tool: string, error: unknown): RefusalBody {
  const refusal = refusalIn(error);
  if (refusal) return refusal.body;
  const state = sqlState(error);
  const again = 'Try again in a moment. If you repeat a write, keep its request_id: it will not happen twice.';
  if (error instanceof UsageError) {
    deps.log.error({ tool, where: error.where }, error.message);
    return unusable(error).body;
  }
  const mistake = setupMistake(error);
  if (mistake) {
    deps.log.error({ tool, state }, mistake);
    return unavailable(`The task database cannot be used: ${mistake}.`, 'Tell whoever set up this server.').body;
  }
  if (error instanceof Undecided) {
    deps.log.warn({ tool, state }, 'connection lost while committing');
    return unavailable(
      'The connection to the task database broke while this was being saved: it may have happened.',
      'Repeat it with the same request_id, or look before you repeat it without.',
    ).body;
  }
  if (isBusy(error)) {
    deps.log.warn({ tool, state }, 'database busy');
    return unavailable('The task database is busy.', again).body;
  }
  if (isUnreachable(error)) {
    deps.log.warn({ tool, state }, 'database unreachable');
    return unavailable('The task database cannot be reached.', again).body;
  }
  const reference = randomBytes(4).toString('hex');
  deps.log.error({ tool, reference, state, at: framesOf(error) }, 'unforeseen failure');
  return internal(`Something went wrong inside Taskloom (reference ${reference}).`, again).body;
}

/** Where an error came from, and of what kind it is. Never its message: a database's may hold people's words. */
function framesOf(error: unknown): string[] {
  const frames: string[] = [];
  for (let e = error; e instanceof Error; e = e.cause)
    frames.push(
      e.name,
      ...(e.stack ?? '')
        .split('\n')
        .filter((each) => /^\s+at /.test(each))
        .slice(0, 8)
        .map((each) => each.trim()),
    );
  return frames;
}
