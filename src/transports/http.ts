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
import { isBusy, isUnreachable } from '../db/database.js';
import { asService } from '../db/scope.js';
import { forbidden, refusalIn } from '../errors.js';
import { buildServer, type Deps, type ExpectedCall, expectedCall } from '../server.js';
import { Bodies, type Read } from './body.js';
import { asksToListen, HttpSubscriptions, MAX_LISTENING } from './http-subscriptions.js';
import { LruMap, originOf, Rate } from './limits.js';

/** The largest request body, in bytes: a hundred tasks with full descriptions. */
const MAX_BODY = 4 * 1024 * 1024;

export interface HttpOptions {
  /** Host names that are ours, beside those of this machine's loopback. */
  allowedHosts: string[];
  /** How many proxies of ours are in front, each of which adds to X-Forwarded-For. Default: 0. */
  proxies?: number;
  /** How many requests one user may send in a minute; 0 for any number, which is the default. */
  perMinute?: number;
  /** Milliseconds on a clock that is never set back. */
  steady?: () => number;
}

/**
 * How many requests a minute one address may send without a token that is known to be good. A good one costs nothing,
 * so that this is for wrong ones, and for none.
 */
const STRANGERS = 300;

/** A longer Host header is taken apart each time: what is remembered of strangers must be small. */
const LONGEST_HOST = 100;

/** The first protocol whose requests stand for themselves. */
const MODERN = '2026-07-28';

const REALM = 'Bearer realm="taskloom"';

/** An error page says what is wrong and nothing else. */
const refuse = (
  status: 401 | 403 | 415 | 429 | 503,
  error: string,
  message: string,
  headers: Record<string, string> = {},
) => Response.json({ error, message }, { status, headers });

const challenge = (text: string) => ({ 'WWW-Authenticate': text });

const lacks = (scope: Scope) =>
  refuse(
    403,
    'insufficient_scope',
    `This token may not do that: it lacks ${scope}. Whoever runs this server makes one that may: taskloom token create --user <handle>.`,
    challenge(`${REALM}, error="insufficient_scope", scope="${scope}"`),
  );

/** @param seconds after which there is room again */
const tooMany = (message: string, seconds: number) =>
  refuse(429, 'rate_limited', `${message} Wait ${seconds} s, then repeat this one.`, {
    'Retry-After': String(seconds),
  });

/** The other end of a request, and what it is answered with. */
interface Ends {
  incoming: { socket: Pick<Socket, 'remoteAddress'> };
  outgoing: { once(event: 'close', heard: () => void): unknown };
}

/** Who has been let in. */
interface Guest {
  /** Of the token. */
  hash: string;
  principal: Principal;
  /** Where the token was good when it last came, and is asked about along with what is asked for. */
  proof?: TokenProof;
}

/** A web application: what it answers to a request. */
type Fetch = (request: Request, ends: Ends) => Promise<Response>;

