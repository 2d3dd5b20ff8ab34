// Imported as a module only: the CommonJS build brings another copy of the pool, which is not the same class.
import { Client, neonConfig, Pool } from '@neondatabase/serverless';
import WebSocket from 'ws';
import type { Database } from './database.js';
import { listener } from './notify.js';
import { clientOptions, pooled, poolOptions } from './pooled.js';

/**
 * Opens Neon over WebSocket, with interactive transactions.
 *
 * @param url `postgres://…neon.tech/…`
 * @param proxy `host:port/path` of a WebSocket-to-TCP proxy in front of another PostgreSQL (unencrypted),
 *   for development and tests. The driver keeps this setting for the whole process.
 */
export function openNeon(url: string, proxy?: string): Database {
  neonConfig.webSocketConstructor = WebSocket; // Node has one of its own only from version 22 on
  neonConfig.coalesceWrites = false; // a timer for each burst of writes: nine tenths of the latency of a query
  if (proxy) {
    neonConfig.wsProxy = proxy;
    neonConfig.useSecureWebSocket = false;
    neonConfig.pipelineConnect = false; // assumes a password exchange that only Neon's own proxy speaks
  }
  return pooled(
    'neon',
    new Pool(poolOptions(url)),
    listener(() => new Client(clientOptions(pastPooler(url)))),
  );
}

/** Neon's pooler has a host name of its own, beside that of the server behind it. Nothing is heard through it. */
export function pastPooler(url: string): string {
  const direct = new URL(url);
  direct.hostname = direct.hostname.replace(/^([^.]+)-pooler\./, '$1.');
  return direct.href;
}
