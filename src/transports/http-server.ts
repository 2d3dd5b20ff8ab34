import { readFileSync } from 'node:fs';
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { createApp } from './http.js';
import { originOf } from './limits.js';

export interface HttpServer {
  /** Its URL, with the actual port if port 0 was asked for. */
  url: URL;
  /** Accepts no more connections, finishes the requests in progress, and closes. */
  close(): Promise<void>;
}

/** How long a client may take, in milliseconds. */
interface Timeouts {
  /** To send the headers of a request. */
  headers: number;
  /** To send the whole request. */
  request: number;
  /** Between two requests on one connection. */
  idle: number;
  /** To take more of what was sent to it. */
  reading: number;
  /** To finish requests in progress once the server stops. */
  stopping: number;
}

const TIMEOUTS: Timeouts = { headers: 10_000, request: 30_000, idle: 10_000, reading: 60_000, stopping: 8_000 };

/** How many connections may be open. */
interface ConnectionLimits {
  all: number;
  /** From one address. Less than `all`, or one client with silent connections could shut everybody out. */
  perAddress: number;
}

const CONNECTION_LIMITS: ConnectionLimits = { all: 2_000, perAddress: 1_000 };

/** Open files the process needs besides connections; an embedded database has about 200. */
const RESERVED = 400;

/**
 * Returns connection limits that fit the process's limit of open files: if files ran out, the database would fail
 * first, unable to open its own.
 *
 * @param files how many files the process may have open
 */
export function connectionLimits(files = openFiles()): ConnectionLimits {
  const all = Math.max(50, Math.min(CONNECTION_LIMITS.all, files - RESERVED));
  return { all, perAddress: Math.min(CONNECTION_LIMITS.perAddress, Math.ceil(all / 2)) };
}

/** Returns the soft limit of open files, which Node raises to the hard limit; infinity if it is unknown. */
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
  timeouts?: Partial<Timeouts>;
  limits?: Partial<ConnectionLimits>;
}

/**
 * Starts the HTTP server, with limits against clients that send slowly, send much or never finish.
 *
 * @throws NodeJS.ErrnoException if it cannot listen
 */
export async function startHttpServer(
  { fetch, handler, streams }: ReturnType<typeof createApp>,
  { host, port, ...options }: HttpServerOptions,
): Promise<HttpServer> {
  const url = new URL(`http://${host.includes(':') ? `[${host}]` : host}:${port}/mcp`);
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const limits = { ...connectionLimits(), ...options.limits };
  const server = createAdaptorServer({
    fetch,
    // Of a request of HTTP/1.0 without a Host, as health checks send it. Only `HostCheck` reads the header itself.
    hostname: url.hostname,
    serverOptions: {
      requestTimeout: timeouts.request,
      headersTimeout: timeouts.headers,
      keepAliveTimeout: timeouts.idle,
      maxHeaderSize: 16_384,
      connectionsCheckingInterval: Math.min(5_000, timeouts.headers / 2),
    },
  }) as Server;
  server.maxConnections = limits.all;
  server.timeout = timeouts.reading;
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const from = originOf(socket.remoteAddress);
    const count = open.get(from) ?? 0;
    if (count >= limits.perAddress) return socket.destroy();
    open.set(from, count + 1);
    socket.once('close', () => {
      const left = (open.get(from) ?? 0) - 1;
      if (left > 0) open.set(from, left);
      else open.delete(from);
    });
  });
  const active = new Set<ServerResponse>();
  let stopping = false;
  server.prependListener('request', (_request, response: ServerResponse) => {
    active.add(response);
    response.once('close', () => active.delete(response));
    // Nothing was sent or taken for that long. It may be us who let the client wait.
    response.on('timeout', (socket: Socket) => {
      if (socket.writableLength > 0) socket.destroy();
    });
    if (stopping) endAfter(response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (typeof address === 'object' && address) url.port = String(address.port);
  return {
    url,
    close: async () => {
      stopping = true;
      streams.close();
      for (const response of active) endAfter(response);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const forced = setTimeout(() => server.closeAllConnections(), timeouts.stopping);
      await closed;
      clearTimeout(forced);
      await handler.close();
    },
  };
}

/** Closes the connection after this response: kept alive, it would delay the stop and accept new requests. */
function endAfter(response: ServerResponse): void {
  const { socket } = response;
  if (!response.headersSent) response.setHeader('Connection', 'close');
  response.once('finish', () => socket?.destroySoon());
}
