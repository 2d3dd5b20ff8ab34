import { rawHttp } from '../lib/clients.mjs';
import { onCleanup, slope } from '../lib/harness.mjs';
import { memory, postgres, seed, serve } from '../lib/taskloom.mjs';

export const title = 'Memory of a server';
export const about =
  'Resident memory of an HTTP server on PostgreSQL over many calls by eight users, 16 in flight. Of ten calls, five get a task, two list, one updates, one completes and reopens, and one adds. Garbage collection is not forced. Growth is the slope of a straight line fitted to the second half, so that warm-up does not count.';

/** Maximum growth in MiB per 100,000 calls: about a hundred bytes kept per call. */
const MAX_GROWTH = 10;

export async function run({ quick, log, options }) {
  const calls = Number(options.calls ?? (quick ? 3000 : 200_000));
  const database = await postgres();
  const served = await serve(database.env());
  const users = [];
  for (let i = 0; i < 8; i++) {
    const client = rawHttp(served.url, await database.token(`user${i}`), { connections: 2 });
    onCleanup(client.close);
    await seed(client, 100);
    users.push(client);
  }
  const idle = memory(served.pid);

  const id = () => String(1 + Math.floor(Math.random() * 100));
  const kinds = [
    ...Array(5).fill((client) => client.call('get_task', { ids: [id()] })),
    ...Array(2).fill((client) => client.call('list_tasks')),
    (client, n) => client.call('update_task', { ids: [id()], title: `Changed ${n}` }),
    (client) => {
      const ids = [id()];
      return client.call('complete_task', { ids }).then(() => client.call('update_task', { ids, status: 'pending' }));
    },
    (client, n) => client.call('add_task', { title: `Another ${n}` }),
  ];
  const samples = [[0, idle]];
  const every = Math.ceil(calls / 100);
  let done = 0;
  let started = 0;
  const from = performance.now();
  await Promise.all(
    Array.from({ length: 16 }, async (_, worker) => {
      while (started < calls) {
        const n = started++;
        await kinds[n % kinds.length](users[worker % users.length], n);
        if (++done % every === 0) samples.push([done, memory(served.pid)]);
        if (done % (every * 10) === 0) log(`${done} calls, ${samples.at(-1)[1].toFixed(0)} MiB`);
      }
    }),
  );
  const perSecond = (calls * 1000) / (performance.now() - from);
  const half = samples.filter(([n]) => n >= calls / 2);
  const growth = slope(half) * 100_000;

  return {
    tables: [
      {
        title: 'Resident memory',
        columns: ['what', 'MiB'],
        rows: [
          ['before the first call', idle.toFixed(0)],
          [`after half of ${calls.toLocaleString('en')} calls`, half[0][1].toFixed(0)],
          ['after all calls', samples.at(-1)[1].toFixed(0)],
          ['maximum of all samples', Math.max(...samples.map(([, each]) => each)).toFixed(0)],
          ['growth per 100,000 calls, second half', growth.toFixed(1)],
        ],
        note: `${perSecond.toFixed(0)} calls per second.`,
      },
    ],
    charts: [
      {
        name: 'calls',
        title: 'Resident memory over many calls',
        unit: 'MiB',
        kind: 'lines',
        x: samples.map(([n]) => (n >= 10_000 ? `${Math.round(n / 1000)}k` : n)),
        series: [{ name: 'MiB', values: samples.map(([, each]) => each) }],
      },
    ],
    checks: [
      {
        what: `memory growth per 100,000 calls, over ${calls.toLocaleString('en')} calls, MiB`,
        value: growth,
        limit: MAX_GROWTH,
      },
    ],
  };
}
