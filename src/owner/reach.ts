import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { makeDirectory } from '../db/lock.js';
import { DirectoryInUse, OwnerSilent, UsageError } from '../errors.js';
import type { Link } from '../transports/relay.js';
import { makeRunDirectory, readAnnouncement } from './announcement.js';
import { type Build, connectHandshake, HandshakeFailed, isNewer, type OwnerRequest, type Peer } from './handshake.js';
import type { Account } from './owner.js';
import { SocketTransport } from './socket-transport.js';

/** The outcome of starting an owner, which that prints as one line of JSON: `alone` if nobody could connect to it. */
export type StartOutcome =
  | 'ready'
  | 'alone'
  | { busy: number | undefined }
  | { failed: string; where?: string | undefined };

/** How long to look for an owner, in milliseconds: one may be closing its database, and the next opening it. */
const START_TIMEOUT = 20_000;
/** How long after starting an owner to start another if there still is none, in milliseconds. */
const START_AGAIN = 3_000;

export interface ReachOptions {
  path: string;
  fallback?: string | undefined;
  build: Build;
  account: Account;
  /** Starts an owner in the background. Returns undefined if that is not possible. */
  start(home: string): Promise<Exclude<StartOutcome, 'alone'> | undefined>;
  /** Makes this process the owner. Called if none can be started in the background. */
  ownHere(home: string): Promise<Link>;
}

/**
 * Connects to the owner of a data directory, and starts one if there is none.
 *
 * @throws DirectoryInUse if another process has the directory and cannot be reached within `START_TIMEOUT`
 * @throws OwnerSilent if the owner does not answer
 * @throws UsageError if an owner cannot use the directory
 */
export async function reachOwner(options: ReachOptions): Promise<Link> {
  const home = makeDirectory(options.path, options.fallback);
  const until = performance.now() + START_TIMEOUT;
  let startAt = 0;
  let holder: number | undefined;
  const request = (): OwnerRequest => ({ want: 'mcp', ...options.account });
  do {
    const reached = await callOwner(home, options.build, request);
    if (reached) return { transport: new SocketTransport(reached.socket), pid: reached.peer.pid };
    if (performance.now() >= startAt) {
      startAt = performance.now() + START_AGAIN;
      const started = await options.start(home);
      if (started === 'ready') continue;
      if (started === undefined) {
        const link = await options.ownHere(home).catch((error: unknown) => {
          if (!(error instanceof DirectoryInUse)) throw error;
          holder = error.pid;
        });
        if (link) return link;
      } else if ('failed' in started) throw new UsageError(started.failed, started.where);
      else holder = started.busy;
    }
    await pause(50);
  } while (performance.now() < until);
  throw new DirectoryInUse(holder);
}

export interface Reached {
  socket: Socket;
  peer: Peer;
}

/**
 * Connects to the owner of a data directory. If its build is older, retires it instead.
 *
 * @param request makes the request to the owner
 * @returns undefined if there is no owner, or it has retired
 * @throws OwnerSilent if the owner does not answer
 */
