import { expect, test } from 'vitest';
import { connect as openDatabase } from '../../src/db/connect.js';
import { connect, type Environment, gone, isAlive, ownerIn, type Peer, run, seeded } from '../support/process.js';
import { type Chance, chance, rounds } from './random.js';
import { type Caller, expectNothingLost, raise } from './storm.js';

/** A client whose server may be killed, and is then started again, as a host does. */
class Host {
  #peer: Promise<Peer>;
  constructor(readonly env: Environment) {
    this.#peer = connect(env);
  }

  readonly call: Caller = async (tool, args) => {
    const peer = await this.#peer;
    return peer.call(tool, args).catch(() => undefined);
  };

  async kill(): Promise<void> {
    const peer = await this.#peer;
    this.#peer = connect(this.env);
    peer.process.child.kill('SIGKILL');
    await this.#peer;
  }

  async close(): Promise<void> {
    const { code } = await (await this.#peer).close();
    expect(code).toBe(0);
  }
}

/** What may happen to processes. */
const strikes: Record<string, (home: string, hosts: Host[], luck: Chance) => Promise<unknown>> = {
  'the owner is killed': async (home) => {
    const owner = find(home);
    if (owner) process.kill(owner, 'SIGKILL');
    if (owner) await gone(owner);
  },
  'the owner is asked to stop': async (home) => {
    const owner = find(home);
    if (owner) process.kill(owner, 'SIGTERM');
    if (owner) await gone(owner);
  },
  'a person stops the owner': (_, hosts) => run(['owner', '--stop'], hosts[0]?.env as Environment),
  'a client’s server is killed': (_, hosts, luck) => luck.pick(hosts).kill(),
  'both are killed': async (home, hosts, luck) => {
    const owner = find(home);
    if (owner) process.kill(owner, 'SIGKILL');
    await luck.pick(hosts).kill();
  },
};

function find(home: string): number | undefined {
  try {
    const owner = ownerIn(home);
    return isAlive(owner) ? owner : undefined;
  } catch {
    return undefined;
  }
}

test(
  'processes that are killed at random lose and double nothing',
  async () => {
    const luck = chance();
    const env = seeded();
    const home = String(env.TASKLOOM_HOME);
    const hosts = Array.from({ length: 3 }, () => new Host(env));
    const storm = raise(
      hosts.map(({ call }) => call),
      luck,
    );
    for (let round = 0; round < rounds(4); round++) {
      const goal = storm.answered() + luck.some(40);
      while (storm.answered() < goal) await hosts[0]?.call('list_tasks', { limit: 1 });
      await strikes[luck.pick(Object.keys(strikes))]?.(home, hosts, luck);
    }
    await storm.calm();
    for (const host of hosts) await host.close();
    await run(['owner', '--stop'], env);
    const database = await openDatabase({ kind: 'directory', path: home });
    try {
      await expectNothingLost(database, 'local', storm);
    } finally {
      await database.close();
    }
  },
  600_000 + rounds(4) * 30_000,
);
