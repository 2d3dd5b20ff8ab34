import type { Socket } from 'node:net';
import {
  type AuthInfo,
  createMcpHandler,
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  type McpHttpHandler,
  originValidationResponse,
} from '@modelcontextprotocol/server';
import type { Principal } from '../auth/principal.js';
import { SCOPES, type Scope } from '../auth/scopes.js';
import { authenticate, bearerToken, hashToken, REFUSED_TOKEN, TokenProof } from '../auth/tokens.js';
import { isBusy, isUnreachable, setupMistake } from '../db/database.js';
import { asService } from '../db/scope.js';
import { queued } from '../db/user-limits.js';
import { forbidden, refusalIn } from '../errors.js';
import { buildServer } from '../server.js';
import { type Deps, type ExpectedCall, expectedCall } from '../tool-calls.js';
import { Bodies, type ReadRequest } from './body.js';
import { HttpSubscriptions, isListenRequest, MAX_LISTEN_BODY } from './http-subscriptions.js';
import { LruMap, originOf, RateLimit } from './limits.js';
import { OutageLog } from './outage.js';

/** The largest request body, in bytes: room for a hundred tasks with full descriptions. */
const MAX_BODY = 4 * 1024 * 1024;

export interface HttpOptions {
  /** Host names of this server, besides those of loopback. */
  allowedHosts: string[];
  /** How many of our proxies are in front, each of which appends to X-Forwarded-For. Default: 0. */
  proxies?: number;
  /** How many requests one user may send per minute. Default: 0, for no limit. */
  perMinute?: number;
  /** How many requests of one user are worked on at once, and how many more may wait. */
  atOnce?: { concurrent: number; waiting: number };
  /** Milliseconds on a monotonic clock. */
  steady?: () => number;
}

/**
 * How many requests per minute one address may send without a token known to be good. If the token proves good, the
 * request is refunded, so only wrong and missing tokens count.
 */
const STRANGERS = 300;

/** Pipelined requests are handed over all at once: without this limit, other users' requests would wait for them all. */
const AT_ONCE = { concurrent: 64, waiting: 256 };

/** Longer Host headers are not cached: unauthenticated clients must not fill the memory. */
const MAX_HOST_LENGTH = 100;

/** How many refused host names are logged: anybody can send any number of them. */
const MAX_FOREIGN_HOSTS = 20;

const FOREIGN_HOST =
  'This server does not answer to that host name. Whoever runs it names it in TASKLOOM_ALLOWED_HOSTS or TASKLOOM_PUBLIC_URL.';

/** The first protocol version whose requests need no handshake. */
const MODERN = '2026-07-28';

/** Fails on a server that became read-only after a failover, so that the connection is discarded. */
const REFUSE_READ_ONLY = `do $$ begin
  if current_setting('transaction_read_only')::boolean then raise read_only_sql_transaction; end if;
end $$`;

const REALM = 'Bearer realm="taskloom"';

/** Makes an error response that says what is wrong and nothing else. */
const refuse = (
  status: 401 | 403 | 413 | 415 | 429 | 503,
  error: string,
  message: string,
  headers: Record<string, string> = {},
) => Response.json({ error, message }, { status, headers });

const challenge = (text: string) => ({ 'WWW-Authenticate': text });

const lacks = (scope: Scope) =>
  refuse(
    403,
    'insufficient_scope',
    `This token lacks the scope ${scope}. Whoever runs this server can create one that has it: taskloom token create --user <handle>.`,
    challenge(`${REALM}, error="insufficient_scope", scope="${scope}"`),
  );

/** @param seconds until another request fits */
const tooMany = (message: string, seconds: number) =>
  refuse(429, 'rate_limited', `${message} Wait ${seconds} s, then repeat this one.`, {
    'Retry-After': String(seconds),
  });

/** The connection of a request, and its response. */
interface Ends {
  incoming: { socket: Pick<Socket, 'remoteAddress'> };
  outgoing: { once(event: 'close', heard: () => void): unknown };
}

/** An authenticated caller. */
interface Admission {
  /** The hash of the token. */
  hash: string;
  principal: Principal;
  /** Set if the token was good last time: it is then checked in the pipeline of the first statement. */
  proof?: TokenProof;
}

/** The web application: answers one request. */
type Fetch = (request: Request, exchange: Ends) => Promise<Response>;

