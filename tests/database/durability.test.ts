import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { newRandom, rounds } from '../chaos/random.js';
import { type Answered, expectWhole, startWriting } from '../chaos/writing.js';
import { scratch } from '../support/process.js';

/** A data directory with a few tasks in it. */
async function written(seed = 1): Promise<{ path: string; answered: Answered[] }> {
  const path = join(scratch(), 'data');
  const writing = await startWriting({ target: { kind: 'directory', path }, seed, calls: 20 });
  expect(await writing.ended).toMatchObject({ code: 0, stderr: '' });
  return { path, answered: writing.answered() };
}

describe('a commit of the embedded database', { timeout: 300_000 }, () => {
  test('is synced before it is answered, once', async () => {
    const { path } = await written();
    const target = { kind: 'directory', path } as const;
    const writing = await startWriting({ target, seed: 2, calls: 40, disk: { folder: path } });
    expect(await writing.ended).toMatchObject({ code: 0, stderr: '' });
    const answered = writing.answered();
    expect(answered.length).toBeGreaterThan(20);
    const syncs = answered.map(({ syncs: so }, i) => so - (answered[i - 1]?.syncs ?? 0)).slice(1);
    expect(Math.min(...syncs)).toBe(1);
    // A new file of the log, and calls that were refused, add to it.
    expect(syncs.filter((each) => each === 1).length).toBeGreaterThan(syncs.length / 2);
  });

  test('that cannot be synced is never answered: the process ends, and what was answered before is there', async () => {
    const { path, answered: before } = await written();
    const target = { kind: 'directory', path } as const;
    const writing = await startWriting({ target, seed: 3, disk: { folder: path, syncFails: 60 } });
    expect(await writing.ended).toMatchObject({
      code: 1,
      stderr: 'taskloom: the disk does not keep what is written to it\n',
    });
    expect(writing.answered().length).toBeGreaterThan(5);
    await expectWhole(target, [...before, ...writing.answered()]);
  });

  test('on a full disk is never answered: the process ends, and what was answered before is there', async () => {
    const { path, answered: before } = await written();
    const target = { kind: 'directory', path } as const;
    const writing = await startWriting({ target, seed: 4, disk: { folder: path, fullAfter: 3_000_000 } });
    expect(await writing.ended).toMatchObject({ code: 1, stderr: expect.stringContaining('the disk is full') });
    await expectWhole(target, [...before, ...writing.answered()]);
  });
});

describe('a process that is gone at once, at any moment', { timeout: 600_000 }, () => {
  test('leaves everything that was answered, and no half of anything', async () => {
    const { seed, next } = newRandom();
    const path = join(scratch(), 'data');
    const target = { kind: 'directory', path } as const;
    const answered: Answered[] = [];
    for (let round = 0; round < rounds(3); round++) {
      const writing = await startWriting({ target, seed: seed + round });
      if (round > 0) await writing.ready;
      await new Promise((resolve) => setTimeout(resolve, next() * 400));
      await writing.kill();
      answered.push(...writing.answered());
    }
    await expectWhole(target, answered);
    expect(readdirSync(path).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  test('leaves it in every state that its files pass through, and a power cut leaves it in', async () => {
    const { seed } = newRandom();
    const { path, answered } = await written(seed);
    const folder = scratch();
    const target = { kind: 'directory', path } as const;
    const snapshots = { folder, count: rounds(3), every: 25 };
    const writing = await startWriting({
      target,
      seed,
      disk: { folder: path, snapshots },
      calls: snapshots.count * 12,
    });
    expect(await writing.ended).toMatchObject({ code: 0, stderr: '' });
    let taken = 0;
    for (const said of writing.said())
      if ('undo' in said) answered.push(said);
      else if ('snapshot' in said)
        for (const kind of ['kill', 'cut']) {
          taken += 1;
          const copy = join(folder, `${kind}-${said.snapshot}`);
          expect(existsSync(copy)).toBe(true);
          await expectWhole({ kind: 'directory', path: copy }, answered);
        }
    expect(taken).toBe(2 * snapshots.count);
  });
});
