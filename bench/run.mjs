// Runs benchmark sections, writes the results of each to bench/results/<section>.json, and regenerates bench/RESULTS.md from
// all of these files: `node bench/run.mjs [section …] [--quick] [--all] [--calls=N] [--minutes=N]`. Without names, runs all
// sections but the long ones, which --all includes.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runCleanups } from './lib/harness.mjs';
import { compose, describeRun } from './lib/report.mjs';

/** The order of sections in the report. Any others follow. */
const ORDER = 'tokens start calls pipelined latency growth sharing memory listeners peers day soak'.split(' ');
const LONG = ['soak'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    calls: { type: 'string' },
    minutes: { type: 'string' },
  },
});
process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const existing = readdirSync('bench/sections').map((file) => basename(file, '.mjs'));
const sections = [
  ...ORDER.filter((name) => existing.includes(name)),
  ...existing.filter((name) => !ORDER.includes(name)),
];
const unknown = positionals.filter((name) => !existing.includes(name));
if (unknown.length > 0) {
  console.error(`unknown section: ${unknown.join(', ')}; sections: ${sections.join(', ')}`);
  process.exit(2);
}
if (!existsSync('dist/main.js')) {
  console.error('dist/ is not built; run: npm run build');
  process.exit(2);
}

const chosen = positionals.length > 0 ? positionals : sections.filter((name) => values.all || !LONG.includes(name));
mkdirSync('bench/results', { recursive: true });
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    await runCleanups();
    process.exit(130);
  });
for (const name of chosen) {
  const { title, about, run } = await import(`./sections/${name}.mjs`);
  const conditions = describeRun();
  const from = performance.now();
  const log = (text) => console.log(`${name}: ${text}`);
  log('started');
  try {
    const result = await run({ quick: values.quick, log, options: values });
    const seconds = Math.round((performance.now() - from) / 1000);
    const record = { section: name, title, about, quick: values.quick, seconds, ...conditions, ...result };
    writeFileSync(`bench/results/${name}.json`, `${JSON.stringify(record, null, 1)}\n`);
    log(`took ${seconds} s`);
    for (const { what, value, limit, met } of compose(sections).filter((each) => each.section === name))
      log(`${met ? 'met   ' : 'MISSED'} ${what}: ${value} (${limit})`);
  } catch (error) {
    console.error(`${name}: failed`, error);
    process.exitCode = 1;
  } finally {
    await runCleanups();
  }
}
process.exit();
