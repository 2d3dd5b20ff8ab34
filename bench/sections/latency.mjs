import { setTimeout as pause } from 'node:timers/promises';
import { httpClient2, stdioClient1 } from '../lib/clients.mjs';
import { interleave, median, ms, onCleanup, SUMMARY_COLUMNS, summaryCells } from '../lib/harness.mjs';
import { MAIN, postgres, seed, serve } from '../lib/taskloom.mjs';
import { startDelayProxy } from '../lib/wire.mjs';

export const title = 'A remote database';
const EACH_WAY = 20;
/** Time after an answer in which everything that follows it has been sent, in milliseconds. */
const SETTLE_TIME = 300;
export const about = `A proxy between the server and PostgreSQL delays every byte by ${EACH_WAY} ms each way; for Neon’s driver, the delay is behind the WebSocket proxy. The same server without the delay is measured in the same rounds: the difference, divided by ${2 * EACH_WAY} ms, is how many times a call waits for the database. The proxy counts statements in the messages that the server sends; BEGIN, settings and COMMIT are statements too.`;

export async function run({ quick, log }) {
  const rounds = quick ? 8 : 60;
  const warmup = 3;
  const database = await postgres();
  const users = ['pg', 'neon', 'http', 'neonhttp'];
  const tokens = Object.fromEntries(await Promise.all(users.map(async (user) => [user, await database.token(user)])));
  const setups = {};
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
    const proxy = await startDelayProxy(database.address, EACH_WAY);
    const [direct, delayed] = [await make(), await make(proxy.address)];
    onCleanup(direct.close);
    onCleanup(delayed.close);
    await seed(direct, 100);
    setups[name] = { direct, delayed, counts: proxy.counts };
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
    for (const [name, { direct, delayed }] of Object.entries(setups)) {
      runs[`${call}|${name}`] = (round) => work(delayed, round);
      runs[`${call}|${name}|direct`] = (round) => work(direct, all + round);
    }
    Object.assign(times, await interleave(runs, { rounds: some, warmup }));
    const counted = [];
    for (const { delayed, counts } of Object.values(setups)) {
      const each = [];
      await pause(SETTLE_TIME);
      for (let round = 2 * all; each.length < 3; round++) {
        const before = { ...counts };
        await work(delayed, round);
        await pause(SETTLE_TIME);
        each.push([counts.statements - before.statements, counts.roundTrips - before.roundTrips]);
      }
      counted.push([0, 1].map((which) => median(each.map((both) => both[which])))); // some calls also record a token's use
    }
    statements.push([call, ...counted.map(([each]) => each)]);
    roundTrips.push([call, ...counted.map(([, each]) => each)]);
  }
  const trips = (call, name) =>
    (median(times[`${call}|${name}`]) - median(times[`${call}|${name}|direct`])) / (2 * EACH_WAY);
  const names = Object.keys(setups);
  const roundTripsOf = (call, setup) => roundTrips.find(([name]) => name === call)[1 + names.indexOf(setup)];
  const p50 = (call, name) => median(times[`${call}|${name}`]);
  return {
    tables: [
      {
        title: 'Typical times with the delay (p50, ms)',
        columns: ['call', ...names],
        rows: Object.keys(CALLS).map((call) => [call, ...names.map((name) => ms(p50(call, name)))]),
      },
      {
        title: 'Waits for the database per call',
        columns: ['call', ...names],
        rows: Object.keys(CALLS).map((call) => [call, ...names.map((name) => trips(call, name).toFixed(1))]),
        note: 'Derived from the times. Over HTTP, the same round trip also checks the token.',
      },
      {
        title: 'Round trips per call',
        columns: ['call', ...names],
        rows: roundTrips,
        note: 'Counted by the proxy: sends that follow an answer. A call does not wait for all of them: 75 ms after a write, a NOTIFY is sent to other processes.',
      },
      {
        title: 'Statements per call',
        columns: ['call', ...names],
        rows: statements,
        note: 'Including the NOTIFY to other processes, a transaction of its own.',
      },
      {
        title: 'Details',
        columns: ['call', 'where', ...SUMMARY_COLUMNS],
        rows: ['get_task', 'update_task'].flatMap((call) =>
          names.map((name) => [call, name, ...summaryCells(times[`${call}|${name}`])]),
        ),
      },
    ],
    charts: [
      {
        name: 'trips',
        title: 'Waits for a remote database per call',
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
      ].map(([call, name, limit]) => ({
        what: `${call} with ${EACH_WAY} ms each way to the database, ${name}, ms`,
        value: p50(call, name),
        limit,
      })),
      {
        what: 'extra round trips of get_task over HTTP, compared with stdio, PostgreSQL',
        value: roundTripsOf('get_task', 'HTTP, PostgreSQL') - roundTripsOf('get_task', 'stdio, PostgreSQL'),
        limit: 1,
      },
    ],
  };
}
