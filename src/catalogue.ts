import { InMemoryTransport, type JSONRPCMessage, LATEST_PROTOCOL_VERSION } from '@modelcontextprotocol/server';
import { pino } from 'pino';
import type { Catalogue } from './front.js';
import { buildServer } from './server.js';
import { OutageLog } from './transports/outage.js';

/**
 * Returns the server's answers to all list requests. Generated at build time, so that a process that only lists and
 * relays does not have to load the tools.
 */
export async function catalogue(): Promise<Catalogue> {
  const never = () => Promise.reject(new Error('lists need no data'));
  const log = pino({ level: 'silent' });
  const server = buildServer(
    { store: never, clock: () => new Date(), log, outages: new OutageLog(log), version: '', historyDays: 1 },
    never,
  );
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  await near.start();
  const ask = <M extends keyof Catalogue>(method: M | 'initialize', params = {}) =>
    new Promise<Catalogue[M]>((resolve, reject) => {
      near.onmessage = (message: JSONRPCMessage) =>
        'result' in message ? resolve(message.result as Catalogue[M]) : reject(new Error(JSON.stringify(message)));
      near.send({ jsonrpc: '2.0', id: method, method, params });
    });
  await ask('initialize', {
    protocolVersion: LATEST_PROTOCOL_VERSION,
    capabilities: {},
    clientInfo: { name: 'build', version: '' },
  });
  const lists = {
    'tools/list': await ask('tools/list'),
    'prompts/list': await ask('prompts/list'),
    'resources/list': await ask('resources/list'),
    'resources/templates/list': await ask('resources/templates/list'),
  };
  await server.close();
  return lists;
}
