import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect } from 'vitest';
import { connect, type Target } from '../../src/db/connect.js';
import type { Database } from '../../src/db/database.js';
import { queryAsTableOwner } from '../../src/db/service.js';
import { checkInvariants } from '../model/replay.js';
import { readTables } from '../model/tables.js';
import type { World } from '../support/harness.js';
import { type Ended, ROOT, scratch, startCommand } from '../support/process.js';
import type { Order, Said } from './writer.js';

/** The bundled `writer.ts`. */
let program = '';

const HANDLE = 'writer';

/** An acknowledged write. */
export type Answered = Extract<Said, { undo: string }>;

/** A process that calls tools on a database until it stops or is killed. */
export interface Writing {
  /** Returns its output so far. */
  said(): Said[];
  answered(): Answered[];
  /** Resolves when it has opened the database, or has exited. */
  ready: Promise<void>;
  /** Kills it with SIGKILL. */
  kill(): Promise<Ended>;
  ended: Promise<Ended>;
}

export async function startWriting(order: Omit<Order, 'handle' | 'migrations'>): Promise<Writing> {
  if (!existsSync(program)) program = await bundle();
  const whole: Order = { ...order, handle: HANDLE, migrations: new URL('../../migrations/', import.meta.url).href };
  const running = startCommand(process.execPath, [program, JSON.stringify(whole)], { PATH: process.env.PATH ?? '' });
  const said = () =>
    running
      .stdout()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Said);
  const ready = new Promise<void>((resolve) => {
    running.child.stdout.on('data', () => said().length > 0 && resolve());
    running.ended.then(() => resolve());
  });
  return {
    said,
    answered: () => said().filter((each) => 'undo' in each),
    ready,
    kill: () => {
      running.child.kill('SIGKILL');
      return running.ended;
    },
    ended: running.ended,
  };
}

/** Bundles `writer.ts`, inside node_modules so that it finds the packages that it imports. */
async function bundle(): Promise<string> {
  const outfile = join(scratch(join(ROOT, 'node_modules')), 'writer.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('writer.ts', import.meta.url))],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    logLevel: 'error',
    external: ['@electric-sql/pglite', 'fs-native-extensions', 'pg', '@neondatabase/serverless', 'ws'],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  return outfile;
}

/** Opens a database, and checks that it is consistent and holds every acknowledged write. */
export async function expectWhole(target: Target, answered: Answered[]): Promise<void> {
  const database = await connect(target);
  try {
    await expectAllThere(database, answered);
  } finally {
    await database.close();
  }
}

export async function expectAllThere(database: Database, answered: Answered[]): Promise<void> {
  const [user] = await queryAsTableOwner(database, 'select id from taskloom.users where handle = $1', [HANDLE]);
  if (!user) {
    expect(answered).toEqual([]);
    return;
  }
  const tables = await readTables({ database } as World, String(user[0]));
  checkInvariants(tables);
  const there = new Set(tables.changes.map(({ batch }) => `u${batch}`));
  expect(
    answered.filter(({ undo }) => !there.has(undo)),
    'acknowledged, but lost',
  ).toEqual([]);
  const kept = await queryAsTableOwner(database, 'select count(*)::int from taskloom.requests', []);
  expect(Number(kept[0]?.[0]), 'stored answers').toBeGreaterThanOrEqual(answered.length);
}
