import { setImmediate as settled } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { Unreachable } from '../../src/db/database-errors.js';
import { listenForChanges } from '../../src/db/notify.js';

const RETRY = { first: 250, most: 1_000 };

test('a database that goes away is tried ever more seldom, and soon again once a connection has held', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  let isUp = true;
  let lose = () => {};
  const listen: Database['listen'] = async (_channel, _heard, lost) => {
    if (!isUp) throw new Unreachable();
    lose = lost;
    return () => {};
  };
  const waits: number[] = [];
  let retry = () => {};
  const stop = listenForChanges(
    { listen } as Database,
    { heard: () => {}, opened: () => {}, failed: () => {} },
    RETRY,
    (ms, run) => {
      waits.push(ms);
      retry = run;
      return () => {};
    },
  );
  onTestFinished(stop);
  /** Breaks the connection after it was open for so long, and answers the delays until the fourth retry succeeds. */
  const outage = async (openFor: number) => {
    await settled();
    vi.advanceTimersByTime(openFor);
    isUp = false;
    lose();
    for (let failures = 0; failures < 3; failures++) {
      vi.advanceTimersByTime(10 * RETRY.most);
      retry();
      await settled();
    }
    isUp = true;
    retry();
    return waits.splice(0);
  };
  expect(await outage(60_000)).toEqual([250, 500, 1000, 1000]);
  expect(await outage(10)).toEqual([1000, 1000, 1000, 1000]);
  expect(await outage(60_000)).toEqual([250, 500, 1000, 1000]);
});