export async function callOwner(home: string, build: Build, request: () => OwnerRequest): Promise<Reached | undefined> {
  const announcement = readAnnouncement(home);
  const socket = announcement && (await dial(announcement.address));
  if (!announcement || !socket) return undefined;
  let mustRetire = false;
  try {
    const peer = await connectHandshake(socket, announcement.secret, (found) => {
      mustRetire = found.retires && isNewer(build, found.build);
      return mustRetire ? { want: 'retire' } : request();
    });
    if (!mustRetire) return { socket, peer };
    await retired(socket, peer.pid);
    return undefined;
  } catch (error) {
    socket.destroy();
    if (error instanceof OwnerSilent) throw error;
    // An owner that was killed cannot answer: another process listens at its socket.
    if (error instanceof HandshakeFailed && isRunning(announcement.pid)) throw new OwnerSilent(announcement.pid);
    return undefined; // it exited before or during the handshake
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Asks the owner, if there is one, to retire, and waits until it has. Returns false if it stays. */
export async function askToRetire(home: string, build: Build): Promise<boolean> {
  const reached = await callOwner(home, build, () => ({ want: 'retire' }));
  if (!reached) return true;
  if (reached.peer.retires) await retired(reached.socket, reached.peer.pid);
  reached.socket.destroy();
  return reached.peer.retires;
}

export interface Status {
  pid: number;
  version: string;
  /** How many clients are connected. */
  connections: number;
  /** Seconds since the last request. */
  idle: number;
}

/** Asks the owner of a data directory, if there is one, for its status. Does not retire an earlier build. */
export async function statusOf(home: string): Promise<Status | undefined> {
  const reached = await callOwner(home, { version: '0.0.0', at: 0 }, () => ({ want: 'status' }));
  if (reached)
    for await (const line of createInterface({ input: reached.socket.resume() })) return JSON.parse(line) as Status;
  return undefined;
}

/**
 * Resolves when a retiring owner has closed the connection. It may have answers to finish first.
 *
 * @throws OwnerSilent after `START_TIMEOUT`
 */
async function retired(socket: Socket, pid: number): Promise<void> {
  let silent = false;
  const timer = setTimeout(() => {
    silent = true;
    socket.destroy();
  }, START_TIMEOUT);
  if (!socket.closed) await new Promise((resolve) => socket.resume().once('close', resolve));
  clearTimeout(timer);
  if (silent) throw new OwnerSilent(pid);
}

function dial(address: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => resolve(socket));
    socket.on('error', () => resolve(undefined));
  });
}

/** The environment of an owner: these variables of the process that starts it, and `TASKLOOM_*` but not the token. */
const KEPT = [
  ...['PATH', 'HOME', 'USERPROFILE', 'LOCALAPPDATA', 'SystemRoot', 'TEMP', 'TMP', 'TMPDIR', 'TZ'],
  ...['XDG_CACHE_HOME', 'NODE_DISABLE_COMPILE_CACHE'],
];
/** In bytes. A larger log is overwritten when an owner starts. */
const LARGEST_LOG = 1_000_000;

/**
 * Starts an owner in the background, in a session of its own, so that closing a terminal does not end it.
 *
 * @param command the program, its options and its arguments
 * @returns undefined if a process cannot be started (a sandbox), or not connected to
 */
export function startOwner(
  home: string,
  [program, ...args]: [string, ...string[]],
  environment: Partial<Record<string, string>>,
): Promise<Exclude<StartOutcome, 'alone'> | undefined> {
  const log = openLog(home);
  const env = Object.fromEntries(
    Object.entries(environment).filter(
      ([name]) => KEPT.includes(name) || (name.startsWith('TASKLOOM_') && name !== 'TASKLOOM_TOKEN'),
    ),
  );
  return new Promise<Exclude<StartOutcome, 'alone'> | undefined>((resolve) => {
    try {
      const child = spawn(program, args, {
        cwd: home,
        env: { ...env, TASKLOOM_HOME: home },
        detached: true,
        windowsHide: true,
        stdio: ['ignore', 'pipe', log ?? 'ignore'],
      }) as ChildProcessByStdio<null, Readable, null>;
      child.once('error', () => resolve(undefined));
      const { stdout } = child;
      const lines = createInterface({ input: stdout });
      lines.once('line', (line) => {
        const started = parsed(line);
        resolve(started === 'alone' ? undefined : started);
        stdout.destroy();
      });
      lines.once('close', () => resolve(undefined));
      child.unref();
      setTimeout(() => resolve({ busy: child.pid }), START_TIMEOUT).unref();
    } catch {
      resolve(undefined);
    }
  }).finally(() => log !== undefined && closeSync(log));
}

function parsed(line: string): StartOutcome | undefined {
  try {
    return JSON.parse(line) as StartOutcome;
  } catch {
    return undefined; // printed by other code
  }
}

function openLog(home: string): number | undefined {
  try {
    const path = join(makeRunDirectory(home), 'owner.log');
    const isLarge = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LARGEST_LOG;
    return openSync(path, isLarge ? 'w' : 'a', 0o600);
  } catch {
    return undefined; // the owner reports the cause
  }
}
