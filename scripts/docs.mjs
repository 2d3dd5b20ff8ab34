// Writes the README's tables from the source that they describe. With --check, writes nothing and fails if a table is out
// of date.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const readme = new URL('../README.md', import.meta.url);

/** Loads a TypeScript module, bundled by esbuild: Node 20 cannot load one itself. */
async function load(contents) {
  const folder = mkdtempSync(join(tmpdir(), 'taskloom-docs-'));
  try {
    const outfile = join(folder, 'source.mjs');
    const stdin = { contents, resolveDir: fileURLToPath(new URL('..', import.meta.url)), loader: 'ts' };
    await build({ stdin, outfile, bundle: true, format: 'esm', platform: 'node', logLevel: 'warning' });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const table = (...rows) => rows.map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

function toolTable(tools) {
  const rows = tools.map(({ name, effect, config }) => {
    const { properties = {}, required = [] } = config.inputSchema['~standard'].jsonSchema.input();
    const own = Object.keys(properties).filter((field) => field !== 'request_id' && field !== 'dry_run');
    const inputs = own.map((field) => (required.includes(field) ? `**${field}**` : field)).join(', ');
    return [`\`${name}\``, effect, inputs || '–', config.description];
  });
  return table(['tool', 'effect', 'takes (**needed**)', 'what it does'], ['---', '---', '---', '---'], ...rows);
}

function promptTable(prompts) {
  const rows = prompts.map(({ name, config }) => {
    const { properties = {}, required = [] } = config.argsSchema['~standard'].jsonSchema.input();
    const own = Object.keys(properties).map((field) => (required.includes(field) ? `**${field}**` : field));
    return [`\`${name}\``, own.join(', ') || '–', config.description];
  });
  return table(['prompt', 'takes (**needed**)', 'what for'], ['---', '---', '---'], ...rows);
}

function resourceTable(resources) {
  const rows = resources.map(({ uri, config }) => [`\`${uri}\``, config.description]);
  return table(['resource', 'what it holds'], ['---', '---'], ...rows);
}

function variableTable(variables) {
  const rows = Object.entries(variables).map(([name, meaning]) => [`\`${name}\``, meaning]);
  return table(['variable', 'meaning'], ['---', '---'], ...rows);
}

/** Replaces the text between two markers. */
function replaceBetween(text, name, content) {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md lacks the markers for its ${name} table`);
  return `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`;
}

const { tools, prompts, resources, VARIABLES } = await load(
  ['tools', 'prompts', 'resources'].map((each) => `export * from './src/${each}/index.js';`).join('') +
    `export { VARIABLES } from './src/config.js';`,
);
const before = readFileSync(readme, 'utf8');
const after = Object.entries({
  tools: toolTable(tools),
  prompts: promptTable(prompts),
  resources: resourceTable(resources),
  configuration: variableTable(VARIABLES),
}).reduce((text, [name, content]) => replaceBetween(text, name, content), before);
if (!process.argv.includes('--check')) writeFileSync(readme, after);
else if (before !== after) {
  console.error('The tables of README.md are out of date. Run: npm run docs');
  process.exitCode = 1;
}
