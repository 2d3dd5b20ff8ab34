import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';

/** Which program one end runs. `isNewer` orders builds. */
export interface Build {
  version: string;
  /** The time of the build, in milliseconds since 1970. */
  at: number;
}

/** What a connecting process asks of the owner. */
export type OwnerRequest =
  /** MCP messages follow, for this user. A new account gets this timezone. */
  | { want: 'mcp'; user: string; timezone: string }
  /** Runs a command line, given in this directory. The output comes back as lines of JSON. */
  | { want: 'command'; argv: string[]; cwd?: string | undefined; timezone: string }
  /** Gives the directory up to a later build or another owner: the owner finishes, closes and exits. */
  | { want: 'retire' }
  | { want: 'status' };

/** The owner's description of itself. */
export interface Peer {
  build: Build;
  pid: number;
  /** Whether it exits when asked to retire. */
  retires: boolean;
}

/** How long the other end may take to send a line, in milliseconds. It may be opening a database meanwhile. */
const HANDSHAKE_TIMEOUT = 15_000;
const MAX_LINE = 65_536;

/** Thrown if the other end sends nothing in time, or something that does not prove that it knows the secret. */
export class HandshakeFailed extends Error {}

/**
 * Performs the handshake of the connecting end. Resolves once the owner has proved that it knows the secret.
 *
 * @param wishing returns the request to send to this owner
 * @throws HandshakeFailed
 */
export async function connectHandshake(
  socket: Socket,
  secret: string,
  wishing: (peer: Peer) => OwnerRequest,
): Promise<Peer> {
  const nonce = randomBytes(32).toString('hex');
  send(socket, { nonce });
  const answer = (await readLine(socket)) as { nonce: string; proof: string } & Peer;
  if (!proves(answer.proof, secret, 'owner', nonce, answer.nonce)) throw new HandshakeFailed();
  send(socket, { proof: proof(secret, 'relay', answer.nonce, nonce), ...wishing(answer) });
  return answer;
}

/**
 * Performs the handshake of the owner. Resolves with the request of a process that has proved that it knows the secret.
 *
 * @throws HandshakeFailed
 */
export async function acceptHandshake(socket: Socket, secret: string, self: Peer): Promise<OwnerRequest> {
  const { nonce } = (await readLine(socket)) as { nonce: string };
  const own = randomBytes(32).toString('hex');
  send(socket, { nonce: own, proof: proof(secret, 'owner', String(nonce), own), ...self });
  const { proof: theirProof, ...wish } = (await readLine(socket)) as { proof: string } & OwnerRequest;
  if (!proves(theirProof, secret, 'relay', own, String(nonce))) throw new HandshakeFailed();
  return wish as OwnerRequest;
}

const proof = (secret: string, ...said: string[]) =>
  createHmac('sha256', Buffer.from(secret, 'hex')).update(said.join('\n')).digest('hex');

function proves(given: unknown, secret: string, ...said: string[]): boolean {
  const [a, b] = [Buffer.from(String(given)), Buffer.from(proof(secret, ...said))];
  return a.length === b.length && timingSafeEqual(a, b);
}

export const send = (socket: Socket, message: object): boolean => socket.write(`${JSON.stringify(message)}\n`);

/**
 * Reads one line of JSON. Pauses the socket, and leaves the rest in it.
 *
 * @throws HandshakeFailed if the line is late, too long or not JSON
 */
function readLine(socket: Socket): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let read = Buffer.alloc(0);
    const timer = setTimeout(() => done(new HandshakeFailed()), HANDSHAKE_TIMEOUT);
    const fail = () => done(new Error('closed'));
    const done = (error?: Error, value?: unknown) => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', fail).off('error', fail).pause();
      if (error) reject(error);
      else resolve(value);
    };
    const onData = (chunk: Buffer) => {
      read = Buffer.concat([read, chunk]);
      const end = read.indexOf('\n');
      if (end < 0) return read.length > MAX_LINE ? done(new HandshakeFailed()) : undefined;
      const rest = read.subarray(end + 1);
      try {
        const value: unknown = JSON.parse(read.subarray(0, end).toString());
        done(undefined, value);
      } catch {
        done(new HandshakeFailed());
      }
      if (rest.length > 0) socket.unshift(rest);
    };
    socket.on('data', onData).once('close', fail).once('error', fail).resume();
  });
}

/** Whether build `a` is newer than build `b`: by version, then by time of build. */
export function isNewer(a: Build, b: Build): boolean {
  const [x, y] = [a, b].map(({ version }) => version.split(/[.-]/).map(Number)) as [number[], number[]];
  for (let i = 0; i < 3; i++) if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) > (y[i] ?? 0);
  return a.at > b.at;
}