/** Makes the web application: the MCP endpoint behind its guards, and the health endpoints. */
export function createApp(
  deps: Deps,
  { allowedHosts, proxies = 0, perMinute = 0, steady = () => performance.now() }: HttpOptions,
): { fetch: Fetch; handler: McpHttpHandler; streams: HttpSubscriptions } {
  const hosts = [...localhostAllowedHostnames(), ...allowedHosts.map(asInHeader)];
  const streams = new HttpSubscriptions(deps.feed !== undefined);
  const handler = createMcpHandler(
    ({ authInfo, era }) =>
      buildServer(
        deps,
        async () => {
          const principal = authInfo?.extra?.principal as Principal | undefined;
          if (!principal) throw forbidden('No one is signed in.'); // only a bug of ours lets a request get here without
          return principal;
        },
        {
          // A client of 2025 could only be told on a stream of a session, and there are none here.
          subscribe: era === 'modern' && deps.feed !== undefined,
          asked: authInfo?.extra?.asked as ExpectedCall | undefined,
        },
      ),
    {
      maxSubscriptions: 0, // these have streams of their own
      onerror: (error) => deps.log.debug({ kind: error.name }, 'protocol error'),
    },
  );

  /** Host headers that were found to be ours: to take one apart is a fifth of what a request costs before it is run. */
  const ours = new LruMap<true>();
  /** Against DNS rebinding, before anything is looked at: a page that points its own name at this machine. */
  const elsewhere = (request: Request): Response | undefined => {
    const host = request.headers.get('host') ?? '';
    const rejected = ours.get(host) ? undefined : hostHeaderValidationResponse(request, hosts);
    if (rejected) return rejected;
    if (host.length <= LONGEST_HOST) ours.set(host, true); // a port may have thousands of zeros before it
    return originValidationResponse(request, hosts);
  };

  const strangers = new Rate(STRANGERS, steady);
  const users = new Rate(perMinute, steady);
  /** Whose the tokens are that were good when they last came, by their hashes. */
  const known = new LruMap<Principal>();
  const bodies = new Bodies();
  let looking: Promise<boolean> | undefined;

  const ready = async (): Promise<Response> => {
    // All who ask at once share one look: anybody may ask.
    looking ??= deps
      .store()
      .then(({ database }) => asService(database, 'select 1', []))
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        looking = undefined;
      });
    return (await looking) ? new Response('ok') : new Response('database unreachable', { status: 503 });
  };
  const unauthorized = (hash: string) => {
    known.delete(hash);
    return refuse(401, 'invalid_token', REFUSED_TOKEN, challenge(`${REALM}, error="invalid_token"`));
  };
  /** Who is asking, or why they are not let in. */
  const admit = async (request: Request, { incoming }: Ends): Promise<Guest | Response> => {
    const rejected = elsewhere(request);
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
    // A client of 2025 may have its answer on a stream that has begun before anything is asked.
    if (last && isModern(request)) {
      const proof = new TokenProof(database, hash, last);
      return { hash, principal: { ...last, proof }, proof };
    }
    const principal = await authenticate(database, hash, last?.userId);
    if (!principal) return unauthorized(hash);
    if (!last) {
      strangers.giveBack(from());
      known.set(hash, principal);
      const wait = users.take(principal.userId);
      if (wait > 0) return tooMany(TOO_MANY, wait);
    }
    return { hash, principal };
  };
  /** Counts a batch for as many requests as it has calls. */
  const overdrawn = ({ parsedBody }: Read, { userId }: Principal): Response | undefined => {
    const more = Array.isArray(parsedBody) ? parsedBody.length - 1 : 0;
    const wait = more > 0 ? users.take(userId, more) : 0;
    if (wait === 0) return undefined;
    users.giveBack(userId);
    return tooMany(`There is no room for a batch of ${more + 1}: send fewer calls at once, or wait.`, wait);
  };
  const answer = async (read: Read, { hash, principal, proof }: Guest): Promise<Response> => {
    const refused = overdrawn(read, principal);
    if (refused) return refused;
    const { request, parsedBody } = read;
    const asked = expectedCall(deps, parsedBody, principal);
    if (asked?.ahead) await new Promise<void>((resolve) => setImmediate(resolve)); // so that it is on its way
    const authInfo = authInfoOf(principal, asked);
    const response = await handler.fetch(request, { authInfo, parsedBody });
    if (proof) {
      if (!(await proof.holds())) return unauthorized(hash);
      const { proof: _, ...found } = principal; // by now of the zone that the user has moved to, if so
      known.set(hash, found);
    }
    if (!isModern(request)) response.headers.delete('connection'); // Node knows better whether it stays open
    return inOurWords(response);
  };
  const mcp = async (request: Request, ends: Ends): Promise<Response> => {
    // An answer on a stream is there before it is whole; and who asks may hang up while they are not let in yet.
    const sent = new Promise<void>((resolve) => ends.outgoing.once('close', resolve));
    try {
      const guest = await admit(request, ends);
      if (!('principal' in guest)) return guest;
      const { hash, principal } = guest;
      // It would have to be unpacked before its size is known. The SDK takes it as it is, for bad JSON.
      const packed = request.headers.get('content-encoding');
      if (packed && packed !== 'identity')
        return refuse(415, 'unsupported', 'Send the body as it is: compressed bodies are not read.', {
          'Accept-Encoding': 'identity',
        });
      if (asksToListen(request)) {
        if (!principal.scopes.includes('tasks:read')) return lacks('tasks:read');
        return await bodies.read(
          request,
          principal.userId,
          MAX_LISTENING,
          async (read) =>
            overdrawn(read, principal) ??
            streams.serve(read, authInfoOf(principal), () => buildServer(deps, async () => principal), hash),
        );
      }
      return await bodies.read(request, principal.userId, MAX_BODY, (read) => answer(read, guest), sent);
    } catch (error) {
      const refusal = refusalIn(error);
      if (refusal?.body.code === 'rate_limited') return tooMany(refusal.message, 1);
      if (isUnreachable(error) || isBusy(error))
        return refuse(
          503,
          'unavailable',
          `The task database ${isBusy(error) ? 'is busy' : 'cannot be reached'}. Try again in a moment.`,
          { 'Retry-After': '1' },
        );
      throw error;
    }
  };
  const fetch: Fetch = async (request, ends) => {
    const path = /^\w+:\/\/[^/]*([^?#]*)/.exec(request.url)?.[1];
    try {
      if (path === '/mcp') return await mcp(request, ends);
      const looks = request.method === 'GET' || request.method === 'HEAD';
      if (looks && path === '/livez') return new Response('ok');
      if (looks && path === '/readyz') return await ready();
      return new Response('404 Not Found', { status: 404 });
    } catch (error) {
      deps.log.error({ kind: (error as Error).name }, 'http failure');
      return Response.json({ error: 'internal' }, { status: 500 });
    }
  };
  return { fetch, handler, streams };
}

/** A host name as one is compared that came in a header: in small letters, in ASCII, IPv6 at its shortest. */
const asInHeader = (host: string): string =>
  URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : host;

const TOO_MANY = 'Too many requests.';

/** The token itself stays out: nothing behind this point has a use for it. */
const authInfoOf = (principal: Principal, asked?: ExpectedCall): AuthInfo => ({
  token: '',
  clientId: principal.token ?? '',
  scopes: [...principal.scopes],
  extra: { principal, asked },
});

/** Whether a request is of 2026-07-28, whose answer is whole when it begins, and asks for no stream. */
const isModern = (request: Request) =>
  request.headers.has('mcp-method') &&
  (request.headers.get('mcp-protocol-version') ?? '') >= MODERN &&
  !asksToListen(request);

/** The SDK answers a missing scope without the realm, and with nothing to go by. */
function inOurWords(response: Response): Response {
  if (response.status !== 403) return response;
  const scope = SCOPES.find((each) => response.headers.get('www-authenticate')?.includes(`scope="${each}"`));
  return scope ? lacks(scope) : response;
}
