// Runs MCP's conformance suite against the built server, as `npm run conformance`. Prints a line for each scenario and
// protocol version, and exits with code 1 if a check fails that is not excused below.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const SUITE = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
const NODE = 'node@24'; // the suite needs a later Node than Taskloom
const VERSIONS = ['2025-11-25', '2026-07-28'];
/** Maximum duration of one scenario, in milliseconds. */
const SCENARIO_TIMEOUT = 90_000;

const SCENARIOS = [
  'server-initialize',
  'server-session-lifecycle',
  'server-stateless',
  'ping',
  'tools-list',
  'prompts-list',
  'resources-list',
  'sep-2164-resource-not-found',
  'server-sse-multiple-streams',
  'dns-rebinding-protection',
  'caching',
  'http-header-validation',
];

const FIXTURE = 'needs a tool, prompt or resource of the suite’s example server';
const NOT_SUPPORTED = 'not supported, and not declared as a capability';
/** Scenarios that do not apply to Taskloom, by the prefixes of their names, with the reason. */
const SKIPPED = {
  'tools-call-': FIXTURE,
  'json-schema-2020-12': FIXTURE,
  'elicitation-': FIXTURE,
  'input-required-result-': FIXTURE,
  'http-custom-header-server-validation': FIXTURE,
  'server-sse-polling': FIXTURE,
  'logging-set-level': NOT_SUPPORTED,
  'resources-subscribe': NOT_SUPPORTED,
  'resources-unsubscribe': NOT_SUPPORTED,
  'resources-read-': FIXTURE,
  'resources-templates-read': FIXTURE,
  'prompts-get-': FIXTURE,
  'completion-complete': FIXTURE,
};

const NO_FIXTURE = /^Not testable: server does not list the diagnostic tool/;
/** Checks of the scenarios above that cannot pass here: the error message to expect, and the reason. */
const EXCUSED = {
  'sep-2575-server-rejects-undeclared-capability': [NO_FIXTURE, FIXTURE],
  'sep-2575-missing-capability-http-400': [NO_FIXTURE, FIXTURE],
  'sep-2575-http-server-no-independent-requests-on-stream': [NO_FIXTURE, FIXTURE],
  'sep-2575-server-no-log-without-loglevel': [NO_FIXTURE, FIXTURE],
};
const isExcused = ({ id, errorMessage }) => EXCUSED[id]?.[0].test(errorMessage) === true;

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'taskloom-conformance-'));
const children = new Set();

function start(command, args, options = {}) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
  children.add(child);
  child.once('close', () => children.delete(child));
  return child;
}

/** Runs a command to its end, and returns its exit code and output. */
async function run(command, args, options = {}) {
  const child = start(command, args, { timeout: SCENARIO_TIMEOUT, ...options });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code, stdout, stderr };
}

async function succeed(command, args, options) {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr || stdout}`);
  return stdout.trim();
}

const taskloom = {
  env: { ...process.env, TASKLOOM_HOME: join(scratch, 'data'), TASKLOOM_DATABASE_URL: '', DATABASE_URL: '' },
};
const cli = (...args) => succeed(process.execPath, ['dist/main.js', ...args], taskloom);

/** Starts `taskloom serve` on a free port, and returns its URL once it listens. */
async function serve() {
  const server = start(
    process.execPath,
    ['dist/main.js', 'serve', '--host', '127.0.0.1', '--port', '0', '--json'],
    taskloom,
  );
  const output = [];
  for await (const line of createInterface({ input: server.stderr })) {
    if (!line.startsWith('{"url"')) {
      output.push(line);
      continue;
    }
    server.stderr.resume();
    server.stdout.resume();
    return new URL(JSON.parse(line).url);
  }
  throw new Error(`the server exited before it listened: ${output.join('\n')}`);
}

/**
 * Starts a proxy that adds the token to each request, which the suite cannot do. Everything else, in particular Host and
 * Origin, is forwarded unchanged.
 */
async function startAuthProxy(upstream, token) {
  const proxy = createServer((incoming, outgoing) => {
    const headers = [...incoming.rawHeaders, 'Authorization', `Bearer ${token}`];
    const { method, url } = incoming;
    const forwarded = request(
      { host: upstream.hostname, port: upstream.port, method, path: url, headers },
      (response) => {
        outgoing.writeHead(response.statusCode, response.rawHeaders);
        response.pipe(outgoing);
      },
    );
    forwarded.once('error', () => outgoing.destroy());
    outgoing.once('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return { proxy, url: `http://127.0.0.1:${proxy.address().port}${upstream.pathname}` };
}

