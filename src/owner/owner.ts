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
import { acceptHandshake, type Build, type OwnerRequest, send } from './handshake.js';
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
  const lock = await holdDirectory(options.home);
  const owner = new Owner(options, lock, announceOrRelease(options.home, lock));
  await owner.share();
  return owner;
}

type Handlers = {
  [W in OwnerRequest['want']]: (socket: Socket, request: Extract<OwnerRequest, { want: W }>) => Promise<void>;
};

/** The process that has the database of a data directory open, and serves all other processes. */
export class Owner {
  /** What serves its clients. The feed publishes every write to the database, by whichever process. */
  readonly deps: Deps;
  /** Whether other processes can connect: false if no socket can be opened. */
  isShared = false;
  /** Resolves when it has stopped, including at the request of another process. */
  readonly stopped: Promise<void>;
  readonly #opening: Promise<OpenedStore>;
  readonly #feed: Feed;
  readonly #conversations = new Set<Conversation>();
  readonly #sockets = new Set<Socket>();
  readonly #commands = new Set<Promise<unknown>>();
  readonly #server = createServer((socket) => this.#accept(socket));
  #lastUse = performance.now();
  #stopping: Promise<void> | undefined;
  #markStopped = () => {};

  constructor(
    private readonly options: OwnerOptions,
    private readonly lock: DirectoryLock,
    private readonly announcement: Announcement,
  ) {
    const { log } = options.deps;
    this.#opening = options.open(lock, (reason) => {
      log.fatal(reason);
      for (const each of this.#conversations)
        each.send({ jsonrpc: '2.0', method: SHUTDOWN_NOTICE, params: { reason } }).catch(() => {});
      process.exit(1); // before the failed write is acknowledged
    });
    this.#opening.then(
      () => log.debug({ ms: Math.round(performance.now()) }, 'opened'),
      () => {}, // each request reports the failure
    );
    this.#feed = new Feed({ store: this.store, log });
    this.deps = { ...options.deps, store: this.store, feed: this.#feed };
    this.stopped = new Promise((resolve) => {
      this.#markStopped = resolve;
    });
  }

  readonly store = (): Promise<OpenedStore> => this.#opening;

  /** Listens for other processes. */
  async share(): Promise<void> {
    this.isShared = await listen(this.#server, this.announcement);
    if (this.isShared) return;
    withdraw(this.options.home, this.announcement);
    this.deps.log.warn('no socket: other processes cannot share these tasks');
  }

  /** Connects from within this process. */
  connect(account: Account): Transport {
    const [near, far] = InMemoryTransport.createLinkedPair();
    this.#serve(far, account);
    return near;
  }

  /**
   * When a client last asked for something, in milliseconds of `performance.now()`; now while a request or
   * subscription is open.
   */
  lastUse(): number {
    if (this.#commands.size > 0) this.#lastUse = performance.now();
    for (const each of this.#conversations) this.#lastUse = Math.max(this.#lastUse, each.lastUse());
    return this.#lastUse;
  }

  /** Whether any client is connected. */
  isConnected(): boolean {
    return this.#conversations.size > 0;
  }

  /** Answers the requests already read, closes the database and releases the directory to the next owner. */
  readonly stop = (): Promise<void> => {
    this.#stopping ??= this.#close();
    return this.#stopping;
  };

  #accept(socket: Socket): void {
    const { build, retires } = this.options;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket)).on('error', () => {});
    acceptHandshake(socket, this.announcement.secret, { build, pid: process.pid, retires })
      .then((request) => this.#handlers[request.want](socket, request as never))
      .catch((error: Error) => this.deps.log.warn({ kind: error.name }, 'connection failed'))
      .finally(() => socket.end());
  }

  readonly #handlers: Handlers = {
    mcp: (socket, account) => this.#serve(new SocketTransport(socket), account).ended,
    command: async (socket, command) => {
      const say: CommandOutput = { print: (out) => send(socket, { out }), complain: (err) => send(socket, { err }) };
      const running = this.options.command(command, this.store, say).then((code) => send(socket, { code }));
      this.#commands.add(running);
      await running.finally(() => {
        this.#lastUse = performance.now();
        this.#commands.delete(running);
      });
    },
    retire: async () => {
      if (this.options.retires) await this.stop();
    },
    status: async (socket) => {
      const { version } = this.options.build;
      const idle = Math.round((performance.now() - this.lastUse()) / 1000);
      send(socket, { pid: process.pid, version, connections: this.#conversations.size, idle });
    },
  };

  #serve(transport: Transport, { user, timezone }: Account): Conversation {
    // The user is looked up once; whether the account is still open is checked by every call.
    const principal = once(async () => localPrincipal((await this.#opening).database, user, timezone));
    const conversation = converse(transport, this.deps.log, () => buildServer(this.deps, principal.get), {
      subscriptions: stdioSubscriptions,
    });
    this.#conversations.add(conversation);
    conversation.ended.then(() => {
      this.#lastUse = Math.max(this.#lastUse, conversation.lastUse());
      this.#conversations.delete(conversation);
    });
    return conversation;
  }

  async #close(): Promise<void> {
    withdraw(this.options.home, this.announcement);
    this.#server.close();
    await Promise.all([
      ...[...this.#conversations].map((each) => each.drain(STOP_TIMEOUT)),
      Promise.race([Promise.allSettled(this.#commands), pause(STOP_TIMEOUT, undefined, { ref: false })]),
    ]);
    for (const socket of this.#sockets) {
      socket.destroySoon();
      setTimeout(() => socket.destroy(), STOP_TIMEOUT).unref(); // a stalled client must not keep the process alive
    }
    await this.#feed.close();
    await this.#opening.then(
      (store) => store.close(),
      () => this.lock.release(),
    );
    this.#markStopped();
  }
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
