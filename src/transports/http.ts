import type { Socket } from 'node:net';
import { type AuthInfo, createMcpHandler, type McpHttpHandler } from '@modelcontextprotocol/server';
import type { Principal } from '../auth/principal.js';
import { isBusy, isUnreachable, setupMistake } from '../db/database-errors.js';
import { assertWritable } from '../db/service.js';
import { queued } from '../db/user-limits.js';
import { forbidden, refusalIn } from '../errors.js';
import { buildServer } from '../server.js';
import { type Deps, type ExpectedCall, expectedCall } from '../tool-calls.js';
import { type AuthenticatedCaller, Authenticator, type AuthenticatorOptions } from './authenticator.js';
import { Bodies, type ReadRequest } from './body.js';
import { HostCheck } from './host-check.js';
import { inOurWords, lacks, refuse, tooManyRequests } from './http-responses.js';
import { HttpSubscriptions, isListenRequest, MAX_LISTEN_BODY } from './http-subscriptions.js';
import { OutageLog } from './outage.js';

/** The largest request body, in bytes: room for a hundred tasks with full descriptions. */
const MAX_BODY = 4 * 1024 * 1024;

export interface HttpOptions extends AuthenticatorOptions {
  /** Host names of this server, besides those of loopback. */
  allowedHosts: string[];
  /** How many requests of one user are worked on at once, and how many more may wait. */
  atOnce?: { concurrent: number; waiting: number };
}

/** Pipelined requests are handed over all at once: without this limit, other users' requests would wait for them all. */
const AT_ONCE = { concurrent: 64, waiting: 256 };

/** The first protocol version whose requests need no handshake. */
const MODERN = '2026-07-28';

/** The connection of a request, and its response. */
interface Ends {
  incoming: { socket: Pick<Socket, 'remoteAddress'> };
  outgoing: { once(event: 'close', heard: () => void): unknown };
}

/** The web application: answers one request. */
type Fetch = (request: Request, exchange: Ends) => Promise<Response>;

/** Makes the web application: the MCP endpoint behind its checks, and the health endpoints. */
export function createApp(
  deps: Deps,
  { allowedHosts, atOnce = AT_ONCE, ...limits }: HttpOptions,
): { fetch: Fetch; handler: McpHttpHandler; streams: HttpSubscriptions } {
  const streams = new HttpSubscriptions(deps.feed !== undefined);
  const handler = sdkHandler(deps);
  const hosts = new HostCheck(allowedHosts, deps.log);
  const outages = new OutageLog(deps.log);
  const authenticator = new Authenticator(deps.store, outages, limits);
  const bodies = new Bodies();

  const answer = async (read: ReadRequest, caller: AuthenticatedCaller): Promise<Response> => {
    const { principal } = caller;
    const exceeded = authenticator.overdrawn(read.parsedBody, principal);
    if (exceeded) return exceeded;
    const { request } = read;
    const parsedBody = withoutCancellations(read.parsedBody);
    const asked = expectedCall(deps, parsedBody, principal);
    if (asked?.result) await new Promise<void>((resolve) => setImmediate(resolve)); // lets it send its statement first
    const response = await handler.fetch(request, { authInfo: authInfoOf(principal, asked), parsedBody });
    const refusal = await authenticator.confirm(caller);
    if (refusal) return refusal;
    if (!isModern(request)) response.headers.delete('connection'); // Node knows whether it stays open, and sets it
    return inOurWords(response);
  };

  const subscribe = async (read: ReadRequest, { principal, hash }: AuthenticatedCaller): Promise<Response> =>
    authenticator.overdrawn(read.parsedBody, principal) ??
    streams.serve(read, authInfoOf(principal), () => buildServer(deps, async () => principal), hash);

  const mcp: Fetch = async (request, { incoming, outgoing }) => {
    // Registered before authentication, during which the client may disconnect. A stream goes on after its response.
    const sent = new Promise<void>((resolve) => outgoing.once('close', resolve));
    const foreign = hosts.refusal(request);
    if (foreign) return foreign;
    // Not deferred for a 2025 client: its answer may be a stream, whose 200 is sent before the first statement runs.
    const caller = await authenticator.admit(request, incoming.socket.remoteAddress, isModern(request));
    if (!('principal' in caller)) return caller;
    // The size of a compressed body is unknown until it is unpacked, and the SDK would take it for bad JSON.
    const encoded = request.headers.get('content-encoding');
    if (encoded && encoded !== 'identity')
      return refuse(415, 'unsupported', 'Send the body as it is: compressed bodies are not read.', {
        'Accept-Encoding': 'identity',
      });
    const { userId, scopes } = caller.principal;
    if (isListenRequest(request))
      return scopes.includes('tasks:read')
        ? bodies.read(request, userId, MAX_LISTEN_BODY, (read) => subscribe(read, caller))
        : lacks('tasks:read');
    const inTurn = (read: ReadRequest) => queued(bodies, `${userId} requests`, atOnce, () => answer(read, caller));
    return bodies.read(request, userId, MAX_BODY, inTurn, sent);
  };

  /** Returns the response to overload, or to a database that is away or refuses this server. Rethrows other errors. */
  const refusalOf = (error: unknown): Response => {
    const refusal = refusalIn(error);
    if (refusal?.body.code === 'rate_limited') return tooManyRequests(1, refusal.message);
    const busy = isBusy(error);
    if (!(busy || isUnreachable(error) || setupMistake(error))) throw error;
    if (!busy) outages.unreachable();
    const message = `The task database ${busy ? 'is busy' : 'cannot be reached'}. Try again in a moment.`;
    return refuse(503, 'unavailable', message, { 'Retry-After': '1' });
  };

  let readiness: Promise<boolean> | undefined;
  const ready = async (): Promise<Response> => {
    // Concurrent requests share one query: this endpoint is open to everybody.
    readiness ??= deps
      .store()
      .then(({ database }) => assertWritable(database))
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

  const fetch: Fetch = async (request, ends) => {
    const path = /^\w+:\/\/[^/]*([^?#]*)/.exec(request.url)?.[1];
    try {
      if (path === '/mcp') return await mcp(request, ends).catch(refusalOf);
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

/** Makes the SDK's handler, which gets the caller and the expected call of each request as `authInfo`. */
const sdkHandler = (deps: Deps): McpHttpHandler =>
  createMcpHandler(
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