/** Has npx install the suite and its Node once, so that each scenario starts without npm. Returns an environment to run it. */
async function installSuite() {
  const args = ['-y', '-p', NODE, '-p', SUITE, '-c', 'node -p "process.env.PATH + process.version"'];
  const output = await succeed('npx', args, { timeout: 600_000, shell: process.platform === 'win32' });
  const [, path] = /^(.*)v24\.[\d.]+$/m.exec(output) ?? [];
  if (!path) throw new Error(`npx did not provide Node 24: ${output}`);
  return { env: { ...process.env, PATH: path } };
}

/** Returns the protocol versions that each scenario applies to, according to the suite. */
async function listScenarios(suite) {
  const listed = await succeed('conformance', ['list', '--server'], suite);
  return new Map(
    [...listed.matchAll(/^ {2}- (\S+) \[(.+)\]$/gm)].map(([, name, versions]) => [name, versions.split(',')]),
  );
}

async function check(suite, url, scenario, version) {
  const results = mkdtempSync(join(scratch, 'results-'));
  const args = ['server', '--url', url, '--scenario', scenario, '--spec-version', version, '-o', results];
  const { code, stdout, stderr } = await run('conformance', args, suite);
  const file = readdirSync(results, { recursive: true }).find((each) => String(each).endsWith('checks.json'));
  if (!file) return { failed: [{ id: scenario, errorMessage: `no result (exit code ${code}): ${stdout}${stderr}` }] };
  const checks = JSON.parse(readFileSync(join(results, String(file)), 'utf8'));
  const by = (status) => checks.filter((each) => each.status === status);
  const failed = by('FAILURE');
  return {
    passed: by('SUCCESS').length,
    warned: by('WARNING'),
    failed: failed.filter((each) => !isExcused(each)),
    excused: failed.filter(isExcused),
  };
}

async function main() {
  await succeed(process.execPath, ['scripts/build.mjs']);
  await cli('user', 'add', 'conformance');
  const token = await cli('token', 'create', '--user', 'conformance');
  const [upstream, suite] = await Promise.all([serve(), installSuite()]);
  const { proxy, url } = await startAuthProxy(upstream, token);
  let failures = 0;
  try {
    const applicable = await listScenarios(suite);
    for (const [name, versions] of applicable) {
      if (!versions.some((version) => VERSIONS.includes(version)) || SCENARIOS.includes(name)) continue;
      if (Object.keys(SKIPPED).some((prefix) => name.startsWith(prefix))) continue;
      failures++;
      console.log(`FAIL  ${name}: a scenario of the suite that this script neither runs nor skips`);
    }
    const used = new Set();
    for (const name of SCENARIOS)
      for (const version of VERSIONS.filter((each) => applicable.get(name)?.includes(each))) {
        const { passed = 0, warned = [], failed, excused = [] } = await check(suite, url, name, version);
        failures += failed.length;
        console.log(
          `${failed.length > 0 ? 'FAIL' : 'ok  '}  ${version}  ${name}: ${passed} passed` +
            `${failed.length > 0 ? `, ${failed.length} failed` : ''}` +
            `${warned.length > 0 ? `, ${warned.length} warnings` : ''}` +
            `${passed + failed.length + warned.length === 0 ? ' (nothing applies: the server is stateless)' : ''}`,
        );
        for (const { id, errorMessage } of failed) console.log(`        failed   ${id}: ${errorMessage}`);
        for (const { id, errorMessage, description } of warned)
          console.log(`        warning  ${id}: ${errorMessage ?? description}`);
        for (const { id } of excused) {
          used.add(id);
          console.log(`        excused  ${id}: ${EXCUSED[id][1]}`);
        }
      }
    for (const id of Object.keys(EXCUSED).filter((each) => !used.has(each))) {
      failures++;
      console.log(`FAIL  ${id}: no longer fails with the excused message; remove it from EXCUSED`);
    }
  } finally {
    proxy.close();
    proxy.closeAllConnections();
  }
  console.log(failures > 0 ? `${failures} failures` : 'all applicable checks pass');
  return failures > 0 ? 1 : 0;
}

const stop = () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
};
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    stop();
    process.exit(1);
  });
setTimeout(() => {
  console.error('timed out after ten minutes');
  stop();
  process.exit(1);
}, 600_000).unref();
try {
  process.exitCode = await main();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  stop();
}
