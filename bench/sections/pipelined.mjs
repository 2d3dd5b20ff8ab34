import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rawHttp, rawStdio } from '../lib/clients.mjs';
import { median, ms, onCleanup, quantile, runLoad } from '../lib/harness.mjs';
import {
  cpu,
  embedded,
  environment,
  floorArgs,
  floorHttp,
  MAIN,
  newFolder,
  postgres,
  seed,
  serve,
} from '../lib/taskloom.mjs';

export const title = 'Concurrent calls';
export const about =
  'One client process that speaks raw JSON-RPC keeps 1, 16 or 64 calls in flight, on each server in turn. Calls per second and CPU are medians over the turns. The do-nothing servers run on SDK 2, publish the same tools, and answer every call with one of Taskloom’s get_task answers. Client, server and database share the cores of one machine. The writes of one user run one after another, so adding is also measured with as many users as calls in flight. “CPU” is the processor time per call of the server’s process, without the database’s processes; for the embedded database over stdio it is that of the owner, which includes the database.';

const IN_FLIGHT = [1, 16, 64];

export async function run({ quick, log }) {
  const [turns, seconds] = quick ? [2, 1] : [5, 3];
  const total = quick ? 300 : 1000;
  const database = await postgres();
  await database.user('stdio');
  const home = embedded();
  const overStdio = async (args, env) => {
    const client = rawStdio(args, env);
    onCleanup(client.close);
    await client.initialize();
    return client;
  };
  const overHttp = (url, token) => {
    const client = rawHttp(url, token);
    onCleanup(client.close);
    return client;
  };

  const served = await serve(database.env());
  const tokens = [];
  for (let i = 0; i < 64; i++) tokens.push(await database.token(`user${i}`));
  const users = tokens.map((token) => overHttp(served.url, token));
  const onDirectory = await overStdio([MAIN], home.env);
  const onPostgres = await overStdio([MAIN], database.env('stdio'));
  for (const client of [onDirectory, onPostgres, users[0]]) await seed(client, total);

  const answer = join(newFolder(), 'answer.json');
  writeFileSync(answer, JSON.stringify(await onPostgres.call('get_task', { ids: ['50'] })));
  const idle = await overStdio(floorArgs('2', 'stdio', answer), environment());
  const idleHttp = await floorHttp('2', answer);

  let next = 0;
  const get = (client) => client.call('get_task', { ids: [String(1 + ((next++ * 37) % total))] });
  const add = (client) => client.call('add_task', { title: `Another ${next++}` });
  const idleClient = overHttp(idleHttp.url);
  const cases = {
    'get_task|stdio, PGlite': { pid: home.ownerPid(), call: () => get(onDirectory) },
    'get_task|stdio, PostgreSQL': { pid: onPostgres.pid, call: () => get(onPostgres) },
    'get_task|HTTP, PostgreSQL': { pid: served.pid, call: () => get(users[0]) },
    'add_task|stdio, PGlite': { pid: home.ownerPid(), call: () => add(onDirectory) },
    'add_task|stdio, PostgreSQL': { pid: onPostgres.pid, call: () => add(onPostgres) },
    'add_task|HTTP, PostgreSQL': { pid: served.pid, call: () => add(users[0]) },
    'add_task, one user per call|HTTP, PostgreSQL': { pid: served.pid, call: (n) => add(users[next % n]) },
    'do-nothing|stdio, SDK 2': { pid: idle.pid, call: () => get(idle) },
    'do-nothing|HTTP, SDK 2': { pid: idleHttp.pid, call: () => get(idleClient) },
  };

  const taken = {};
  for (let turn = -1; turn < turns; turn++)
    for (const inFlight of IN_FLIGHT) {
      log(`turn ${turn + 1} of ${turns}, ${inFlight} in flight`); // the first warms up
      for (const [name, { pid, call }] of Object.entries(cases)) {
        const before = cpu(pid);
        const result = await runLoad(() => call(inFlight), { inFlight, seconds });
        if (turn < 0) continue;
        taken[`${name}|${inFlight}`] ??= [];
        taken[`${name}|${inFlight}`].push({ ...result, cpu: (cpu(pid) - before) / result.times.length });
      }
    }
  const typical = (name, pick) => median(taken[name].map(pick));
  const perSecond = (name) => typical(name, (each) => each.perSecond);
  const fair = await fairness(overHttp(served.url, tokens[0]), overHttp(served.url, tokens[1]), { quick, log });

  return {
    tables: [
      {
        title: 'Throughput',
        columns: ['call', 'where', 'in flight', 'calls/s', 'p50 ms', 'p99 ms', 'CPU ms/call'],
        rows: Object.keys(cases).flatMap((name) =>
          IN_FLIGHT.map((inFlight) => {
            const key = `${name}|${inFlight}`;
            const times = taken[key].flatMap((each) => each.times);
            return [
              ...key.split('|'),
              perSecond(key).toFixed(0),
              ms(median(times)),
              ms(quantile(times, 0.99)),
              ms(typical(key, (each) => each.cpu)),
            ];
          }),
        ),
      },
      fair.table,
    ],
    charts: [
      {
        name: 'throughput',
        title: 'Calls per second',
        unit: 'calls/s',
        kind: 'bars',
        x: Object.keys(cases).map((name) => name.replace('|', ', ')),
        series: IN_FLIGHT.map((inFlight) => ({
          name: `${inFlight} in flight`,
          values: Object.keys(cases).map((name) => perSecond(`${name}|${inFlight}`)),
        })),
      },
    ],
    checks: [
      {
        what: 'get_task over HTTP on PostgreSQL, 64 in flight, calls/s ÷ do-nothing HTTP server',
        value: perSecond('get_task|HTTP, PostgreSQL|64') / perSecond('do-nothing|HTTP, SDK 2|64'),
        limit: 0.8,
        atLeast: true,
      },
      {
        what: 'add_task of one user while another has 64 in flight ÷ while nobody else writes',
        value: fair.ratio,
        limit: 1.5,
      },
    ],
  };
}

/** Measures how long a write of one user takes, alone and while another user keeps 64 in flight, in turns. */
async function fairness(greedy, modest, { quick, log }) {
  log('fairness');
  const times = { 'nobody else': [], 'another user with 64 in flight': [] };
  const seconds = quick ? 1 : 4;
  const write = () => modest.call('add_task', { title: 'One of few' });
  for (let turn = 0; turn < (quick ? 2 : 5); turn++)
    for (const [who, kept] of Object.entries(times)) {
      const alone = who === 'nobody else';
      const load = alone
        ? undefined
        : runLoad(() => greedy.call('add_task', { title: 'One of many' }), { inFlight: 64, seconds: seconds + 0.5 });
      if (load) await new Promise((resolve) => setTimeout(resolve, 250)); // until the queue is full
      kept.push(...(await runLoad(write, { inFlight: 1, seconds })).times);
      await load;
    }
  const rows = Object.entries(times).map(([who, kept]) => [who, ms(median(kept)), ms(quantile(kept, 0.99))]);
  const [alone, beside] = Object.values(times).map(median);
  return {
    ratio: beside / alone,
    table: {
      title: 'add_task of one user over HTTP on PostgreSQL, while others write',
      columns: ['who else writes', 'p50 ms', 'p99 ms'],
      rows,
    },
  };
}
