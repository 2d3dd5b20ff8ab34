import { setTimeout as pause } from 'node:timers/promises';
import { httpClient2, stdioClient1 } from '../lib/clients.mjs';
import { afterwards, interleave, median, ms, SUMMARY_COLUMNS, summaryCells } from '../lib/harness.mjs';
import { MAIN, postgres, seed, serve } from '../lib/taskloom.mjs';
import { longLine } from '../lib/wire.mjs';

export const title = 'A database far away';
const EACH_WAY = 20;
/** Until what follows an answer has been sent too, in milliseconds. */
const SETTLED = 300;
export const about = `Between server and PostgreSQL lies a line that holds back every byte by ${EACH_WAY} ms each way; for Neon’s driver the same line lies behind the WebSocket proxy. The same server without the line is measured beside it: what the line adds, divided by ${2 * EACH_WAY} ms, is how many times a call waits for the database. Statements are counted on the line, in the messages that the server sends: BEGIN, settings and COMMIT are statements too.`;

export async function run({ quick, log }) {
  const rounds = quick ? 8 : 60;
  const warmup = 3;
  const database = await postgres();
  const users = ['pg', 'neon', 'http', 'neonhttp'];
  const tokens = Object.fromEntries(await Promise.all(users.map(async (user) => [user, await database.token(user)])));
  const ways = {};
  for (const [name, user, make] of [
    ['stdio, PostgreSQL', 'pg', async (to) => stdioClient1([MAIN], database.env('pg', to))],
    ['stdio, Neon’s driver', 'neon', async (to) => stdioClient1([MAIN], await database.neonEnv('neon', to))],
    [
      'HTTP, PostgreSQL',
      'http',
      async (to) => httpClient2((await serve(database.env(undefined, to))).url, tokens.http),
    ],
    [
      'HTTP, Neon’s driver',
      'neonhttp',
      async (to) => httpClient2((await serve(await database.neonEnv(undefined, to))).url, tokens.neonhttp),
    ],
  ]) {
    log(`seeding ${user}`);
    const line = await longLine(database.address, EACH_WAY);
    const [near, far] = [await make(), await make(line.address)];
    afterwards(near.close);
    afterwards(far.close);
    await seed(near, 100);
    ways[name] = { near, far, seen: line.seen };
  }

  const id = (round) => String(1 + (round % 90));
  const [claims, handles] = [new Map(), new Map()];
  const CALLS = {
    get_task: (client, round) => client.call('get_task', { ids: [id(round)] }),
    list_tasks: (client) => client.call('list_tasks'),
    'list_tasks with text': (client) => client.call('list_tasks', { text: 'passport' }),
    get_overview: (client) => client.call('get_overview'),
    what_changed: (client) => client.call('what_changed'),
    list_projects: (client) => client.call('list_projects'),
    add_task: (client, round) => client.call('add_task', { title: `Another ${round}` }),
    add_tasks: (client) =>
      client.call('add_tasks', { tasks: [{ title: 'One' }, { title: 'Two', project: 'Project 1' }] }),
    update_task: (client, round) =>
      client.call('update_task', { ids: [id(round)], title: `Changed ${round} ${Math.random()}` }),
    complete_task: (client, round) => client.call('complete_task', { ids: [String(101 + round)] }), // of those just added
    add_comment: (client, round) => client.call('add_comment', { id: Number(id(round)), text: 'Done so far.' }),
    claim_task: async (client, round) => {
      const { structuredContent } = await client.call('claim_task', { id: Number(id(round)) });
      claims.set(client, { ...claims.get(client), [id(round)]: structuredContent.claim });
    },
    release_task: (client, round) =>
      client.call('release_task', { id: Number(id(round)), claim: claims.get(client)[id(round)] }),
    delete_task: async (client, round) => {
      const { structuredContent } = await client.call('delete_task', { ids: [String(101 + round)] });
      handles.set(client, { ...handles.get(client), [round]: structuredContent.undo });
    },
    'undo of a handle': (client, round) => client.call('undo', { undo: handles.get(client)[round] }),
    'undo of the last': (client) => client.call('undo', { last: 1 }),
  };
  const [statements, roundTrips] = [[], []];
  const times = {};
  for (const [call, work] of Object.entries(CALLS)) {
    log(call);
    const some = ['get_task', 'update_task'].includes(call) ? rounds : Math.ceil(rounds / 4);
    const all = some + warmup;
    const runs = {};
    for (const [way, { near, far }] of Object.entries(ways)) {
      runs[`${call}|${way}`] = (round) => work(far, round);
      runs[`${call}|${way}|near`] = (round) => work(near, all + round);
    }
    Object.assign(times, await interleave(runs, { rounds: some, warmup }));
    const counted = [];
    for (const { far, seen } of Object.values(ways)) {
      const each = [];
      await pause(SETTLED);
      for (let round = 2 * all; each.length < 3; round++) {
        const before = { ...seen };
        await work(far, round);
        await pause(SETTLED);
        each.push([seen.statements - before.statements, seen.roundTrips - before.roundTrips]);
      }
      counted.push([0, 1].map((which) => median(each.map((both) => both[which])))); // now and then a token's use is noted
    }
    statements.push([call, ...counted.map(([each]) => each)]);
    roundTrips.push([call, ...counted.map(([, each]) => each)]);
  }
  const trips = (call, way) =>
    (median(times[`${call}|${way}`]) - median(times[`${call}|${way}|near`])) / (2 * EACH_WAY);
  const names = Object.keys(ways);
  const roundTripsOf = (call, way) => roundTrips.find(([name]) => name === call)[1 + names.indexOf(way)];
  const p50 = (call, way) => median(times[`${call}|${way}`]);
  return {
    tables: [
      {
        title: 'Typical times over the long line (p50, ms)',
        columns: ['call', ...names],
        rows: Object.keys(CALLS).map((call) => [call, ...names.map((way) => ms(p50(call, way)))]),
      },
      {
        title: 'How many times a call waits for the database',
        columns: ['call', ...names],
        rows: Object.keys(CALLS).map((call) => [call, ...names.map((way) => trips(call, way).toFixed(1))]),
        note: 'By the clock. Over HTTP the same round trip checks whether the token is good still.',
      },
      {
        title: 'Round trips that a call sends',
        columns: ['call', ...names],
        rows: roundTrips,
        note: 'Counted on the line: what is sent after an answer came. Not every one is waited for: 75 ms after a write follows the NOTIFY to other processes.',
      },
      {
        title: 'Statements a call sends',
        columns: ['call', ...names],
        rows: statements,
        note: 'With the NOTIFY to other processes, which is a transaction of its own.',
      },
      {
        title: 'In detail',
        columns: ['call', 'where', ...SUMMARY_COLUMNS],
        rows: ['get_task', 'update_task'].flatMap((call) =>
          names.map((way) => [call, way, ...summaryCells(times[`${call}|${way}`])]),
        ),
      },
    ],
    charts: [
      {
        name: 'trips',
        title: 'How many times a call waits for a database far away',
        unit: 'round trips',
        kind: 'bars',
        x: Object.keys(CALLS),
        series: names.map((name) => ({ name, values: Object.keys(CALLS).map((call) => trips(call, name)) })),
      },
    ],
    checks: [
      ...[
        ['get_task', 'stdio, PostgreSQL', 55],
        ['get_task', 'stdio, Neon’s driver', 95],
        ['update_task', 'stdio, PostgreSQL', 100],
        ['update_task', 'stdio, Neon’s driver', 180],
      ].map(([call, way, limit]) => ({
        what: `${call} with ${EACH_WAY} ms each way to the database, ${way}, ms`,
        value: p50(call, way),
        limit,
      })),
      {
        what: 'round trips that get_task over HTTP sends beyond those over stdio, PostgreSQL',
        value: roundTripsOf('get_task', 'HTTP, PostgreSQL') - roundTripsOf('get_task', 'stdio, PostgreSQL'),
        limit: 1,
      },
    ],
  };
}
