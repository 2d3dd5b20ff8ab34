// Calls tools without end, and prints the answers. Bundled and started by writing.ts.
import { writeSync } from 'node:fs';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { pino } from 'pino';
import { ensureUser, localPrincipal } from '../../src/auth/local.js';
import { openStore, type Target } from '../../src/db/connect.js';
import { readMigrations } from '../../src/db/migrate.js';
import { buildServer } from '../../src/server.js';
import { OutageLog } from '../../src/transports/outage.js';
import { counts, injectFaults, type Plan } from './disk.js';

export interface Order {
  target: Target;
  handle: string;
  seed: number;
  migrations: string;
  /** Number of calls after which the process stops. */
  calls?: number;
  disk?: Plan;
}

/** One line of output. */
export type Said =
  | { ready: true; syncs: number }
  | { undo: string; request: string; syncs: number }
  | { refused: string }
  | { snapshot: string };

const order = JSON.parse(process.argv[2] ?? '') as Order;
const say = (said: Said) => writeSync(1, `${JSON.stringify(said)}\n`);

let state = order.seed;
/** Returns pseudo-random numbers from 0 to 1, the same for the same seed. */
function random(): number {
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
  return state / 2_147_483_648;
}
const upTo = (max: number) => 1 + Math.floor(random() * max);

if (order.disk) injectFaults(order.disk, random, (snapshot) => say({ snapshot }));
const store = await openStore(order.target, { migrations: readMigrations(new URL(order.migrations)) });
await ensureUser(store.database, { handle: order.handle, timezone: 'Europe/Paris' });
const principal = await localPrincipal(store.database, order.handle, 'Europe/Paris');
const log = pino({ level: 'silent' });
const deps = {
  store: async () => store,
  clock: () => new Date(),
  log,
  outages: new OutageLog(log),
  version: '0.0.0-test',
  historyDays: 365,
};
const handler = createMcpHandler(() => buildServer(deps, async () => principal));
const client = new Client({ name: 'writer', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
await client.connect(
  new StreamableHTTPClientTransport(new URL('http://taskloom.test/mcp'), {
    fetch: (url, init) => handler.fetch(new Request(url, init)),
  }),
);

let tasks = 0;
function call(): [string, Record<string, unknown>] {
  const kind = random();
  if (tasks < 3 || kind < 0.35) {
    const count = upTo(4);
    tasks += count;
    return [
      'add_tasks',
      {
        tasks: Array.from({ length: count }, (_, i) => ({
          title: `Task ${i} ${'word '.repeat(upTo(20))}`.trim(),
          description: 'x'.repeat(upTo(3000)),
          labels: ['a', `b${upTo(5)}`],
          project: `P${upTo(4)}`,
          due: '2026-11-24',
        })),
      },
    ];
  }
  if (kind < 0.6)
    return ['update_task', { id: upTo(tasks), title: `Now ${random()}`, description: 'y'.repeat(upTo(3000)) }];
  if (kind < 0.7) return ['complete_task', { id: upTo(tasks) }];
  if (kind < 0.8) return ['add_comment', { id: upTo(tasks), text: 'z'.repeat(upTo(2000)) }];
  if (kind < 0.9) return ['update_task', { id: upTo(tasks), add_blocked_by: [upTo(tasks)] }];
  if (kind < 0.95) return ['delete_task', { id: upTo(tasks) }];
  return ['undo', { last: 1 }];
}

async function write(): Promise<void> {
  const [name, args] = call();
  const request = `r-${order.seed}-${random()}`;
  const { structuredContent } = await client.callTool({ name, arguments: { ...args, request_id: request } });
  const answer = structuredContent as { undo?: string; error?: { code: string } };
  if (answer.undo) say({ undo: answer.undo, request, syncs: counts.syncs });
  else if (answer.error) say({ refused: answer.error.code });
}

say({ ready: true, syncs: counts.syncs });
const lanes = order.disk ? 1 : 3;
const each = Math.ceil((order.calls ?? Number.POSITIVE_INFINITY) / lanes);
await Promise.all(
  Array.from({ length: lanes }, async () => {
    for (let i = 0; i < each; i++) await write();
  }),
);
await store.close();
