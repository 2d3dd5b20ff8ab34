import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/client';
import { expect, onTestFinished, test } from 'vitest';
import { announce, withdraw } from '../../src/owner/announcement.js';
import type { OwnerRequest } from '../../src/owner/handshake.js';
import { type OwnerOptions, runOwner } from '../../src/owner/owner.js';
import { callOwner } from '../../src/owner/reach.js';
import { gate } from '../support/gate.js';
import { useWorld } from '../support/harness.js';
import { scratch } from '../support/process.js';

const world = useWorld();
const build = { version: '1.0.0', at: 1 };

const ownerOf = (home: string, command: OwnerOptions['command'] = async () => 0) =>
  runOwner({
    home,
    build,
    retires: true,
    open: async () => ({ ...(await world.store()), applied: [] }),
    deps: world,
    command,
  });

test('who is connected is looked up once, not with every call', async () => {
  const owner = await ownerOf(scratch());
  const client = new Client({ name: 'test', version: '0' });
  await client.connect(owner.connect({ user: 'dora', timezone: 'UTC' }));
  const call = () => client.callTool({ name: 'get_overview', arguments: {} });
  await call();
  const { onStatement } = world.database;
  onTestFinished(() => {
    world.database.onStatement = onStatement;
  });
  const sent: string[] = [];
  world.database.onStatement = (text, params) => {
    onStatement?.(text, params);
    sent.push(text);
  };
  expect((await call()).isError).toBeFalsy();
  expect(sent.filter((text) => text.startsWith('begin'))).toHaveLength(1);
  expect(sent.filter((text) => text.includes('find_user'))).toEqual([]);
  await client.close();
  await owner.stop();
});

test('an owner is in use while it runs a command, and finishes it when it is told to stop', async () => {
  const home = scratch();
  const [begun, finished] = [gate(), gate()];
  const owner = await ownerOf(home, async (_command, _store, { print }) => {
    begun.open();
    await finished.opened;
    print('done');
    return 0;
  });
  const reached = await callOwner(home, build, () => ({
    want: 'command',
    argv: ['backup'],
    cwd: home,
    timezone: 'UTC',
  }));
  if (!reached) throw new Error('there is an owner');
  const said: unknown[] = [];
  const ended = new Promise((resolve) =>
    createInterface({ input: reached.socket })
      .on('line', (line) => said.push(JSON.parse(line)))
      .once('close', resolve),
  );
  await begun.opened;
  const before = performance.now();
  expect(owner.lastUse()).toBeGreaterThanOrEqual(before);
  const stopped = owner.stop();
  finished.open();
  await Promise.all([stopped, ended]);
  expect(said).toEqual([{ out: 'done' }, { code: 0 }]);
});

test('one that cannot prove that it knows the secret is not told what is wanted', async () => {
  const home = scratch();
  const announcement = announce(home);
  const heard: string[] = [];
  const impostor = createServer((socket) => {
    const peer = { pid: 1, version: '1.0.0', build, retires: false };
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => {
      heard.push(line);
      socket.write(`${JSON.stringify({ nonce: '00', proof: '00', ...peer })}\n`);
    });
  });
  onTestFinished(() => {
    withdraw(home, announcement); // nobody is to end the process that it names: this one
    impostor.close();
  });
  await new Promise<void>((resolve) => impostor.listen(announcement.address, resolve));
  const wish = (): OwnerRequest => ({ want: 'command', argv: ['token', 'create'], cwd: '/', timezone: 'UTC' });
  await expect(callOwner(home, build, wish)).rejects.toThrow('does not answer');
  expect(heard).toHaveLength(1);
  expect(heard.join()).not.toContain('argv');

  const { pid } = spawnSync(process.execPath, ['--version']);
  writeFileSync(join(home, 'run/owner.json'), JSON.stringify({ ...announcement, pid }));
  expect(await callOwner(home, build, wish), 'the owner has exited').toBeUndefined();
});

test.runIf(process.platform !== 'win32')('an owner removes the temporary socket of one that was killed', () => {
  const home = join(scratch(), 'a'.repeat(100));
  mkdirSync(home);
  const killed = announce(home);
  writeFileSync(killed.address, '');
  const next = announce(home);
  expect(existsSync(dirname(killed.address))).toBe(false);
  expect(existsSync(dirname(next.address))).toBe(true);
  withdraw(home, next);
  expect(existsSync(dirname(next.address))).toBe(false);
});
