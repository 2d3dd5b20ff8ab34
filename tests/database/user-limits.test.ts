import { afterEach, describe, expect, test, vi } from 'vitest';
import { UserQueues } from '../../src/db/user-limits.js';
import { gate } from '../support/gate.js';

describe('the writes of a user with more of them waiting', () => {
  /** Queues of writes, whose pauses end when told to. */
  const newQueues = () => {
    const pauses: { ms: number; end: () => void }[] = [];
    const queues = new UserQueues('writes', { concurrent: 1, waiting: 64, pauseRatio: 2 }, (ms) => {
      const over = gate();
      pauses.push({ ms, end: over.open });
      return over.opened;
    });
    return { queues, pauses };
  };
  afterEach(() => void vi.useRealTimers());
  const settled = () => new Promise(setImmediate);

  test('pause while another user writes, but their answers do not wait', async () => {
    const { queues, pauses } = newQueues();
    const others = gate();
    const other = queues.run('bob', () => others.opened);
    const order: string[] = [];
    const writes = ['first', 'second', 'third'].map((name) => queues.run('ana', async () => order.push(name)));
    await writes[0];
    await settled();
    expect([order, pauses.length]).toEqual([['first'], 1]);
    pauses[0]?.end();
    await writes[1];
    expect(order).toEqual(['first', 'second']);
    others.open();
    await other;
    pauses[1]?.end();
    await Promise.all(writes);
    await settled();
    expect([order, pauses.length]).toEqual([['first', 'second', 'third'], 2]);
  });

  test.for([
    [7, 14],
    [7_000, 50],
  ] as const)('pause after one that took %i ms for %i ms', async ([took, ms]) => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { queues, pauses } = newQueues();
    queues.run('bob', () => gate().opened);
    const writes = [1, 2].map(() => queues.run('ana', async () => vi.advanceTimersByTime(took)));
    await writes[0];
    await settled();
    expect(pauses.map((each) => each.ms)).toEqual([ms]);
  });

  test('do not pause beside users who have more waiting too', async () => {
    const { queues, pauses } = newQueues();
    const writes = ['ana', 'bob', 'ana', 'bob'].map((user) => queues.run(user, async () => user));
    await writes[0];
    await writes[1];
    expect(pauses).toEqual([]);
    await Promise.all(writes);
  });

  test('do not pause while nobody else writes, nor does a user with a single write', async () => {
    const { queues, pauses } = newQueues();
    await Promise.all([1, 2, 3].map((each) => queues.run('ana', async () => each)));
    await Promise.all(['ana', 'bob', 'eve'].map((user) => queues.run(user, async () => user)));
    expect(pauses).toEqual([]);
  });

  test('that fail reject as they do, and let the next one run', async () => {
    const { queues } = newQueues();
    const failing = queues.run('ana', () => Promise.reject(new Error('broken')));
    const next = queues.run('ana', async () => 'written');
    await expect(failing).rejects.toThrow('broken');
    const throwing = queues.run('ana', () => {
      throw new Error('at once');
    });
    await expect(throwing).rejects.toThrow('at once');
    expect(await next).toBe('written');
    await settled();
    expect(queues.isUsedByOthers('bob')).toBe(false);
  });
});
