import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** How to reach the owner of a data directory. Stored in a private file of that directory, `run/owner.json`. */
export interface Announcement {
  pid: number;
  /** Path of a Unix socket, or name of a Windows pipe. */
  address: string;
  /** Hex. Both ends prove that they know it before they exchange anything else. */
  secret: string;
  /** Device and inode of the directory, `dev:ino`: a copied directory does not lead to the original's owner. */
  directory: string;
}

/** The longest path of a socket that works on every system, in bytes. */
const MAX_SOCKET_PATH = 100;

const runDirectory = (home: string) => join(home, 'run');
const fileIn = (home: string) => join(runDirectory(home), 'owner.json');

function identity(home: string): string {
  const { dev, ino } = statSync(home, { bigint: true });
  return `${dev}:${ino}`;
}

/** Makes the private directory `run` for the socket, the announcement and the log, and returns its path. */
export function makeRunDirectory(home: string): string {
  const path = runDirectory(home);
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o700);
  return path;
}

/**
 * Chooses a new address and secret, and announces them atomically. Only the holder of the directory's lock may call it:
 * it removes the sockets of earlier owners.
 */
export function announce(home: string): Announcement {
  removeTemporarySocket(readAnnouncement(home));
  const announcement = {
    pid: process.pid,
    address: newAddress(makeRunDirectory(home)),
    secret: randomBytes(32).toString('hex'),
    directory: identity(home),
  };
  const path = fileIn(home);
  writeFileSync(`${path}.new`, JSON.stringify(announcement), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return announcement;
}

function newAddress(directory: string): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\taskloom-${randomBytes(16).toString('hex')}`;
  // Sockets of earlier owners.
  for (const name of readdirSync(directory)) if (SOCKET.test(name)) rmSync(join(directory, name), { force: true });
  // A unique name, so that an owner that exits late removes its own socket, not its successor's.
  const path = join(directory, `owner-${randomBytes(4).toString('hex')}.sock`);
  return Buffer.byteLength(path) > MAX_SOCKET_PATH
    ? join(mkdtempSync(join(tmpdir(), 'taskloom-')), 'owner.sock')
    : path;
}

/** Removes the socket in a temporary directory that an earlier owner left when it was killed. */
function removeTemporarySocket(earlier: Announcement | undefined): void {
  if (process.platform === 'win32' || !earlier || !TEMPORARY_SOCKET.test(earlier.address)) return;
  const directory = dirname(earlier.address);
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (!found?.isDirectory() || found.uid !== process.getuid?.()) return;
  try {
    rmSync(earlier.address, { force: true });
    rmdirSync(directory);
  } catch {} // it has other contents
}

const TEMPORARY_SOCKET = /\/taskloom-\w{6}\/owner\.sock$/;

const SOCKET = /^owner(?:-[0-9a-f]+)?\.sock$/;

/** Removes an announcement and its socket. Leaves the announcement of a later owner alone. */
export function withdraw(home: string, { address, secret }: Announcement): void {
  if (readAnnouncement(home)?.secret === secret) rmSync(fileIn(home), { force: true });
  if (process.platform === 'win32') return;
  rmSync(address, { force: true });
  if (dirname(address) !== runDirectory(home)) rmSync(dirname(address), { recursive: true, force: true });
}

/** Returns what the owner of a directory announced, if anything. The owner may have exited since. */
export function readAnnouncement(home: string): Announcement | undefined {
  try {
    const found = JSON.parse(readFileSync(fileIn(home), 'utf8')) as Announcement;
    return found.directory === identity(home) ? found : undefined;
  } catch {
    return undefined;
  }
}
