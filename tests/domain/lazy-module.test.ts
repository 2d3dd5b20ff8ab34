import { expect, test, vi } from 'vitest';
import { LazyModule, withLazyModules } from '../../src/domain/lazy-module.js';

test('code is loaded when it is first needed, once, and the work is done again', async () => {
  const load = vi.fn(async () => 'code');
  const late = new LazyModule(load);
  const work = vi.fn(async () => late.get());
  expect(load).not.toHaveBeenCalled();
  expect(await Promise.all([withLazyModules(work), withLazyModules(work)])).toEqual(['code', 'code']);
  expect(await withLazyModules(work)).toBe('code');
  expect([load.mock.calls.length, work.mock.calls.length]).toEqual([1, 5]);
});

test('what could not be loaded is loaded by whoever needs it next', async () => {
  const load = vi.fn(async () => 'code').mockRejectedValueOnce(new Error('too many open files'));
  const late = new LazyModule(load);
  await expect(withLazyModules(async () => late.get())).rejects.toThrow('too many open files');
  expect(await withLazyModules(async () => late.get())).toBe('code');
});

test('all of it is loaded soon after the first work: files may be replaced while the program runs', async () => {
  vi.resetModules();
  const { LazyModule, withLazyModules } = await import('../../src/domain/lazy-module.js');
  const loaded = new Promise<void>((resolve) => {
    new LazyModule(async () => resolve());
  });
  await withLazyModules(async () => {});
  await loaded;
});

test('other failures are not tried again', async () => {
  const work = vi.fn(async () => {
    throw new Error('of its own');
  });
  await expect(withLazyModules(work)).rejects.toThrow('of its own');
  expect(work).toHaveBeenCalledTimes(1);
});
