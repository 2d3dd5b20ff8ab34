import { setTimeout as pause } from 'node:timers/promises';
import { rawHttp, rawStdio } from '../lib/clients.mjs';
import { median, ms, onCleanup, quantile, slope } from '../lib/harness.mjs';
import { embedded, MAIN, memory, postgres, seed, serve } from '../lib/taskloom.mjs';

export const title = 'Sustained mixed traffic';
const PAUSE = 100;
export const about = `All tools, called first by 8 users with one token and two clients each, over HTTP on PostgreSQL, then by 3 stdio clients that share an embedded database. Each client makes one call at a time and pauses between calls, for ${PAUSE} ms on average, so that the machine (which also runs the clients and the database) is busy but not saturated. Refusals as \`conflict\` or \`not_found\` are expected when clients of one user use the same task, and are counted separately; any other failure is an error. For each kind of call, p99 ÷ p50 covers all calls after the first minute; kinds with fewer than 200 calls are shown but not checked. Memory at half time and at the end is the median of the first and last tenth of the second half’s samples.`;

const DEPLOYMENTS = {
  async 'HTTP, PostgreSQL'() {
    const database = await postgres();
    const served = await serve(database.env());
    const clients = [];
    for (let i = 0; i < 8; i++) {
      const token = await database.token(`user${i}`);
      for (let n = 0; n < 2; n++) clients.push(rawHttp(served.url, token, { connections: 1 }));
      await seed(clients.at(-1), 100);
    }
    return { clients, pids: { 'HTTP server': served.pid } };
  },
  async 'stdio, PGlite'() {
    const home = embedded();
    const clients = [];
    for (let i = 0; i < 3; i++) {
      clients.push(rawStdio([MAIN], home.env));
      await clients[i].initialize();
    }
    await seed(clients[0], 100);
    return { clients, pids: { 'owner of the directory': home.ownerPid(), 'stdio server': clients[0].pid } };
  },
};

export async function run({ quick, log, options }) {
  const minutes = Number(options.minutes ?? (quick ? 0.5 : 10));
  const warm = quick ? 5_000 : 60_000;
  const calls = []; // [where, kind, started, took]
  const errors = [];
  const samples = {};
  let refused = 0;

  async function soak(where) {
    const { clients, pids } = await DEPLOYMENTS[where]();
    for (const { close } of clients) onCleanup(close);
    for (const name in pids) samples[name] = [];
    const from = performance.now();
    const until = from + minutes * 60_000;
    const work = async (client) => {
      const state = { known: 100, claim: undefined, cursor: undefined };
      while (performance.now() < until) {
        const [kind, args, label = kind] = pick(state);
        const started = performance.now();
        try {
          const { structuredContent } = await client.call(kind, args);
          calls.push([where, label, started - from, performance.now() - started]);
          learn(state, kind, structuredContent);
        } catch (error) {
          if (error.code === 'conflict' || error.code === 'not_found') refused++;
          else errors.push(`${where}, ${label}, at ${((started - from) / 1000).toFixed(1)} s: ${error.message}`);
          if (kind === 'release_task') state.claim = undefined;
        }
        await pause(Math.random() * 2 * PAUSE);
      }
    };
    const sampling = setInterval(() => {
      for (const name in pids) samples[name].push([performance.now() - from, memory(pids[name])]);
    }, 2000);
    const reporting = setInterval(() => log(`${where}: ${calls.length} calls, ${errors.length} errors`), 60_000);
    await Promise.all(clients.map(work));
    clearInterval(sampling);
    clearInterval(reporting);
  }
  const deployments = Object.keys(DEPLOYMENTS);
  for (const where of deployments) await soak(where);
  for (const each of errors.slice(0, 5)) log(each);

  const perMinute = deployments.flatMap((where) =>
    Array.from({ length: Math.ceil(minutes) }, (_, minute) => {
      const times = calls
        .filter((each) => each[0] === where && Math.floor(each[2] / 60_000) === minute)
        .map((each) => each[3]);
      return { where, minute: minute + 1, count: times.length, p50: median(times), p99: quantile(times, 0.99) };
    }),
  );
  const kinds = new Map();
  for (const [where, kind, started, took] of calls) {
    if (started < warm) continue;
    const key = `${where}|${kind}`;
    if (!kinds.has(key)) kinds.set(key, []);
    kinds.get(key).push(took);
  }
  const spread = [...kinds]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, times]) => {
      const [p50, p99] = [median(times), quantile(times, 0.99)];
      return { key, count: times.length, p50, p99, max: quantile(times, 1), ratio: p99 / p50 };
    });
  const checked = spread.filter(({ count }) => count >= (quick ? 50 : 200));
  const worst = checked.reduce((most, each) => (each.ratio > most.ratio ? each : most), { ratio: 0, key: 'none|none' });
  const grown = Object.entries(samples).map(([name, all]) => {
    const half = all.filter(([at]) => at > (minutes * 60_000) / 2);
    const end = Math.ceil(half.length / 10);
    const [first, last] = [half.slice(0, end), half.slice(-end)].map((part) => median(part.map(([, each]) => each)));
    return { name, first, last, ratio: last / first, perMinute: slope(half) * 60_000 };
  });
  const most = grown.reduce((a, b) => (a.ratio > b.ratio ? a : b));
  const lines = (key) =>
    deployments.map((where) => ({
      name: `${where}, ${key}`,
      values: perMinute.filter((each) => each.where === where).map((each) => each[key]),
    }));
  return {
    tables: [
      {
        title: 'All calls, by minute',
        columns: ['where', 'minute', 'calls', 'p50 ms', 'p99 ms'],
        rows: perMinute.map(({ where, minute, count, p50, p99 }) => [where, minute, count, ms(p50), ms(p99)]),
        note: `${calls.length.toLocaleString('en')} calls in 2 × ${minutes} minutes, ${refused} expected refusals, ${errors.length} errors${errors.length ? `, such as: ${errors[0]}` : ''}.`,
      },
      {
        title: 'By kind of call',
        columns: ['where', 'call', 'calls', 'p50 ms', 'p99 ms', 'max ms', 'p99 ÷ p50'],
        rows: spread.map(({ key, count, p50, p99, max, ratio }) => [
          ...key.split('|'),
          count,
          ms(p50),
          ms(p99),
          ms(max),
          ratio.toFixed(1),
        ]),
      },
      {
        title: 'Memory, second half',
        columns: ['process', 'MiB at half time', 'MiB at the end', 'MiB per minute'],
        rows: grown.map(({ name, first, last, perMinute }) => [
          name,
          first.toFixed(0),
          last.toFixed(0),
          perMinute.toFixed(2),
        ]),
      },
    ],
    charts: [
      {
        name: 'minutes',
        title: 'Times by minute',
        unit: 'ms',
        kind: 'lines',
        log: true,
        series: [...lines('p50'), ...lines('p99')],
      },
      {
        name: 'memory',
        title: 'Resident memory',
        unit: 'MiB, by second',
        kind: 'lines',
        x: samples['HTTP server'].map(([at]) => Math.round(at / 1000)),
        series: Object.entries(samples).map(([name, all]) => ({ name, values: all.map(([, each]) => each) })),
      },
    ],
    checks: [
      { what: 'errors in mixed traffic', value: errors.length, limit: 0 },
      { what: `p99 ÷ p50 of the worst kind of call (${worst.key.replace('|', ', ')})`, value: worst.ratio, limit: 5 },
      {
        what: `memory at the end ÷ at half time, of the process that grew most (${most.name})`,
        value: most.ratio,
        limit: 1.1,
      },
    ],
  };
}

