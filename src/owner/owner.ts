import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { InMemoryTransport, type Transport } from '@modelcontextprotocol/server';
import { localPrincipal } from '../auth/local.js';
import type { OpenedStore } from '../db/connect.js';
import { type Hold, holdDirectory } from '../db/lock.js';
import { UsageError, whyNotWritten } from '../errors.js';
import { Feed } from '../feed.js';
import { once } from '../once.js';
import { buildServer, type Deps } from '../server.js';
import { type Conversation, converse, SHUTDOWN_NOTICE } from '../transports/conversation.js';
import { stdioSubscriptions } from '../transports/stdio-subscriptions.js';
import { type Announcement, announce, withdraw } from './announcement.js';
import { acceptHandshake, type Build, type OwnerRequest, type Peer, send } from './handshake.js';
import { socketTransport } from './socket-transport.js';

export interface OwnerOptions {
  /** The data directory, which exists. */
  home: string;
  build: Build;
  /** Whether it goes when another process asks for the directory: not while it serves others over HTTP. */
  retires: boolean;
  /** Opens the database in a directory that is held; `fatal` is told, last, why it can no longer keep anything. */
  open(hold: Hold, fatal: (reason: string) => never): Promise<OpenedStore>;
  deps: Omit<Deps, 'store' | 'feed'>;
  /** Runs a person's command on the opened database, and answers its exit code. */
  command(command: Command, store: () => Promise<OpenedStore>, say: CommandOutput): Promise<number>;
}

type Command = Extract<OwnerRequest, { want: 'command' }>;

interface CommandOutput {
  print(text: string): void;
  complain(text: string): void;
}

export interface Account {
  user: string;
  /** Of the account, if it is made now. */
  timezone: string;
}

/** The one process that has a data directory's database open, and serves all others. */
export interface Owner {
  store(): Promise<OpenedStore>;
  /** Tells of every write to the database, whoever made it. */
  feed: Feed;
  /** Whether other processes can connect: not where no socket can be had. */
  isShared: boolean;
  /** A connection from within this process. */
  connect(account: Account): Transport;
  /** When somebody last asked for something, in milliseconds of `performance.now()`; now, while an answer is owed or a listener waits. */
  lastUse(): number;
  /** Whether any process is connected. */
  isConnected(): boolean;
  /** Answers what was read, closes the database and gives the directory back. Whoever asked for more asks the next owner. */
  stop(): Promise<void>;
  /** Resolves when it has stopped, also where another process asked for it. */
  stopped: Promise<void>;
}

/** How long answers under way may take when the owner stops, in milliseconds. */
const STOP_TIMEOUT = 8_000;

/**
 * Takes a data directory for this process, and serves every process that connects. Connections are taken from
 * the first moment on, and answered once the database is open.
 *
 * @throws DirectoryInUse where another process has it
 */
export async function runOwner(options: OwnerOptions): Promise<Owner> {
  const { home, build, retires } = options;
  const conversations = new Set<Conversation>();
  const hold = await holdDirectory(home);
  const announcement = announceOrRelease(home, hold);
  const opening = options.open(hold, (reason) => {
    options.deps.log.fatal(reason);
    for (const each of conversations) each.tell(SHUTDOWN_NOTICE, { reason });
    process.exit(1); // before anything is answered
  });
  opening.then(
    () => options.deps.log.debug({ ms: Math.round(performance.now()) }, 'opened'),
    () => {}, // each request hears of it
  );
  const feed = new Feed({ store: () => opening, log: options.deps.log });
  const deps: Deps = { ...options.deps, store: () => opening, feed };

  const sockets = new Set<Socket>();
  const commands = new Set<Promise<unknown>>();
  let lastUse = performance.now();
  let stopping: Promise<void> | undefined;

  function serve(transport: Transport, { user, timezone }: Account): Conversation {
    // Who it is does not change; whether the account still serves is asked with every call.
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
  const wishes: {
    [W in OwnerRequest['want']]: (socket: Socket, wish: Extract<OwnerRequest, { want: W }>) => Promise<void>;
  } = {
    async mcp(socket, account) {
      await serve(socketTransport(socket), account).ended;
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
      const idle = Math.round((performance.now() - latest()) / 1000);
      send(socket, { pid: process.pid, version: build.version, connections: conversations.size, idle });
    },
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => {});
    acceptHandshake(socket, announcement.secret, self)
      .then((wish) => wishes[wish.want](socket, wish as never))
      .catch((error: Error) => deps.log.warn({ kind: error.name }, 'connection failed'))
      .finally(() => socket.end());
  });
  const isShared = await listens(server, announcement);
  if (!isShared) {
    withdraw(home, announcement);
    deps.log.warn('no socket: other processes cannot share these tasks');
  }

  function latest(): number {
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
      ...[...conversations].map((each) => each.finish(STOP_TIMEOUT)),
      Promise.race([Promise.allSettled(commands), pause(STOP_TIMEOUT, undefined, { ref: false })]),
    ]);
    for (const socket of sockets) {
      socket.destroySoon();
      setTimeout(() => socket.destroy(), STOP_TIMEOUT).unref(); // who does not read what is left must not keep this alive
    }
    await feed.close();
    await opening.then(
      (store) => store.close(),
      () => hold.release(),
    );
    done();
  }
  let done = () => {};
  const stopped = new Promise<void>((resolve) => {
    done = resolve;
  });

  return {
    store: () => opening,
    feed,
    isShared,
    connect(account) {
      const [near, far] = InMemoryTransport.createLinkedPair();
      serve(far, account);
      return near;
    },
    lastUse: latest,
    isConnected: () => conversations.size > 0,
    stop,
    stopped,
  };
}

/** The directory is held: nobody else writes there. */
function announceOrRelease(home: string, hold: Hold): Announcement {
  try {
    return announce(home);
  } catch (error) {
    hold.release();
    throw new UsageError(whyNotWritten(error), home);
  }
}

/** Where no socket can be had (a sandbox), the owner still serves its own process. */
function listens(server: Server, { address }: Announcement): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(address, () => resolve(true));
  });
}
