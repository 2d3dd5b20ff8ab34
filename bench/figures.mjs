// The figures the project holds itself to, measured over stdio with the 1.x client, as most hosts run it.
// Ratios are of interleaved rounds in one run; milliseconds are of the machine it ran on.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';

const tokens = (value) => encode(typeof value === 'string' ? value : JSON.stringify(value)).length;
const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.floor(values.length * q)];
const show = (name, value) => console.log(`${name.padEnd(64)} ${value}`);
const homes = [];

async function start(script, environment = {}) {
  const client = new Client({ name: 'figures', version: '1.0.0' });
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [script], env: { ...process.env, ...environment } }),
  );
  return client;
}

const server = 'dist/main.js';
const idle = 'bench/idle-server.mjs';

function home() {
  const folder = mkdtempSync(join(tmpdir(), 'taskloom-figures-'));
  homes.push(folder);
  return { TASKLOOM_HOME: folder };
}

async function time(work) {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

async function tokenFigures() {
  const client = await start(server, { TASKLOOM_DATABASE_URL: 'memory://' });
  const { tools } = await client.listTools();
  const sum = (pick) => tools.reduce((total, tool) => total + tokens(pick(tool)), 0);
  const input = sum(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  show('tokens: names, descriptions, input schemas', input);
  show('tokens: with output schemas', input + sum(({ outputSchema }) => outputSchema));
  const title = 'Renew the passport';
  for (let i = 0; i < 20; i++)
    await client.callTool({
      name: 'add_task',
      arguments: { title, due: '2027-03-24', priority: 'high', project: 'Home', labels: ['errand'] },
    });
  const list = await client.callTool({ name: 'list_tasks', arguments: {} });
  const [head, ...rows] = list.content[0].text.split('\n');
  show('tokens: a listed task beyond its title, text', ((tokens(rows.join('\n')) + 1) / 20 - tokens(title)).toFixed(1));
  show(
    'tokens: a listed task beyond its title, JSON',
    (tokens(list.structuredContent) / 20 - tokens(title)).toFixed(1),
  );
  show('tokens: first line of a list', tokens(`${head}\n`));
  await client.close();
}

async function startFigures() {
  const rounds = { ours: [], floor: [] };
  for (let i = 0; i < 15; i++)
    for (const [name, script, environment] of [
      ['ours', server, home()],
      ['floor', idle, {}],
    ])
      rounds[name].push(
        await time(async () => {
          const client = await start(script, environment);
          await client.listTools();
          void client.close();
        }),
      );
  const [ours, floor] = [quantile(rounds.ours, 0.5), quantile(rounds.floor, 0.5)];
  show('spawn to tools/list, ms: ours / a server that does nothing', `${ours.toFixed(0)} / ${floor.toFixed(0)}`);
  show('spawn to tools/list, ratio', (ours / floor).toFixed(2));
}

async function seed(client, from, to) {
  const wave = 50;
  for (let i = from; i < to; i += wave)
    await Promise.all(
      Array.from({ length: Math.min(wave, to - i) }, (_, n) =>
        client.callTool({
          name: 'add_task',
          arguments: { title: `task ${i + n}`, due: `2027-0${1 + ((i + n) % 9)}-11`, project: `p${(i + n) % 20}` },
        }),
      ),
    );
}

async function callFigures() {
  const small = await start(server, home());
  const large = await start(server, home());
  const floor = await start(idle);
  await seed(small, 0, 100);
  const seeding = await time(() => seed(large, 0, 10_000));
  show('10,000 add_task, 50 in flight, ms each', (seeding / 10_000).toFixed(2));
  const runs = {
    'get_task at 100': () => small.callTool({ name: 'get_task', arguments: { ids: [50] } }),
    'get_task at 10,000': () => large.callTool({ name: 'get_task', arguments: { ids: [5000] } }),
    'list_tasks of 25 at 100': () => small.callTool({ name: 'list_tasks', arguments: {} }),
    'list_tasks of 25 at 10,000': () => large.callTool({ name: 'list_tasks', arguments: {} }),
    'list_tasks due at 100': () => small.callTool({ name: 'list_tasks', arguments: { sort: 'due' } }),
    'list_tasks due at 10,000': () => large.callTool({ name: 'list_tasks', arguments: { sort: 'due' } }),
    'get_overview at 100': () => small.callTool({ name: 'get_overview', arguments: {} }),
    'get_overview at 10,000': () => large.callTool({ name: 'get_overview', arguments: {} }),
    'add_task at 100': () => small.callTool({ name: 'add_task', arguments: { title: 'x' } }),
    'add_task at 10,000': () => large.callTool({ name: 'add_task', arguments: { title: 'x' } }),
    nothing: () => floor.callTool({ name: 'nothing', arguments: {} }),
  };
  const taken = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  for (let round = 0; round < 320; round++)
    for (const [name, run] of Object.entries(runs)) {
      const ms = await time(run);
      if (round >= 20) taken[name].push(ms);
    }
  for (const [name, all] of Object.entries(taken))
    show(`${name}, ms p50 / p95`, `${quantile(all, 0.5).toFixed(2)} / ${quantile(all, 0.95).toFixed(2)}`);
  const p50 = (name) => quantile(taken[name], 0.5);
  show(
    'list_tasks 10,000 : 100, ratio',
    (p50('list_tasks of 25 at 10,000') / p50('list_tasks of 25 at 100')).toFixed(2),
  );
  await Promise.all([small.close(), large.close(), floor.close()]);
}

console.log(`Node ${process.version}, ${process.platform} ${process.arch}`);
try {
  await tokenFigures();
  await startFigures();
  await callFigures();
} finally {
  for (const folder of homes) rmSync(folder, { recursive: true, force: true });
}