/** Makes the web application: the MCP endpoint behind its checks, and the health endpoints. */
export function createApp(
  deps: Deps,
  { allowedHosts, proxies = 0, perMinute = 0, atOnce = AT_ONCE, steady = () => performance.now() }: HttpOptions,
): { fetch: Fetch; handler: McpHttpHandler; streams: HttpSubscriptions } {
  const hosts = [...localhostAllowedHostnames(), ...allowedHosts.map(asInHeader)];
  const streams = new HttpSubscriptions(deps.feed !== undefined);
  const handler = createMcpHandler(
    ({ authInfo, era }) =>
      buildServer(
        deps,
        async () => {
          const principal = authInfo?.extra?.principal as Principal | undefined;
          if (!principal) throw forbidden('No one is signed in.'); // only a bug lets a request get here unauthenticated
          return principal;
        },
        {
          // A 2025 client gets notifications on the stream of a session, and this server has no sessions.
          subscribe: era === 'modern' && deps.feed !== undefined,
          asked: authInfo?.extra?.asked as ExpectedCall | undefined,
        },
      ),
    {
      maxSubscriptions: 0, // `HttpSubscriptions` serves them
      onerror: (error) => deps.log.debug({ kind: error.name }, 'protocol error'),
    },
  );

  /** Host headers found valid. Parsing one takes a fifth of the time that a request needs before it is run. */
  const goodHosts = new LruMap<true>();
  const foreignHosts = new Set<string>();
  const outages = new OutageLog(deps.log);
  /** Refuses foreign hosts first, against DNS rebinding: a page may point its own name at this machine. */
  const checkHost = (request: Request): Response | undefined => {
    const host = request.headers.get('host') ?? '';
    const rejected = goodHosts.get(host) ? undefined : hostHeaderValidationResponse(request, hosts);
    if (rejected) {
      logForeignHost(host);
      return refuse(403, 'forbidden', FOREIGN_HOST);
    }
    if (host.length <= MAX_HOST_LENGTH) goodHosts.set(host, true); // a port may have thousands of leading zeros
    return originValidationResponse(request, hosts);
  };

  /** Logs each refused host name once. */
  const logForeignHost = (host: string): void => {
    const name = host.slice(0, MAX_HOST_LENGTH);
    if (foreignHosts.size >= MAX_FOREIGN_HOSTS || foreignHosts.has(name)) return;
    foreignHosts.add(name);
    deps.log.warn({ host: name }, 'refused a host name that is not in TASKLOOM_ALLOWED_HOSTS');
  };

  const strangers = new RateLimit(STRANGERS, steady);
  const users = new RateLimit(perMinute, steady);
  /** The holders of tokens that were good last time, by the hash of the token. */
  const known = new LruMap<Principal>();
  const bodies = new Bodies();
  let readiness: Promise<boolean> | undefined;

  const ready = async (): Promise<Response> => {
    // Concurrent requests share one query: this endpoint is open to everybody.
    readiness ??= deps
      .store()
      .then(({ database }) => asService(database, REFUSE_READ_ONLY, []))
      .then(
        () => {
          outages.answered();
          return true;
        },
        () => {
          outages.unreachable();
          return false;
        },
      )
      .finally(() => {
        readiness = undefined;
      });
    return (await readiness) ? new Response('ok') : new Response('database unreachable', { status: 503 });
  };
  const unauthorized = (hash: string) => {
    known.delete(hash);
    return refuse(401, 'invalid_token', REFUSED_TOKEN, challenge(`${REALM}, error="invalid_token"`));
  };
  /** Authenticates a request. Returns its caller, or the response that refuses it. */
  const admit = async (request: Request, { incoming }: Ends): Promise<Admission | Response> => {
    const rejected = checkHost(request);
    if (rejected) return rejected;

    const token = bearerToken(request.headers.get('authorization'));
    const hash = token && hashToken(token);
    const from = () => originOf(incoming.socket.remoteAddress, request.headers.get('x-forwarded-for'), proxies);
    const last = hash ? known.get(hash) : undefined;
    const wait = last ? users.take(last.userId) : strangers.take(from());
    if (wait > 0)
      return tooMany(last ? TOO_MANY : 'Too many requests without a valid token came from this address.', wait);
    if (!hash)
      return refuse(
        401,
        'unauthorized',
        'Send the header Authorization: Bearer tlm_…, with a personal access token.',
        challenge(REALM),
      );
    const { database } = await deps.store();
    // Not for a 2025 client: its answer may be a stream, whose 200 is sent before the first statement runs.
    if (last && isModern(request)) {
      const proof = new TokenProof(database, hash, last);
      return { hash, principal: { ...last, proof }, proof };
    }
    const principal = await authenticate(database, hash, last?.userId);
    outages.answered();
    if (!principal) return unauthorized(hash);
    if (!last) {
      strangers.refund(from());
      known.set(hash, principal);
      const wait = users.take(principal.userId);
      if (wait > 0) return tooMany(TOO_MANY, wait);
    }
    return { hash, principal };
  };
  /** Counts a batch as one request per call. Returns a refusal if they exceed the rate limit, or always would. */
  const overdrawn = ({ parsedBody }: ReadRequest, { userId }: Principal): Response | undefined => {
    const more = Array.isArray(parsedBody) ? parsedBody.length - 1 : 0;
    if (perMinute > 0 && more + 1 > perMinute) {
      users.refund(userId);
      return refuse(
        413,
        'too_large',
        `A batch of ${more + 1} calls is too large: send at most ${perMinute} calls per batch.`,
      );
    }
    const wait = more > 0 ? users.take(userId, more) : 0;
    if (wait === 0) return undefined;
    users.refund(userId);
    return tooMany(`A batch of ${more + 1} calls exceeds the rate limit: send fewer calls at once.`, wait);
  };
  const answer = async (read: ReadRequest, { hash, principal, proof }: Admission): Promise<Response> => {
    const exceeded = overdrawn(read, principal);
    if (exceeded) return exceeded;
    const { request } = read;
    const parsedBody = withoutCancellations(read.parsedBody);
    const asked = expectedCall(deps, parsedBody, principal);
    if (asked?.result) await new Promise<void>((resolve) => setImmediate(resolve)); // lets it send its statement first
    const authInfo = authInfoOf(principal, asked);
    const response = await handler.fetch(request, { authInfo, parsedBody });
    if (proof) {
      const isGood = await proof.isStillGood();
      outages.answered();
      if (!isGood) return unauthorized(hash);
      const { proof: _, ...found } = principal; // its timezone is the current one if a statement ran
      known.set(hash, found);
    }
    if (!isModern(request)) response.headers.delete('connection'); // Node knows whether it stays open, and sets it
    return inOurWords(response);
  };
  const mcp = async (request: Request, exchange: Ends): Promise<Response> => {
    // Registered before authentication, during which the client may disconnect. A stream goes on after its response.
    const sent = new Promise<void>((resolve) => exchange.outgoing.once('close', resolve));
    try {
      const caller = await admit(request, exchange);
      if (!('principal' in caller)) return caller;
      const { hash, principal } = caller;
      // The size of a compressed body is unknown until it is unpacked, and the SDK would take it for bad JSON.
      const encoded = request.headers.get('content-encoding');
      if (encoded && encoded !== 'identity')
        return refuse(415, 'unsupported', 'Send the body as it is: compressed bodies are not read.', {
          'Accept-Encoding': 'identity',
        });
      if (isListenRequest(request)) {
        if (!principal.scopes.includes('tasks:read')) return lacks('tasks:read');
        return await bodies.read(
          request,
          principal.userId,
          MAX_LISTEN_BODY,
          async (read) =>
            overdrawn(read, principal) ??
            streams.serve(read, authInfoOf(principal), () => buildServer(deps, async () => principal), hash),
        );
      }
      const { userId } = principal;
      const inTurn = (read: ReadRequest) => queued(bodies, `${userId} requests`, atOnce, () => answer(read, caller));
      return await bodies.read(request, userId, MAX_BODY, inTurn, sent);
    } catch (error) {
      const refusal = refusalIn(error);
      if (refusal?.body.code === 'rate_limited') return tooMany(refusal.message, 1);
      if (isUnreachable(error) || isBusy(error) || setupMistake(error)) {
        if (!isBusy(error)) outages.unreachable();
        return refuse(
          503,
          'unavailable',
          `The task database ${isBusy(error) ? 'is busy' : 'cannot be reached'}. Try again in a moment.`,
          { 'Retry-After': '1' },
        );
      }
      throw error;
    }
  };
  const fetch: Fetch = async (request, exchange) => {
    const path = /^\w+:\/\/[^/]*([^?#]*)/.exec(request.url)?.[1];
    try {
      if (path === '/mcp') return await mcp(request, exchange);
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      if (isRead && path === '/livez') return new Response('ok');
      if (isRead && path === '/readyz') return await ready();
      return new Response('404 Not Found', { status: 404 });
    } catch (error) {
      deps.log.error({ kind: (error as Error).name }, 'http failure');
      return Response.json({ error: 'internal' }, { status: 500 });
    }
  };
  return { fetch, handler, streams };
}

/** Normalizes a host name for comparison with a header: lower case, ASCII (Punycode), IPv6 at its shortest. */
const asInHeader = (host: string): string =>
  URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : host;

const TOO_MANY = 'Too many requests.';

/** Makes the caller's data for the SDK. Leaves out the token itself: nothing from here on needs it. */
const authInfoOf = (principal: Principal, asked?: ExpectedCall): AuthInfo => ({
  token: '',
  clientId: principal.token ?? '',
  scopes: [...principal.scopes],
  extra: { principal, asked },
});

/** Whether a request is of 2026-07-28 or later and asks for no stream: its response starts once it is complete. */
const isModern = (request: Request) =>
  request.headers.has('mcp-method') &&
  (request.headers.get('mcp-protocol-version') ?? '') >= MODERN &&
  !isListenRequest(request);

/**
 * Drops cancellations from a batch that has requests. The SDK never answers a cancelled request, and would wait for that
 * answer before it ends the stream. Elsewhere a cancellation has no effect: each HTTP request has its own server.
 */
function withoutCancellations(body: unknown): unknown {
  if (!Array.isArray(body)) return body;
  const kept = body.filter((message) => message?.method !== 'notifications/cancelled');
  return kept.length > 0 ? kept : body;
}

/** Replaces the SDK's response to a missing scope, which has neither the realm nor a hint. */
function inOurWords(response: Response): Response {
  if (response.status !== 403) return response;
  const scope = SCOPES.find((each) => response.headers.get('www-authenticate')?.includes(`scope="${each}"`));
  return scope ? lacks(scope) : response;
}
