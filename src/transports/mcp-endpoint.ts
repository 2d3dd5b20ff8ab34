import type { Socket } from 'node:net';
import {
  type AuthInfo,
  createMcpHandler,
  type McpHttpHandler,
  ProtocolErrorCode,
  type RequestId,
} from '@modelcontextprotocol/server';
import type { Principal } from '../auth/principal.js';
import { type UserLimit, UserQueues } from '../db/user-limits.js';
import { forbidden, reusedId } from '../errors.js';
import { buildServer } from '../server.js';
import { type Deps, type ExpectedCall, expectedCall } from '../tool-calls.js';
import { type AuthenticatedCaller, Authenticator, type AuthenticatorOptions } from './authenticator.js';
import { Bodies, parsed, type ReadRequest } from './body.js';
import type { Message } from './conversation.js';
import type { HostCheck } from './host-check.js';
import { inOurWords, jsonRpcError, lacks, refuse } from './http-responses.js';
import { HttpSubscriptions, isListenRequest, MAX_LISTEN_BODY } from './http-subscriptions.js';

/** The largest request body, in bytes: room for a hundred tasks with full descriptions. */
const MAX_BODY = 4 * 1024 * 1024;

export interface HttpOptions extends AuthenticatorOptions {
  /** Host names of this server, besides those of loopback. */
  allowedHosts: string[];
  /** How many requests of one user are worked on at once, and how many more may wait. */
  atOnce?: UserLimit;
}

/** Pipelined requests are handed over all at once: without this limit, other users' requests would wait for them all. */
const AT_ONCE = { concurrent: 64, waiting: 256 };

/** The first protocol version whose requests need no handshake. */
const MODERN = '2026-07-28';

/** The connection of a request, and its response. */
export interface Ends {
  incoming: { socket: Pick<Socket, 'remoteAddress'> };
  outgoing: { once(event: 'close', heard: () => void): unknown };
}

/** The MCP endpoint, behind the checks of host, token, rate and size. */
export class McpEndpoint {
  readonly handler: McpHttpHandler;
  readonly streams: HttpSubscriptions;
  readonly #authenticator: Authenticator;
  readonly #bodies = new Bodies();
  readonly #requests: UserQueues;

  constructor(
    private readonly deps: Deps,
    private readonly hosts: HostCheck,
    { atOnce = AT_ONCE, ...limits }: Omit<HttpOptions, 'allowedHosts'>,
  ) {
    this.handler = sdkHandler(deps);
    this.streams = new HttpSubscriptions(deps.feed !== undefined);
    this.#authenticator = new Authenticator(deps.store, deps.outages, limits);
    this.#requests = new UserQueues('requests', atOnce);
  }

  /** Answers a request. Throws if the database or a limit keeps it from being answered. */
  async fetch(request: Request, { incoming, outgoing }: Ends): Promise<Response> {
    // Registered before authentication, during which the client may disconnect. A stream goes on after its response.
    const sent = new Promise<void>((resolve) => outgoing.once('close', resolve));
    const foreign = this.hosts.refusal(request);
    if (foreign) return foreign;
    // Not deferred for a 2025 client: its answer may be a stream, whose 200 is sent before the first statement runs.
    const caller = await this.#authenticator.admit(request, incoming.socket.remoteAddress, isModern(request));
    if (!('principal' in caller)) return caller;
    // The size of a compressed body is unknown until it is unpacked, and the SDK would take it for bad JSON.
    const encoded = request.headers.get('content-encoding');
    if (encoded && encoded !== 'identity')
      return refuse(415, 'unsupported', 'Send the body as it is: compressed bodies are not read.', {
        'Accept-Encoding': 'identity',
      });
    const { userId, scopes } = caller.principal;
    const count = (bytes: number) => this.#authenticator.overweight(bytes, caller.principal);
    if (isListenRequest(request)) {
      if (!scopes.includes('tasks:read')) return lacks('tasks:read');
      const listen = (read: ReadRequest) => this.#subscribe(read, caller);
      return this.#bodies.read(request, userId, { largest: MAX_LISTEN_BODY, count }, listen);
    }
    const inTurn = (read: ReadRequest) => this.#requests.run(userId, () => this.#answer(read, caller));
    return this.#bodies.read(request, userId, { largest: MAX_BODY, count }, inTurn, sent);
  }

  async #answer(read: ReadRequest, caller: AuthenticatedCaller): Promise<Response> {
    const { request, parsedBody } = parsed(read);
    const { principal } = caller;
    const repeated = repeatedId(parsedBody);
    if (repeated !== undefined) return jsonRpcError(400, ProtocolErrorCode.InvalidRequest, reusedId(repeated));
    const exceeded = this.#authenticator.overdrawn(parsedBody, principal);
    if (exceeded) return exceeded;
    const body = withoutCancellations(parsedBody);
    const asked = expectedCall(this.deps, body, principal);
    if (asked?.result) await new Promise<void>((resolve) => setImmediate(resolve)); // lets it send its statement first
    const authInfo = authInfoOf(principal, asked);
    const response = await this.handler.fetch(request, { authInfo, parsedBody: body });
    const refusal = await this.#authenticator.confirm(caller);
    if (refusal) return refusal;
    if (!isModern(request)) response.headers.delete('connection'); // Node knows whether it stays open, and sets it
    return inOurWords(response);
  }

  async #subscribe(read: ReadRequest, { principal, hash }: AuthenticatedCaller): Promise<Response> {
    const request = parsed(read);
    return (
      this.#authenticator.overdrawn(request.parsedBody, principal) ??
      this.streams.serve(request, authInfoOf(principal), () => buildServer(this.deps, async () => principal), hash)
    );
  }
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

/** Returns an id that two requests of a batch have, if any. */
function repeatedId(body: unknown): RequestId | undefined {
  const seen = new Set<RequestId>();
  for (const message of Array.isArray(body) ? body : []) {
    const { id, method } = (message ?? {}) as Message;
    if (id === undefined || method === undefined) continue;
    if (seen.has(id)) return id;
    seen.add(id);
  }
  return undefined;
}

/**
 * Drops cancellations from a batch that has requests. The SDK never answers a cancelled request, and would wait for that
 * answer before it ends the stream. Elsewhere a cancellation has no effect: each HTTP request has its own server.
 */
function withoutCancellations(body: unknown): unknown {
  if (!Array.isArray(body)) return body;
  const kept = body.filter((message) => message?.method !== 'notifications/cancelled');
  return kept.length > 0 ? kept : body;
}
