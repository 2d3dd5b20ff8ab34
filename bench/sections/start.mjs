import { rawStdio } from '../lib/clients.mjs';
import { median, ms, SUMMARY_COLUMNS, summaryCells } from '../lib/harness.mjs';
import { embedded, environment, IDLE, MAIN, memory } from '../lib/taskloom.mjs';

export const title = 'Startup time and memory';
export const about =
  'Hosts start a server for each window, often just to list its tools. Times are from spawn to the answer, in interleaved rounds, with a client that speaks raw JSON-RPC. The floor is a server on SDK 2 with one tool that does nothing, from spawn to the answer of that tool. In the last row, the embedded database’s process is already running, as it is for a second host, and the new process only forwards requests.';

export async function run({ quick, log }) {
  const rounds = quick ? 3 : 21;
  const times = { floor: [], list: [], new: [], existing: [], shared: [] };
  const used = { floor: [], relay: [], owner: [] };
  const idle = environment();

  /** Times a server from spawn to its first answer, and returns it running. */
  async function timeFirst(name, script, env, work) {
    const from = performance.now();
    const server = rawStdio([script], env);
    await server.initialize();
    await work(server);
    times[name].push(performance.now() - from);
    return server;
  }
  const add = (server) => server.call('add_task', { title: 'A task' });
  for (let round = 0; round < rounds; round++) {
    log(`round ${round + 1} of ${rounds}`);
    const home = embedded();
    const floor = await timeFirst('floor', IDLE, idle, (server) => server.call('nothing'));
    used.floor.push(memory(floor.pid));
    await floor.close();
    await (await timeFirst('list', MAIN, home.env, (server) => server.ask('tools/list'))).close();
    await (await timeFirst('new', MAIN, home.env, add)).close();
    home.stopOwner();
    const opener = await timeFirst('existing', MAIN, home.env, add);
    const second = await timeFirst('shared', MAIN, home.env, add);
    used.relay.push(memory(second.pid));
    used.owner.push(memory(home.ownerPid()));
    await Promise.all([opener.close(), second.close()]);
    home.stopOwner();
  }

  const NAMES = {
    floor: 'do-nothing server, to its first answer',
    list: 'to tools/list',
    new: 'to the first add_task, new directory',
    existing: 'to the first add_task, existing directory',
    shared: 'to the first add_task, the database’s process already running',
  };
  const ratio = (name) => median(times[name]) / median(times.floor);
  const mib = (name) => `${median(used[name]).toFixed(0)} MiB`;
  return {
    tables: [
      {
        title: 'Time from spawn',
        columns: ['what', ...SUMMARY_COLUMNS, '× floor'],
        rows: Object.entries(NAMES).map(([name, what]) => [what, ...summaryCells(times[name]), ratio(name).toFixed(2)]),
      },
      {
        title: 'Resident memory after the first answer',
        columns: ['process', 'p50'],
        rows: [
          ['do-nothing server', mib('floor')],
          ['Taskloom process that only forwards', mib('relay')],
          ['owner of the embedded database', mib('owner')],
        ],
      },
    ],
    charts: [
      {
        name: 'spawn',
        title: 'Time from spawn to the first answer, p50',
        unit: 'ms',
        kind: 'bars',
        x: Object.values(NAMES),
        series: [{ name: 'p50', values: Object.keys(NAMES).map((name) => Number(ms(median(times[name])))) }],
      },
    ],
    checks: [
      { what: 'spawn to tools/list ÷ floor', value: ratio('list'), limit: 1.5 },
      { what: 'spawn to first add_task, new directory ÷ floor', value: ratio('new'), limit: 7.5 },
      { what: 'spawn to first add_task, existing directory ÷ floor', value: ratio('existing'), limit: 6 },
      {
        what: 'memory of a process that only forwards ÷ floor',
        value: median(used.relay) / median(used.floor),
        limit: 1.3,
      },
    ],
  };
}
