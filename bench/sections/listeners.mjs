import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { modernRequest, rawHttp } from '../lib/clients.mjs';
import { onCleanup } from '../lib/harness.mjs';
import { memory, postgres, serve } from '../lib/taskloom.mjs';

export const title = 'Idle listeners';
export const about =
  'Resident memory of an HTTP server on PostgreSQL with 200 open subscription streams that receive no changes, minus that of a second server that got the same calls but not these streams.';

const LISTENERS = 200;

export async function run({ quick, log }) {
  const database = await postgres();
  log(`${LISTENERS} listeners`);
  // The second server gets the same calls, so that memory left behind by calls cancels out.
  const tokens = [];
  for (let i = 0; i < 8; i++) tokens.push(await database.token(`user${i}`));
  const [listened, control] = [await serve(database.env()), await serve(database.env())];
  for (const { url } of [listened, control]) {
    const warm = rawHttp(url, tokens[0]);
    for (let i = 0; i < 200; i++) await warm.call('list_tasks');
    await warm.close();
  }
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  onCleanup(async () => agent.destroy());
  const listen = async (url, n) => {
    const { headers, body } = modernRequest(tokens[n % tokens.length], 'subscriptions/listen', {
      notifications: { resourceSubscriptions: ['taskloom://overview', `taskloom://task/${1 + (n % 100)}`] },
    });
    const sent = request(url, { method: 'POST', agent, headers });
    sent.on('error', () => {}); // cut off by the cleanup
    sent.end(body);
    const [answer] = await once(sent, 'response');
    answer.on('error', () => {});
    const [event] = await once(answer.setEncoding('utf8'), 'data');
    if (!event.includes('acknowledged')) throw new Error(`not listening: ${event}`);
    answer.resume();
  };
  for (const { url } of [listened, control]) await listen(url, 0); // excludes what only the first listener loads
  for (let n = 1; n <= LISTENERS; n++) await listen(listened.url, n);
  await pause(quick ? 2000 : 20_000); // keep-alives are sent every 15 seconds
  const listeners = memory(listened.pid) - memory(control.pid);

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
    checks: [{ what: `memory of ${LISTENERS} idle listeners, MiB`, value: listeners, limit: 60 }],
  };
}
