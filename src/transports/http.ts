import type { Server, ServerResponse } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import {
  type AuthInfo,
  createMcpHandler,
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  type McpHttpHandler,
  originValidationResponse,
} from '@modelcontextprotocol/server';
import { Hono } from 'hono';
import type { Principal } from '../auth/principal.js';
import { authenticate, bearerToken, hashToken } from '../auth/tokens.js';
import { isUnreachable } from '../db/database.js';
import { asService } from '../db/scope.js';
import { forbidden } from '../errors.js';
import { buildServer, type Deps } from '../server.js';
import { asksToListen, Streams } from './listen-http.js';

/** The largest request body, in bytes: a hundred tasks with full descriptions. */
const MAX_BODY = 4 * 1024 * 1024;

export interface HttpOptions {
  /** Host names that are ours, beside those of this machine's loopback. */
  allowedHosts: string[];
}

const REALM = 'Bearer realm="taskloom"';

/** An error page says what is wrong and nothing else. */
const refuse = (status: 401 | 403 | 503, error: string, message: string, challenge?: string) =>
  Response.json({ error, message }, { status, headers: challenge ? { 'WWW-Authenticate': challenge } : {} });

/** Makes the web application: the MCP endpoint behind its guards, and the health endpoints. */
export function createApp(
  deps: Deps,
  { allowedHosts }: HttpOptions,
): { app: Hono; handler: McpHttpHandler; streams: Streams } {
  const hosts = [...localhostAllowedHostnames(), ...allowedHosts];
  const streams = new Streams(deps.feed !== undefined);
  const handler = createMcpHandler(
    ({ authInfo, era }) =>
      buildServer(
        deps,
        async () => {
          const principal = authInfo?.extra?.principal as Principal | undefined;
          if (!principal) throw forbidden('No one is signed in.'); // only a bug of ours lets a request get here without
          return principal;
        },
        // A client of 2025 could only be told on a stream of a session, and there are none here.
        { subscribe: era === 'modern' && deps.feed !== undefined },
      ),
    {
      maxRequestBodySize: MAX_BODY,
      maxSubscriptions: 0, // these have streams of their own
      onerror: (error) => deps.log.debug({ kind: error.name }, 'protocol error'),
    },
  );

  const app = new Hono();
  app.onError((error) => {
    deps.log.error({ kind: error.name }, 'http failure');
    return Response.json({ error: 'internal' }, { status: 500 });
  });
  app.get('/livez', () => new Response('ok'));
  app.get('/readyz', async () => {
    const ready = await deps
      .store()
      .then(({ database }) => asService(database, 'select 1', []))
      .then(
        () => true,
        () => false,
      );
    return ready ? new Response('ok') : new Response('database unreachable', { status: 503 });
  });
  app.all('/mcp', async ({ req }) => {
    const request = req.raw;
    // Against DNS rebinding, before anything is looked at: a page that points its own name at this machine.
    const rejected = hostHeaderValidationResponse(request, hosts) ?? originValidationResponse(request, hosts);
    if (rejected) return rejected;

    const token = bearerToken(request.headers.get('authorization'));
    if (!token)
      return refuse(
        401,
        'unauthorized',
        'Send the header Authorization: Bearer tlm_…, with a personal access token.',
        REALM,
      );
    try {
      const { database } = await deps.store();
      const principal = await authenticate(database, token);
      if (!principal)
        return refuse(
          401,
          'invalid_token',
          'This token is unknown, expired or revoked.',
          `${REALM}, error="invalid_token"`,
        );
      const authInfo = authInfoOf(principal);
      if (!asksToListen(request)) return withRealm(await handler.fetch(request, { authInfo }));
      if (!principal.scopes.includes('tasks:read'))
        return refuse(
          403,
          'insufficient_scope',
          'This token may not do that: it lacks tasks:read.',
          `${REALM}, error="insufficient_scope", scope="tasks:read"`,
        );
      return streams.serve(request, authInfo, () => buildServer(deps, async () => principal), hashToken(token));
    } catch (error) {
      if (isUnreachable(error))
        return refuse(503, 'unavailable', 'The task database cannot be reached. Try again in a moment.');
      throw error;
    }
  });
  return { app, handler, streams };
}

/** The token itself stays out: nothing behind this point has a use for it. */
const authInfoOf = (principal: Principal): AuthInfo => ({
  token: '',
  clientId: principal.token ?? '',
  scopes: [...principal.scopes],
  extra: { principal },
});

/** The SDK answers a missing scope with a challenge that lacks the realm, and describes the error by its own name. */
function withRealm(response: Response): Response {
  const challenge = response.headers.get('www-authenticate');
  if (!challenge || challenge.includes('realm=')) return response;
  const headers = new Headers(response.headers);
  headers.set(
    'WWW-Authenticate',
    challenge.replace(/^Bearer /, `${REALM}, `).replace(/ error_description="[^"]*",/, ''),
  );
  return new Response(response.body, { status: response.status, headers });
}

export interface HttpServer {
  /** Where it listens, with the port it was given. */
  url: URL;
  /** Takes no more requests, finishes those under way, and closes. */
  close(): Promise<void>;
}

/** How long a client may take, in milliseconds. */
interface Patience {
  /** To send the head of a request. */
  headers: number;
  /** To send all of it. */
  request: number;
  /** Between two requests on one connection. */
  idle: number;
  /** For requests under way, once the server was told to stop. */
  stopping: number;
}

const PATIENCE: Patience = { headers: 10_000, request: 30_000, idle: 10_000, stopping: 8_000 };

export interface ListenOptions {
  host: string;
  port: number;
  patience?: Partial<Patience>;
}

/** Listens. Bounded against clients that send slowly, much, or never end. */
export async function listen(
  { app, handler, streams }: ReturnType<typeof createApp>,
  { host, port, ...options }: ListenOptions,
): Promise<HttpServer> {
  const patience = { ...PATIENCE, ...options.patience };
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      requestTimeout: patience.request,
      headersTimeout: patience.headers,
      keepAliveTimeout: patience.idle,
      maxHeaderSize: 16_384,
      connectionsCheckingInterval: Math.min(5_000, patience.headers / 2),
    },
  }) as Server;
  server.maxConnections = 2_000;
  const underWay = new Set<ServerResponse>();
  let stopping = false;
  server.prependListener('request', (_request, response: ServerResponse) => {
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
    if (stopping) partAfter(response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  return {
    url: new URL(`http://${host.includes(':') ? `[${host}]` : host}:${bound}/mcp`),
    close: async () => {
      stopping = true;
      streams.close();
      for (const response of underWay) partAfter(response);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const forced = setTimeout(() => server.closeAllConnections(), patience.stopping);
      await closed;
      clearTimeout(forced);
      await handler.close();
    },
  };
}

/** Ends a connection with this answer: one that is kept open would hold up the stop, and take new requests. */
function partAfter(response: ServerResponse): void {
  const { socket } = response;
  if (!response.headersSent) response.setHeader('Connection', 'close');
  response.once('finish', () => socket?.destroySoon());
}
