// What it costs that every client has a process of its own: start-up, memory, and calls through an owner.
// Ratios are of interleaved rounds in one run; milliseconds are of the machine it ran on.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROUNDS = Number(process.argv[2] ?? 9);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const show = (name, value) => console.log(`${name.padEnd(64)} ${value}`);
const homes = [];
const newHome = () => homes.at(homes.push(mkdtempSync(join(tmpdir(), 'taskloom-processes-'))) - 1);

/** A client that speaks JSON-RPC by hand: what a library of its own costs must not count. */
function start(script, environment = {}) {
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const waiting = new Map();
  let rest = '';
  let next = 1;
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const message = JSON.parse(line);
      waiting.get(message.id)?.(message.result);
    }
  });
  const ask = (method, params = {}) =>
    new Promise((resolve) => {
      waiting.set(next, resolve);
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: next++, method, params })}\n`);
    });
  return {
    pid: child.pid,
    ask,
    call: (name, given) => ask('tools/call', { name, arguments: given }),
    async shakeHands() {
      await ask('initialize', {
        protocolVersion: '2025-06-18',
        capabilities: {},
        clientInfo: { name: 'processes', version: '1' },
      });
      child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
    },
    end: () => new Promise((resolve) => child.once('exit', resolve).stdin.end()),
  };
}

/** Resident memory, in MiB. */
const memory = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

async function time(work) {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

const stopOwner = (home) =>
  execFileSync(process.execPath, ['dist/main.js', 'owner', '--stop'], {
    env: { ...process.env, TASKLOOM_HOME: home },
    stdio: 'ignore',
  });

async function once(script, environment, work) {
  const server = start(script, environment);
  await server.shakeHands();
  await work(server);
  const used = memory(server.pid);
  return { used, end: server.end };
}

const took = { floor: [], list: [], new: [], existing: [], shared: [] };
const used = { floor: [], relay: [] };
const add = (server) => server.call('add_task', { title: 'A task' });
for (let round = 0; round < ROUNDS; round++) {
  const home = newHome();
  const TASKLOOM_HOME = home;
  const run = async (name, script, environment, work) => {
    let made;
    took[name].push(await time(async () => (made = await once(script, environment, work))));
    return made;
  };
  const floor = await run('floor', 'bench/idle-server.mjs', {}, (server) => server.call('nothing', {}));
  used.floor.push(floor.used);
  await floor.end();
  await (await run('list', 'dist/main.js', { TASKLOOM_HOME }, (server) => server.ask('tools/list'))).end();
  await (await run('new', 'dist/main.js', { TASKLOOM_HOME }, add)).end();
  stopOwner(home);
  const first = await run('existing', 'dist/main.js', { TASKLOOM_HOME }, add);
  const second = await run('shared', 'dist/main.js', { TASKLOOM_HOME }, add);
  used.relay.push(second.used);
  await Promise.all([first.end(), second.end()]);
  stopOwner(home);
}
const floor = median(took.floor);
const ms = (name) => `${median(took[name]).toFixed(0)} ms, ${(median(took[name]) / floor).toFixed(1)} × the floor`;
show('floor: spawn to first answer of a server that does nothing', `${floor.toFixed(0)} ms`);
show('spawn to tools/list', ms('list'));
show('spawn to first add_task, new directory', ms('new'));
show('spawn to first add_task, existing directory', ms('existing'));
show('spawn to first add_task, owner running', ms('shared'));
show(
  'memory of a process that only forwards, MiB: ours / floor',
  `${median(used.relay).toFixed(0)} / ${median(used.floor).toFixed(0)} = ${(median(used.relay) / median(used.floor)).toFixed(2)}`,
);
for (const home of homes) rmSync(home, { recursive: true, force: true });
