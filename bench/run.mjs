// Runs sections of the benchmark, each into bench/results/<section>.json, and composes bench/RESULTS.md anew from all there
// are: `node bench/run.mjs [section …] [--quick] [--all] [--calls=N] [--minutes=N]`. Without names all run but those that
// take very long, which --all adds.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { putAway } from './lib/harness.mjs';
import { circumstances, compose } from './lib/report.mjs';

/** In the order of the report; sections that are not named here follow. */
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
const there = readdirSync('bench/sections').map((file) => basename(file, '.mjs'));
const sections = [...ORDER.filter((name) => there.includes(name)), ...there.filter((name) => !ORDER.includes(name))];
const unknown = positionals.filter((name) => !there.includes(name));
if (unknown.length > 0) {
  console.error(`no section ${unknown.join(', ')}; there are: ${sections.join(', ')}`);
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
    await putAway();
    process.exit(130);
  });
for (const name of chosen) {
  const { title, about, run } = await import(`./sections/${name}.mjs`);
  const at = circumstances();
  const from = performance.now();
  const log = (text) => console.log(`${name}: ${text}`);
  log('starts');
  try {
    const result = await run({ quick: values.quick, log, options: values });
    const seconds = Math.round((performance.now() - from) / 1000);
    const kept = { section: name, title, about, quick: values.quick, seconds, ...at, ...result };
    writeFileSync(`bench/results/${name}.json`, `${JSON.stringify(kept, null, 1)}\n`);
    log(`took ${seconds} s`);
    for (const { what, value, limit, held } of compose(sections).filter((each) => each.section === name))
      log(`${held ? 'held  ' : 'MISSED'} ${what}: ${value} (${limit})`);
  } catch (error) {
    console.error(`${name}: failed`, error);
    process.exitCode = 1;
  } finally {
    await putAway();
  }
}
process.exit();
