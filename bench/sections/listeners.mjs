import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { modernRequest, rawHttp } from '../lib/clients.mjs';
import { afterwards } from '../lib/harness.mjs';
import { memory, postgres, serve } from '../lib/taskloom.mjs';

export const title = 'Clients that only listen';
export const about =
  'Resident memory of an HTTP server on PostgreSQL with 200 streams that listen for changes and hear of none, less that of another to which the same was done but for them.';

const LISTENERS = 200;

export async function run({ quick, log }) {
  const database = await postgres();
  log(`${LISTENERS} listeners`);
  // Beside a server to which the same was done but for them: what calls have left behind must not hide what they cost.
  const tokens = [];
  for (let i = 0; i < 8; i++) tokens.push(await database.token(`user${i}`));
  const [quiet, empty] = [await serve(database.env()), await serve(database.env())];
  for (const { url } of [quiet, empty]) {
    const warm = rawHttp(url, tokens[0]);
    for (let i = 0; i < 200; i++) await warm.call('list_tasks');
    await warm.close();
  }
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  afterwards(async () => agent.destroy());
  const listen = async (url, n) => {
    const { headers, body } = modernRequest(tokens[n % tokens.length], 'subscriptions/listen', {
      notifications: { resourceSubscriptions: ['taskloom://overview', `taskloom://task/${1 + (n % 100)}`] },
    });
    const sent = request(url, { method: 'POST', agent, headers });
    sent.on('error', () => {}); // it is cut in the end
    sent.end(body);
    const [answer] = await once(sent, 'response');
    answer.on('error', () => {});
    const [event] = await once(answer.setEncoding('utf8'), 'data');
    if (!event.includes('acknowledged')) throw new Error(`not listening: ${event}`);
    answer.resume();
  };
  for (const { url } of [quiet, empty]) await listen(url, 0); // what the first one loads is no matter of how many there are
  for (let n = 1; n <= LISTENERS; n++) await listen(quiet.url, n);
  await pause(quick ? 2000 : 20_000); // signs of life are sent every 15 seconds
  const listeners = memory(quiet.pid) - memory(empty.pid);

  return {
    tables: [
      {
        title: 'Resident memory',
        columns: ['what', 'MiB'],
        rows: [
          [`${LISTENERS} listeners`, listeners.toFixed(1)],
          ['one listener', (listeners / LISTENERS).toFixed(2)],
        ],
      },
    ],
    checks: [{ what: `memory that ${LISTENERS} idle listeners cost, MiB`, value: listeners, limit: 60 }],
  };
}
