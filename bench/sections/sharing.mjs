import { rawHttp, rawStdio } from '../lib/clients.mjs';
import { median, ms, onCleanup, quantile, runLoad } from '../lib/harness.mjs';
import { embedded, MAIN, memory, postgres, seed, serve } from '../lib/taskloom.mjs';

export const title = 'Several processes on one database';
export const about =
  'Each host starts a Taskloom of its own: 1 to 8 of them share one data directory, each with one call at a time. And 1 to 3 HTTP servers share one PostgreSQL, with a total of 48 calls in flight, one for each of 48 users. Everything, including the database and the clients, shares the cores of one machine, so more servers than cores cannot be faster.';

export async function run({ quick, log }) {
  const [turns, seconds] = quick ? [1, 1] : [4, 3];
  const total = quick ? 200 : 1000;
  const id = () => String(1 + Math.floor(Math.random() * total));
  const CALLS = {
    get_task: (client) => client.call('get_task', { ids: [id()] }),
    add_task: (client) => client.call('add_task', { title: 'Another' }),
  };

  const home = embedded();
  const processes = [];
  for (let i = 0; i < 8; i++) {
    const client = rawStdio([MAIN], home.env);
    onCleanup(client.close);
    await client.initialize();
    processes.push(client);
    if (i === 0) await seed(client, total);
    else await CALLS.get_task(client);
  }

  const database = await postgres();
  const servers = [];
  const urls = [];
  for (let i = 0; i < 3; i++) {
    const server = await serve(database.env());
    servers.push(server);
    urls.push(server.url);
  }
  const users = [];
  log('seeding');
  for (let i = 0; i < 48; i++) {
    const token = await database.token(`user${i}`);
    const clients = urls.map((url) => rawHttp(url, token, { connections: 1 }));
    for (const client of clients) onCleanup(client.close);
    await seed(clients[0], Math.min(total, 100));
    users.push(clients);
  }
  const idOfHundred = () => String(1 + Math.floor(Math.random() * 100));
  const cases = {};
  for (const [call, work] of Object.entries(CALLS))
    for (const n of [1, 2, 4, 8]) cases[`${call}|${n} on one directory`] = { n, work: (i) => work(processes[i]) };
  for (const call of Object.keys(CALLS))
    for (const n of [1, 2, 3])
      cases[`${call}|${n} on one PostgreSQL`] = {
        n: 48,
        work: (i) => users[i][i % n].call(call, call === 'get_task' ? { ids: [idOfHundred()] } : { title: 'Another' }),
      };

  const taken = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  for (let turn = -1; turn < turns; turn++)
    for (const [name, { n, work }] of Object.entries(cases)) {
      log(`turn ${turn + 1} of ${turns}: ${name}`); // the first warms up
      const each = await Promise.all(
        Array.from({ length: n }, (_, i) => runLoad(() => work(i), { inFlight: 1, seconds })),
      );
      if (turn < 0) continue;
      taken[name].push({
        perSecond: each.reduce((sum, { perSecond }) => sum + perSecond, 0),
        times: each.flatMap(({ times }) => times),
      });
    }
  const perSecond = (name) => median(taken[name].map((each) => each.perSecond));
  const rows = Object.keys(cases).map((name) => {
    const times = taken[name].flatMap((each) => each.times);
    return [...name.split('|'), perSecond(name).toFixed(0), ms(median(times)), ms(quantile(times, 0.99))];
  });
  const values = (call, where, counts) => counts.map((n) => perSecond(`${call}|${n} on one ${where}`));
  return {
    tables: [
      { title: 'Throughput', columns: ['call', 'servers', 'calls/s', 'p50 ms', 'p99 ms'], rows },
      {
        title: 'Resident memory at the end, MiB',
        columns: ['process', 'MiB'],
        rows: [
          [
            'stdio server that shares a directory (p50 of 8)',
            median(processes.map(({ pid }) => memory(pid))).toFixed(0),
          ],
          ['owner of the directory', memory(home.ownerPid()).toFixed(0)],
          ['HTTP server on PostgreSQL (p50 of 3)', median(servers.map(({ pid }) => memory(pid))).toFixed(0)],
        ],
      },
    ],
    charts: [
      {
        name: 'directory',
        title: 'Processes that share one data directory',
        unit: 'calls/s in total',
        kind: 'bars',
        x: [1, 2, 4, 8],
        series: Object.keys(CALLS).map((call) => ({ name: call, values: values(call, 'directory', [1, 2, 4, 8]) })),
      },
      {
        name: 'replicas',
        title: 'HTTP servers that share one PostgreSQL',
        unit: 'calls/s in total',
        kind: 'bars',
        x: [1, 2, 3],
        series: Object.keys(CALLS).map((call) => ({ name: call, values: values(call, 'PostgreSQL', [1, 2, 3]) })),
      },
    ],
    checks: [],
  };
}
