import { test } from 'vitest';
import { connect as openDatabase } from '../../src/db/connect.js';
import type { Database } from '../../src/db/database.js';
import { AGENTS, drainPlan, PLAN } from '../support/draining.js';
import { connect, seeded, succeed } from '../support/process.js';

/** Processes that share the directory; each has as many agents as the others. */
const PROCESSES = 4;

test('agents of several processes on one data directory share a plan', { timeout: 300_000 }, async () => {
  const env = seeded();
  const peers = await Promise.all(Array.from({ length: PROCESSES }, () => connect(env)));
  const calls = Array.from({ length: AGENTS }, (_, i) => {
    const peer = peers[i % PROCESSES] as (typeof peers)[0];
    return (tool: string, args: object) => peer.call(tool, args);
  });
  let database: Database | undefined;
  await drainPlan(PLAN, calls, {
    handle: 'local',
    async database() {
      await Promise.all(peers.map((peer) => peer.close()));
      await succeed(['owner', '--stop'], env);
      database = await openDatabase({ kind: 'directory', path: String(env.TASKLOOM_HOME) });
      return database;
    },
  }).finally(() => database?.close());
});
