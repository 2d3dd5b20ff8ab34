import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, inject } from 'vitest';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MAIN = join(ROOT, 'dist/main.js');

const scratched: string[] = [];
const running = new Set<ChildProcessWithoutNullStreams>();

/** Kills the processes that a test file has started, including owners, and removes its directories. */
export function cleanUp(): void {
  for (const child of running) child.kill('SIGKILL');
  const folders = scratched.splice(0);
  for (const folder of folders) for (const pid of ownersBelow(folder)) process.kill(pid, 'SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Returns the live owners of all data directories below a folder. */
function ownersBelow(folder: string): number[] {
  const files = readdirSync(folder, { recursive: true }).filter((file) => /run.owner\.json$/.test(String(file)));
  return files.map((file) => ownerIn(join(folder, String(file), '../..'))).filter(isAlive);
}

/** Returns the process id of the owner that a data directory names. */
export const ownerIn = (home: string): number =>
  Number(JSON.parse(readFileSync(join(home, 'run/owner.json'), 'utf8')).pid);

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Resolves when a process that this one did not start has exited. */
export async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await pause(10);
}

/** Creates a directory for this test file. */
export function scratch(parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, 'taskloom-process-'));
  scratched.push(folder);
  return folder;
}

export type Environment = Record<string, string>;

/** Returns an environment without the machine's settings, and with a new home directory unless one is given. */
export function environment(given: Environment = {}): Environment {
  const HOME = given.HOME ?? scratch();
  return {
    PATH: process.env.PATH ?? '',
    HOME,
    TASKLOOM_HOME: join(HOME, 'data'),
    TASKLOOM_IDLE_SECONDS: '5',
    TZ: 'Europe/Paris',
    ...given,
  };
}

/** Copies a migrated, empty database into a data directory, since creating one takes seconds. */
export function seed(directory: string): void {
  cpSync(inject('unpacked'), join(directory, 'pg18'), { recursive: true });
}

/** Returns an environment whose data directory has a database. */
export function seeded(given: Environment = {}): Environment {
  const env = environment(given);
  seed(String(env.TASKLOOM_HOME));
  return env;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A started process, with its output so far. */
export interface Running {
  child: ChildProcessWithoutNullStreams;
  stdout(): string;
  stderr(): string;
  /** Resolves when the process has exited and its output has been read completely. */
  ended: Promise<Ended>;
  /** Resolves once the output on stderr matches. */
  says(pattern: RegExp): Promise<void>;
}

export function start(args: string[], env: Environment, nodeOptions: string[] = []): Running {
  return startCommand(process.execPath, [...nodeOptions, MAIN, ...args], env);
}

export function startCommand(command: string, args: string[], env: Environment): Running {
  const child = spawn(command, args, { cwd: ROOT, env, stdio: 'pipe' });
  running.add(child);
  const said = { stdout: '', stderr: '' };
  child.stdin.on('error', () => {}); // writes to a process that has exited fail
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
    });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal, ...said });
    });
  });
  return {
    child,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    ended,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => pattern.test(said.stderr) && resolve();
        child.stderr.on('data', look);
        look();
        ended.then(() => reject(new Error(`exited without printing ${pattern}: ${said.stderr}`)), reject);
      }),
  };
}

/** Runs a command to its end. */
export async function run(args: string[], env: Environment, input: string | Buffer = ''): Promise<Ended> {
  const process = start(args, env);
  process.child.stdin.end(input);
  return process.ended;
}

/** Runs a command that must succeed, and returns its output. */
export async function succeed(args: string[], env: Environment): Promise<string> {
  const { code, stdout, stderr } = await run(args, env);
  expect(code, stderr).toBe(0);
  return stdout.trimEnd();
}

/** Runs a command that must fail because of a user's mistake, and returns its one line of output. */
export async function complaintOf(args: string[], env: Environment, input = ''): Promise<string> {
  const { code, stdout, stderr } = await run(args, env, input);
  expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' });
  expect(stderr, 'one line, and no stack trace').toMatch(/^taskloom: [^\n]+\n$/);
  return stderr.trimEnd();
}

// biome-ignore lint/suspicious/noExplicitAny: messages are checked by what the tests expect of them
type Message = any;

/** A client that speaks raw JSON-RPC, so that a test controls what is sent, and when. */
export class Peer {
  #next = 1;
  constructor(readonly process: Running) {
    process.child.stdout.setMaxListeners(0); // one for each awaited answer
  }

  /** Returns all lines on stdout so far, each of which must be a JSON-RPC message. */
  messages(): Message[] {
    return this.process
      .stdout()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Message);
  }

  write(text: string | Buffer): void {
    this.process.child.stdin.write(text);
  }

  send(message: object): void {
    this.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  /** Sends a request, and returns its id at once. */
  ask(method: string, params: object = {}): number {
    const id = this.#next++;
    this.send({ id, method, params });
    return id;
  }

  /** Waits for the answer to a request. */
  async answer(id: number): Promise<Message> {
    const { child, ended } = this.process;
    const find = () => this.messages().find((message) => message.id === id && message.method === undefined);
    let look = () => {};
    const found = new Promise<Message>((resolve) => {
      look = () => {
        const message = find();
        if (message) resolve(message);
      };
      child.stdout.on('data', look);
      look();
    });
    const end = ended.then(({ code, stderr }) => {
      const message = find();
      if (message) return message;
      throw new Error(`exited (${code}) without an answer: ${stderr}`);
    });
    return Promise.race([found, end]).finally(() => child.stdout.off('data', look));
  }

  /** Waits until the messages received satisfy `enough`, and returns them. */
  async until(enough: (messages: Message[]) => boolean): Promise<Message[]> {
    const { stdout } = this.process.child;
    let look = () => {};
    await new Promise<void>((resolve) => {
      look = () => enough(this.messages()) && resolve();
      stdout.on('data', look);
      look();
    });
    stdout.off('data', look);
    return this.messages();
  }

  request(method: string, params: object = {}): Promise<Message> {
    return this.answer(this.ask(method, params));
  }

  /** Does the handshake of the 2025 protocol. */
  async initialize(): Promise<void> {
    await this.request('initialize', INITIALIZE);
    this.send({ method: 'notifications/initialized' });
  }

  /** Calls a tool, and returns its JSON. */
  async call(name: string, args: object = {}): Promise<Message> {
    const { result } = await this.request('tools/call', { name, arguments: args });
    return result.structuredContent;
  }

  /** Closes the input, as a client does when it disconnects, and waits for the process to exit. */
  async close(): Promise<Ended> {
    this.process.child.stdin.end();
    return this.process.ended;
  }
}

export const INITIALIZE = {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
};

/** Starts a server on stdio, and does the handshake. */
export async function connect(env: Environment, nodeOptions: string[] = []): Promise<Peer> {
  const peer = new Peer(start([], env, nodeOptions));
  await peer.initialize();
  return peer;
}
