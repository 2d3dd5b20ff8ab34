import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** How to reach the process that has a data directory. Kept in a private file of that directory. */
export interface Announcement {
  pid: number;
  /** Path of a socket, or name of a pipe. */
  address: string;
  /** Hex. Both ends prove that they know it before anything else is said. */
  secret: string;
  /** Which directory it stands in: a copied directory does not lead to the original's owner. */
  directory: string;
}

/** A path of a socket must be shorter than this on every system, in bytes. */
const MAX_SOCKET_PATH = 100;

const runDirectory = (home: string) => join(home, 'run');
const file = (home: string) => join(runDirectory(home), 'owner.json');

function identity(home: string): string {
  const { dev, ino } = statSync(home, { bigint: true });
  return `${dev}:${ino}`;
}

/** Makes the private directory beside the data, for the socket, this file and the log. */
export function makeRunDirectory(home: string): string {
  const path = runDirectory(home);
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o700);
  return path;
}

/**
 * Chooses a new address and secret, and lets others find them, from one moment to the next. For the holder of the
 * directory's lock alone: what an earlier one left is removed.
 */
export function announce(home: string): Announcement {
  const announcement = {
    pid: process.pid,
    address: newAddress(makeRunDirectory(home)),
    secret: randomBytes(32).toString('hex'),
    directory: identity(home),
  };
  const path = file(home);
  writeFileSync(`${path}.new`, JSON.stringify(announcement), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return announcement;
}

function newAddress(directory: string): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\taskloom-${randomBytes(16).toString('hex')}`;
  for (const name of readdirSync(directory)) if (SOCKET.test(name)) rmSync(join(directory, name), { force: true }); // of owners that are gone
  // Of a name that no other has: an owner that ends late removes its own, and not that of the next.
  const path = join(directory, `owner-${randomBytes(4).toString('hex')}.sock`);
  return Buffer.byteLength(path) > MAX_SOCKET_PATH
    ? join(mkdtempSync(join(tmpdir(), 'taskloom-')), 'owner.sock')
    : path;
}

const SOCKET = /^owner(?:-[0-9a-f]+)?\.sock$/;

/** Takes back what was announced; the next owner's is left alone. */
export function withdraw(home: string, { address, secret }: Announcement): void {
  if (readAnnouncement(home)?.secret === secret) rmSync(file(home), { force: true });
  if (process.platform === 'win32') return;
  rmSync(address, { force: true });
  if (dirname(address) !== runDirectory(home)) rmSync(dirname(address), { recursive: true, force: true });
}

/** What the owner of this directory announced. It may be gone since. */
export function readAnnouncement(home: string): Announcement | undefined {
  try {
    const found = JSON.parse(readFileSync(file(home), 'utf8')) as Announcement;
    return found.directory === identity(home) ? found : undefined;
  } catch {
    return undefined;
  }
}
