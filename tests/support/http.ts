import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Principal } from '../../src/auth/principal.js';
import { SCOPES, type Scope } from '../../src/auth/scopes.js';
import { createToken } from '../../src/cli/accounts.js';
import type { Deps } from '../../src/tool-calls.js';
import { createApp } from '../../src/transports/http.js';
import { type HttpServer, type HttpServerOptions, startHttpServer } from '../../src/transports/http-server.js';
import type { HttpOptions } from '../../src/transports/mcp-endpoint.js';
import { newUser, type World } from './harness.js';

/** The two protocol eras: a handshake in 2025, and metadata in every request since 2026. */
export const ERAS = ['2025-11-25', '2026-07-28'] as const;
export type Era = (typeof ERAS)[number];

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** The JSON-RPC message, whether it came as JSON or as the last event of a stream. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are checked by what the tests expect of them
  message: any;
}

export interface HttpRequest {
  method?: string;
  path?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
  /** Local address to send from. */
  localAddress?: string;
}

export interface Running {
  server: HttpServer;
  url: URL;
}

/** Serves over HTTP on a free loopback port. */
export async function serveHttp(deps: Deps, options: Partial<HttpServerOptions & HttpOptions> = {}): Promise<Running> {
  const { allowedHosts = [], ...others } = options;
  const server = await startHttpServer(createApp(deps, { allowedHosts, ...others }), {
    host: '127.0.0.1',
    port: 0,
    ...others,
  });
  return { server, url: server.url };
}

/** Serves the world of a test file while the file runs. */
export function useHttp(world: World, options: Parameters<typeof serveHttp>[1] = {}): Running {
  const running = {} as Running;
  beforeAll(async () => void Object.assign(running, await serveHttp(world, options)));
  afterAll(async () => running.server?.close());
  return running;
}

/** Returns a function that sends requests with a token. */
export const sendAs = (running: Running) => (token: string, given: HttpRequest) =>
  send(running.url, withHeaders(given, bearer(token)));

/** Creates a personal access token, as `taskloom token create` does. */
export async function newToken(
  world: World,
  principal: Principal,
  options: { scopes?: readonly Scope[]; expires?: Date; name?: string } = {},
): Promise<{ token: string; id: string }> {
  const { scopes = SCOPES, expires, name = 'test' } = options;
  return createToken(world.database, { user: principal.handle, name, scopes: [...scopes], expires });
}

/** Creates a token for a new user, for tests in which the user does not matter. */
export async function anyToken(world: World): Promise<string> {
  return (await newToken(world, await newUser(world))).token;
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Sends one request over a new connection, with no headers but those given and those that HTTP requires. */
export async function send(
  url: URL,
  { method = 'POST', path, headers = {}, body, ...from }: HttpRequest,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: url.hostname, port: url.port, path: path ?? url.pathname, method, agent: false, headers, ...from },
      (incoming) => {
        text(incoming).then((content) => {
          const { statusCode = 0, headers } = incoming;
          resolve({ status: statusCode, headers, body: content, message: messageOf(content) });
        }, reject);
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

function messageOf(content: string): unknown {
  const data =
    content
      .match(/^data: (.+)$/gm)
      ?.at(-1)
      ?.slice('data: '.length) ?? content;
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

/** Returns a JSON-RPC request as clients of that era send it. */
export function rpc(era: Era, method: string, params: Record<string, unknown> = {}, id: unknown = 1): HttpRequest {
  const modern = era === '2026-07-28';
  const named = params.name ?? params.uri;
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': era,
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  return {
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': era,
      ...(modern && {
        'mcp-method': method,
        ...(typeof named === 'string' && { 'mcp-name': named }),
      }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, ...(modern && { _meta }) } }),
  };
}

/** The first request of a client: the handshake of 2025, or its replacement. */
export const hello = (era: Era): HttpRequest =>
  era === '2026-07-28'
    ? rpc(era, 'server/discover')
    : rpc(era, 'initialize', {
        protocolVersion: era,
        capabilities: {},
        clientInfo: { name: 'raw', version: '1.0.0' },
      });

export const callOf = (era: Era, name: string, args: Record<string, unknown> = {}, id: unknown = 1): HttpRequest =>
  rpc(era, 'tools/call', { name, arguments: args }, id);

/** Returns the request with other headers; removes those given as undefined. */
export function withHeaders(given: HttpRequest, more: Record<string, string | undefined>): HttpRequest {
  const headers: OutgoingHttpHeaders = { ...given.headers };
  for (const [name, value] of Object.entries(more))
    if (value === undefined) delete headers[name];
    else headers[name] = value;
  return { ...given, headers };
}

/** Returns the head of a raw request, without the headers about the length of its body. */
export const headOf = (url: URL, token: string, given: HttpRequest) =>
  `POST /mcp HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${token}\r\n${Object.entries(given.headers ?? {})
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}`;

/** Opens a raw socket to the server, to send what no HTTP client would. */
export async function openSocket(url: URL): Promise<Socket> {
  const socket = connect(Number(url.port), url.hostname);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => {}); // tests expect connections to be cut off
  return socket;
}

/** Returns all that the server sends on a socket until it is closed. */
export async function untilClosed(socket: Socket): Promise<string> {
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.resume();
  if (!socket.closed) await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return received;
}

/** Connects a client of SDK 2, pinned to an era. */
export async function connectClient(url: URL, token: string, era: Era): Promise<Client> {
  const client = new Client(
    { name: `client-${era}`, version: '1.0.0' },
    { versionNegotiation: { mode: era === '2026-07-28' ? { pin: era } : 'legacy' } },
  );
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: bearer(token) } }));
  return client;
}

/** Repeats `ask` until its result satisfies `hoped`; fails after ten seconds. */
export async function eventually<T>(ask: () => Promise<T>, hoped: (value: T) => boolean): Promise<T> {
  let value: T | undefined;
  const look = async () => {
    value = await ask();
    return { value, isHoped: hoped(value) };
  };
  await expect.poll(look, { interval: 5 }).toMatchObject({ isHoped: true });
  return value as T;
}

/** The outcome of one request: the answer, or undefined if the connection broke. */
export interface Outcome {
  url: URL;
  title: string;
  answer: HttpAnswer | undefined;
}

/** Starts clients that add tasks on these servers, each one call after another, until stopped. */
export function crowd(urls: URL[], token: string, size: number): { outcomes: Outcome[]; stop(): Promise<void> } {
  const outcomes: Outcome[] = [];
  let running = true;
  const clients = Array.from({ length: size }, async (_, who) => {
    const url = urls[who % urls.length] as URL;
    for (let n = 0; running; n++) {
      const title = `Task ${who}-${n}`;
      const given = withHeaders(callOf(ERAS[who % 2] ?? ERAS[0], 'add_task', { title }), bearer(token));
      outcomes.push({ url, title, answer: await send(url, given).catch(() => undefined) });
    }
  });
  return {
    outcomes,
    async stop() {
      running = false;
      await Promise.all(clients);
    },
  };
}

/** Returns the titles of the tasks that servers acknowledged. */
export const addedBy = (outcomes: Outcome[]): string[] =>
  outcomes.flatMap(({ answer, title }) => (answer?.message?.result?.structuredContent?.task ? [title] : []));
