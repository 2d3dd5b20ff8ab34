// Import the ES module only: the CommonJS build has another copy of the pool, which is a different class.
import { Client, neonConfig, Pool } from '@neondatabase/serverless';
import WebSocket from 'ws';
import type { Database } from './database.js';
import { makeListener } from './notify.js';
import { checkFiles, clientOptions, pooled, poolOptions } from './pooled.js';

/**
 * Opens Neon over WebSocket, with interactive transactions.
 *
 * @param url `postgres://…neon.tech/…`
 * @param proxy `host:port/path` of a WebSocket-to-TCP proxy in front of another PostgreSQL (unencrypted),
 *   for development and tests. The driver keeps this setting for the whole process.
 * @throws UsageError if a file that the URL names cannot be read
 */
export function openNeon(url: string, proxy?: string): Database {
  neonConfig.webSocketConstructor = WebSocket; // Node's own exists only from version 22
  neonConfig.coalesceWrites = false; // its timer per burst of writes is nine tenths of a query's latency
  if (proxy) {
    neonConfig.wsProxy = proxy;
    neonConfig.useSecureWebSocket = false;
    neonConfig.pipelineConnect = false; // assumes a password exchange that only Neon's own proxy supports
  }
  checkFiles(url);
  return pooled(
    'neon',
    new Pool(poolOptions(url)),
    makeListener(() => new Client(clientOptions(pastPooler(url)))),
  );
}

/** Returns the URL of the server behind Neon's pooler, by its host name. LISTEN does not work through the pooler. */
export function pastPooler(url: string): string {
  const direct = new URL(url);
  direct.hostname = direct.hostname.replace(/^([^.]+)-pooler\./, '$1.');
  return direct.href;
}
