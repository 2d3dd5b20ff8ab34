// Runs a PostgreSQL server for the parent process. When the parent exits, stops the server and removes its folder, which a
// signal handler in the parent could not do after kill -9.
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';

/** @type {{ folder: string, data: string, initdb: string[], postgres: string[], uid?: number, gid?: number }} */
const { folder, data, initdb, postgres, uid, gid } = JSON.parse(process.argv[2] ?? '');
const options = { cwd: folder, env: { LC_ALL: 'C' }, ...(uid !== undefined && { uid, gid }) };

let server;
let leaving = false;

/** Spawns a program. `said` resolves when it has exited successfully, or printed that it is ready. */
function run([command, ...args], ready) {
  let output = '';
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = new Promise((resolve, reject) => {
    const listen = (chunk) => {
      output = (output + chunk).slice(-10_000);
      if (ready?.test(output)) resolve();
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} exited with code ${code}\n${output}`)),
    );
  });
  child.over = new Promise((resolve) => child.on('close', resolve).on('error', resolve));
  return { child, said };
}

async function start() {
  if (!existsSync(data)) await run(initdb).said;
  if (leaving) return;
  const { child, said } = run(postgres, /database system is ready to accept connections/);
  server = child;
  await said;
}

/** Stops the server. SIGINT is PostgreSQL's fast shutdown: it disconnects clients and loses nothing. */
async function stop() {
  server?.kill('SIGINT');
  await server?.over;
  server = undefined;
}

process.on('message', async (order) => {
  try {
    await (order === 'start' ? start() : stop());
    process.send?.({ done: order });
  } catch (error) {
    process.send?.({ failed: error.message });
  }
});
process.on('disconnect', async () => {
  leaving = true;
  await stop();
  rmSync(folder, { recursive: true, force: true });
  process.exit();
});
