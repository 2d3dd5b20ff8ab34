import { expect, test } from 'vitest';
import { connect as openDatabase } from '../../src/db/connect.js';
import { connect, type Environment, gone, isAlive, ownerIn, type Peer, run, seeded } from '../support/process.js';
import { newRandom, type Random, rounds } from './random.js';
import { type Caller, expectNothingLost, startStorm } from './storm.js';

/** A client that starts its server again after it was killed, as hosts do. */
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

/** The faults to inject. */
const faults: Record<string, (home: string, hosts: Host[], random: Random) => Promise<unknown>> = {
  'the owner is killed': async (home) => {
    const owner = findOwner(home);
    if (owner) process.kill(owner, 'SIGKILL');
    if (owner) await gone(owner);
  },
  'the owner is asked to stop': async (home) => {
    const owner = findOwner(home);
    if (owner) process.kill(owner, 'SIGTERM');
    if (owner) await gone(owner);
  },
  'a person stops the owner': (_, hosts) => run(['owner', '--stop'], hosts[0]?.env as Environment),
  'a client’s server is killed': (_, hosts, random) => random.pick(hosts).kill(),
  'both are killed': async (home, hosts, random) => {
    const owner = findOwner(home);
    if (owner) process.kill(owner, 'SIGKILL');
    await random.pick(hosts).kill();
  },
};

function findOwner(home: string): number | undefined {
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
    const random = newRandom();
    const env = seeded();
    const home = String(env.TASKLOOM_HOME);
    const hosts = Array.from({ length: 3 }, () => new Host(env));
    const storm = startStorm(
      hosts.map(({ call }) => call),
      random,
    );
    for (let round = 0; round < rounds(4); round++) {
      const goal = storm.answered() + random.upTo(40);
      while (storm.answered() < goal) await hosts[0]?.call('list_tasks', { limit: 1 });
      await faults[random.pick(Object.keys(faults))]?.(home, hosts, random);
    }
    await storm.stop();
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
