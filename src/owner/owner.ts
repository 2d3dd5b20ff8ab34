import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { InMemoryTransport, type Transport } from '@modelcontextprotocol/server';
import { localPrincipal } from '../auth/local.js';
import type { OpenedStore } from '../db/connect.js';
import { type DirectoryLock, holdDirectory } from '../db/lock.js';
import { UsageError, whyNotWritten } from '../errors.js';
import { Feed } from '../feed.js';
import { once } from '../once.js';
import { buildServer } from '../server.js';
import type { Deps } from '../tool-calls.js';
import { type Conversation, converse, SHUTDOWN_NOTICE } from '../transports/conversation.js';
import { stdioSubscriptions } from '../transports/stdio-subscriptions.js';
import { type Announcement, announce, withdraw } from './announcement.js';
import { acceptHandshake, type Build, type OwnerRequest, type Peer, send } from './handshake.js';
import { SocketTransport } from './socket-transport.js';

export interface OwnerOptions {
  /** The data directory. It must exist. */
  home: string;
  build: Build;
  /** Whether it gives the directory up when another process asks for it: not if it serves over HTTP. */
  retires: boolean;
  /** Opens the database in a held directory. Calls `fatal`, which exits the process, when it can no longer write. */
  open(hold: DirectoryLock, fatal: (reason: string) => never): Promise<OpenedStore>;
  deps: Omit<Deps, 'store' | 'feed'>;
  /** Runs a command line on the opened database, and returns its exit code. */
  command(command: Command, store: () => Promise<OpenedStore>, say: CommandOutput): Promise<number>;
}

type Command = Extract<OwnerRequest, { want: 'command' }>;

interface CommandOutput {
  print(text: string): void;
  complain(text: string): void;
}

export interface Account {
  user: string;
  /** For the account, if it is created now. */
  timezone: string;
}

/** The process that has the database of a data directory open, and serves all other processes. */
export interface Owner {
  store(): Promise<OpenedStore>;
  /** Publishes every write to the database, by whichever process. */
  feed: Feed;
  /** Whether other processes can connect: false if no socket can be opened. */
  isShared: boolean;
  /** Connects from within this process. */
  connect(account: Account): Transport;
  /**
   * When a client last asked for something, in milliseconds of `performance.now()`; now while a request or
   * subscription is open.
   */
  lastUse(): number;
  /** Whether any client is connected. */
  isConnected(): boolean;
  /** Answers the requests already read, closes the database and releases the directory to the next owner. */
  stop(): Promise<void>;
  /** Resolves when it has stopped, including at the request of another process. */
  stopped: Promise<void>;
}

/** How long pending answers may take when the owner stops, in milliseconds. */
const STOP_TIMEOUT = 8_000;

/**
 * Makes this process the owner of a data directory, and serves every process that connects. Accepts connections at
 * once, and answers them when the database is open.
 *
 * @throws DirectoryInUse if another process owns it
 * @throws UsageError if the directory cannot be written to
 */
export async function runOwner(options: OwnerOptions): Promise<Owner> {
  const { home, build, retires } = options;
  const conversations = new Set<Conversation>();
  const hold = await holdDirectory(home);
  const announcement = announceOrRelease(home, hold);
  const opening = options.open(hold, (reason) => {
    options.deps.log.fatal(reason);
    for (const each of conversations) each.notify(SHUTDOWN_NOTICE, { reason });
    process.exit(1); // before the failed write is acknowledged
  });
  opening.then(
    () => options.deps.log.debug({ ms: Math.round(performance.now()) }, 'opened'),
    () => {}, // each request reports the failure
  );
  const feed = new Feed({ store: () => opening, log: options.deps.log });
  const deps: Deps = { ...options.deps, store: () => opening, feed };

  const sockets = new Set<Socket>();
  const commands = new Set<Promise<unknown>>();
  let lastUse = performance.now();
  let stopping: Promise<void> | undefined;
  let done = () => {};
  const stopped = new Promise<void>((resolve) => {
    done = resolve;
  });

  function serve(transport: Transport, { user, timezone }: Account): Conversation {
    // The user is looked up once; whether the account is still open is checked by every call.
    const principal = once(async () => localPrincipal((await opening).database, user, timezone));
    const conversation = converse(transport, deps.log, () => buildServer(deps, principal.get), {
      subscriptions: stdioSubscriptions,
    });
    conversations.add(conversation);
    conversation.ended.then(() => {
      lastUse = Math.max(lastUse, conversation.lastUse());
      conversations.delete(conversation);
    });
    return conversation;
  }

  const self: Peer = { build, pid: process.pid, retires };
  const handlers: {
    [W in OwnerRequest['want']]: (socket: Socket, request: Extract<OwnerRequest, { want: W }>) => Promise<void>;
  } = {
    async mcp(socket, account) {
      await serve(new SocketTransport(socket), account).ended;
    },
    async command(socket, command) {
      const say: CommandOutput = { print: (out) => send(socket, { out }), complain: (err) => send(socket, { err }) };
      const running = options.command(command, () => opening, say).then((code) => send(socket, { code }));
      commands.add(running);
      await running.finally(() => {
        lastUse = performance.now();
        commands.delete(running);
      });
    },
    async retire() {
      if (retires) await stop();
    },
    async status(socket) {
      const idle = Math.round((performance.now() - latestUse()) / 1000);
      send(socket, { pid: process.pid, version: build.version, connections: conversations.size, idle });
    },
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => {});
    acceptHandshake(socket, announcement.secret, self)
      .then((request) => handlers[request.want](socket, request as never))
      .catch((error: Error) => deps.log.warn({ kind: error.name }, 'connection failed'))
      .finally(() => socket.end());
  });
  const isShared = await listen(server, announcement);
  if (!isShared) {
    withdraw(home, announcement);
    deps.log.warn('no socket: other processes cannot share these tasks');
  }

  function latestUse(): number {
    if (commands.size > 0) lastUse = performance.now();
    for (const each of conversations) lastUse = Math.max(lastUse, each.lastUse());
    return lastUse;
  }

  function stop(): Promise<void> {
    stopping ??= close();
    return stopping;
  }
  async function close(): Promise<void> {
    withdraw(home, announcement);
    server.close();
    await Promise.all([
      ...[...conversations].map((each) => each.drain(STOP_TIMEOUT)),
      Promise.race([Promise.allSettled(commands), pause(STOP_TIMEOUT, undefined, { ref: false })]),
    ]);
    for (const socket of sockets) {
      socket.destroySoon();
      setTimeout(() => socket.destroy(), STOP_TIMEOUT).unref(); // a stalled client must not keep the process alive
    }
    await feed.close();
    await opening.then(
      (store) => store.close(),
      () => hold.release(),
    );
    done();
  }
  return {
    store: () => opening,
    feed,
    isShared,
    connect(account) {
      const [near, far] = InMemoryTransport.createLinkedPair();
      serve(far, account);
      return near;
    },
    lastUse: latestUse,
    isConnected: () => conversations.size > 0,
    stop,
    stopped,
  };
}

/**
 * Announces this process as the owner of a directory that it holds. If that fails, releases the directory.
 *
 * @throws UsageError if the directory cannot be written to
 */
function announceOrRelease(home: string, hold: DirectoryLock): Announcement {
  try {
    return announce(home);
  } catch (error) {
    hold.release();
    throw new UsageError(whyNotWritten(error), home);
  }
}

/** Listens for connections. Resolves to false if it cannot (a sandbox): the owner then serves its own process alone. */
function listen(server: Server, { address }: Announcement): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(address, () => resolve(true));
  });
}
