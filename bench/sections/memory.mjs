import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { modernRequest, rawHttp } from '../lib/clients.mjs';
import { afterwards, slope } from '../lib/harness.mjs';
import { memory, postgres, seed, serve } from '../lib/taskloom.mjs';

export const title = 'Memory of a server';
export const about =
  'Resident memory of an HTTP server on PostgreSQL over many calls, 16 in flight: of ten, five get a task, two list, one updates, one completes and reopens, and one adds, by eight users. No collection of garbage is forced. The slope is of a straight line fitted to the second half, so that warming up does not count. Then what 200 clients cost that listen for changes and hear of none.';

const LISTENERS = 200;

export async function run({ quick, log, options }) {
  const calls = Number(options.calls ?? (quick ? 3000 : 200_000));
  const database = await postgres();
  const served = await serve(database.env());
  const users = [];
  for (let i = 0; i < 8; i++) {
    const client = rawHttp(served.url, await database.token(`user${i}`), { connections: 2 });
    afterwards(client.close);
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

  log(`${LISTENERS} listeners`);
  // On a server of its own: what calls have left behind must not hide what listeners cost.
  const quiet = await serve(database.env());
  const tokens = [];
  for (let i = 0; i < 8; i++) tokens.push(await database.token(`user${i}`));
  const warm = rawHttp(quiet.url, tokens[0]);
  for (let i = 0; i < 200; i++) await warm.call('get_task', { ids: [id()] });
  await warm.close();
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  afterwards(async () => agent.destroy());
  const listen = async (n) => {
    const { headers, body } = modernRequest(tokens[n % tokens.length], 'subscriptions/listen', {
      notifications: { resourceSubscriptions: ['taskloom://overview', `taskloom://task/${1 + (n % 100)}`] },
    });
    const sent = request(quiet.url, { method: 'POST', agent, headers });
    sent.on('error', () => {}); // it is cut in the end
    sent.end(body);
    const [answer] = await once(sent, 'response');
    answer.on('error', () => {});
    const [event] = await once(answer.setEncoding('utf8'), 'data');
    if (!event.includes('acknowledged')) throw new Error(`not listening: ${event}`);
    answer.resume();
  };
  await listen(0); // what the first one loads is no matter of how many there are
  await pause(2000);
  const before = memory(quiet.pid);
  for (let n = 1; n <= LISTENERS; n++) await listen(n);
  await pause(quick ? 2000 : 20_000); // signs of life are sent every 15 seconds
  const listeners = memory(quiet.pid) - before;

  return {
    tables: [
      {
        title: 'Resident memory',
        columns: ['what', 'MiB'],
        rows: [
          ['before the first of many calls', idle.toFixed(0)],
          [`after half of ${calls.toLocaleString('en')} calls`, half[0][1].toFixed(0)],
          ['after all of them', samples.at(-1)[1].toFixed(0)],
          ['most of all samples', Math.max(...samples.map(([, each]) => each)).toFixed(0)],
          ['growth in each 100,000 calls, over the second half', growth.toFixed(1)],
          [`${LISTENERS} listeners`, listeners.toFixed(1)],
          ['one listener', (listeners / LISTENERS).toFixed(2)],
        ],
        note: `${perSecond.toFixed(0)} calls a second.`,
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
    checks: [{ what: `memory that ${LISTENERS} idle listeners cost, MiB`, value: listeners, limit: 60 }],
  };
}