const any = (state) => 1 + Math.floor(Math.random() * state.known);

/** Picks a random call, as agents make them: reads more often than writes. */
function pick(state) {
  const n = Math.random() * 100;
  if (n < 25) return ['get_task', { ids: [String(any(state))] }];
  if (n < 40) return ['list_tasks', {}];
  if (n < 45) return ['list_tasks', { ready: true, sort: 'priority' }, 'list_tasks, ready'];
  if (n < 50) return ['list_tasks', { text: 'passport', status: 'all' }, 'list_tasks, text'];
  if (n < 55) return ['get_overview', {}];
  if (n < 60) return ['what_changed', state.cursor ? { cursor: state.cursor } : {}];
  if (n < 62) return ['list_projects', {}];
  if (n < 70) return ['add_task', { title: `Another ${n}`, due: 'tomorrow', labels: ['soak'] }];
  if (n < 72)
    return [
      'add_tasks',
      {
        tasks: [
          { ref: 'a', title: 'First' },
          { title: 'Second', blocked_by: ['a'] },
        ],
      },
    ];
  if (n < 80) return ['update_task', { ids: [String(any(state))], title: `Changed ${n}`, priority: 'high' }];
  if (n < 85) return ['complete_task', { ids: [String(any(state))] }];
  if (n < 88) return ['update_task', { ids: [String(any(state))], status: 'pending' }];
  if (n < 91) return ['add_comment', { id: any(state), text: 'As far as it goes.' }];
  if (n < 93) return ['delete_task', { ids: [String(any(state))] }];
  if (n < 95) return ['undo', { last: 1 }];
  if (n < 96) return ['update_project', { project: 'Project 1', archived: false }];
  if (state.claim) return ['release_task', { ...state.claim, note: 'For whoever is next.' }];
  return ['claim_task', { minutes: 5 }];
}

function learn(state, kind, json) {
  if (kind === 'add_task') state.known = Math.max(state.known, json.task.id);
  if (kind === 'what_changed') state.cursor = json.cursor;
  if (kind === 'claim_task' && json.task) state.claim = { id: json.task.id, claim: json.claim };
  if (kind === 'release_task') state.claim = undefined;
}
