import { readFileSync } from 'node:fs';
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { createApp } from './http.js';
import { originOf } from './limits.js';

export interface HttpServer {
  /** Where it listens, with the port it was given. */
  url: URL;
  /** Takes no more requests, finishes those under way, and closes. */
  close(): Promise<void>;
}

/** How long a client may take, in milliseconds. */
interface Timeouts {
  /** To send the head of a request. */
  headers: number;
  /** To send all of it. */
  request: number;
  /** Between two requests on one connection. */
  idle: number;
  /** For requests under way, once the server was told to stop. */
  stopping: number;
}

const TIMEOUTS: Timeouts = { headers: 10_000, request: 30_000, idle: 10_000, stopping: 8_000 };

/** How many connections may be open. */
interface ConnectionLimits {
  all: number;
  /** From one address: less than all, or one client that says nothing would shut everybody out. */
  ofOne: number;
}

const CONNECTION_LIMITS: ConnectionLimits = { all: 2_000, ofOne: 1_000 };

/** What the process needs besides connections, in open files: an embedded database has some two hundred. */
const RESERVED = 400;

/**
 * As many connections as there is room for: where a process may have few files open, a database that cannot open
 * its own would be the first to fail.
 *
 * @param files how many files the process may have open
 */
export function connectionLimits(files = openFiles()): ConnectionLimits {
  const all = Math.max(50, Math.min(CONNECTION_LIMITS.all, files - RESERVED));
  return { all, ofOne: Math.min(CONNECTION_LIMITS.ofOne, Math.ceil(all / 2)) };
}

/** The limit of this process, where the system says it: Node has made it as high as it may be. */
function openFiles(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft ? Number(soft) : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY; // not Linux
  }
}

export interface HttpServerOptions {
  host: string;
  port: number;
  patience?: Partial<Timeouts>;
  room?: Partial<ConnectionLimits>;
}

/** Listens. Bounded against clients that send slowly, much, or never end. */
export async function startHttpServer(
  { fetch, handler, streams }: ReturnType<typeof createApp>,
  { host, port, ...options }: HttpServerOptions,
): Promise<HttpServer> {
  const patience = { ...TIMEOUTS, ...options.patience };
  const room = { ...connectionLimits(), ...options.room };
  const server = createAdaptorServer({
    fetch,
    serverOptions: {
      requestTimeout: patience.request,
      headersTimeout: patience.headers,
      keepAliveTimeout: patience.idle,
      maxHeaderSize: 16_384,
      connectionsCheckingInterval: Math.min(5_000, patience.headers / 2),
    },
  }) as Server;
  server.maxConnections = room.all;
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const from = originOf(socket.remoteAddress);
    const count = open.get(from) ?? 0;
    if (count >= room.ofOne) return socket.destroy();
    open.set(from, count + 1);
    socket.once('close', () => {
      const left = (open.get(from) ?? 0) - 1;
      if (left > 0) open.set(from, left);
      else open.delete(from);
    });
  });
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
