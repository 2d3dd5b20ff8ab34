import type { Logger } from 'pino';
import type { Store } from './db/connect.js';
import { type Backoff, listenForChanges, notifyChanges, type StartTimer, startTimer } from './db/notify.js';
import { asService, readAsUser, type UserScope } from './db/scope.js';
import { type Subject, touchedSince, touches } from './domain/touched.js';
import { forbidden, rateLimited, refusalIn, unavailable } from './errors.js';
import { subjectOf } from './resources/index.js';

/** Who wants to be told, and how. */
export interface Listener {
  scope: UserScope;
  /** The hash of the token that it listens by. It hears nothing more once that is revoked or expired. */
  token?: string;
  /** Tells that these addresses may read differently. Resolves when the reader has taken it: until then, more is gathered. */
  deliver(uris: string[]): Promise<void>;
  /** It may listen no longer. */
  end(): void;
}

/** A listener that was let in. */
export interface Subscription {
  add(uris: string[]): void;
  remove(uri: string): void;
  /** Tells of all of these once, as if they had changed: for whoever may have missed something. */
  again(uris: string[]): void;
  close(): void;
}

/** Milliseconds. */
export interface Timing {
  /** For how long changes are gathered before anybody is told of them. */
  gather: number;
  /** Between two looks at whether something was missed, and who may still listen. */
  check: number;
  /** The same on Neon while nothing happens, at most: a database that is asked nothing falls asleep, and costs nothing. */
  quiet: number;
  /** Before a connection that broke is opened again. */
  retry: Backoff;
}

const TIMING: Timing = { gather: 75, check: 30_000, quiet: 300_000, retry: { first: 250, most: 30_000 } };

/** How many may listen in one process, and how many of them as one user. */
const MAX_SUBSCRIBERS = 1000;
const MAX_PER_USER = 200;

/** One user, as long as somebody listens. */
interface UserFeed {
  scope: UserScope;
  /** Up to which change listeners were told, or need not be. */
  seen: number;
  reading: boolean;
  subscribers: Set<Subscriber>;
}

interface Subscriber {
  listener: Listener;
  user: UserFeed;
  subjects: Map<string, Subject>;
  /** Addresses to tell of. Never more than it has subjects, however slowly it reads. */
  due: Set<string>;
  /** It is being told something. */
  busy: boolean;
  /** When its token expires, on this process's steady clock. */
  until: number;
}

export interface FeedOptions {
  store(): Promise<Store>;
  log: Logger;
  timing?: Partial<Timing>;
  after?: StartTimer;
}

/**
 * Tells listeners of what changes. Writes of this process are heard at once, and those of others over a line that
 * carries users and numbers alone; what changed is read from the user's own history, under the user's own scope. So a
 * message that is lost costs a delay, up to the next look, and nothing is ever told to somebody else.
 */
export class Feed {
  readonly #store: FeedOptions['store'];
  readonly #log: Logger;
  readonly #timing: Timing;
  readonly #startTimer: StartTimer;
  readonly #users = new Map<string, UserFeed>();
  /** Users whose history is to be looked at, and who have something to be told. */
  readonly #waiting = new Set<UserFeed>();
  /** What other processes are to be told. */
  readonly #news = new Map<string, number>();
  #gathering: (() => void) | undefined;
  #pollTimer: (() => void) | undefined;
  /** When the next look is due, in milliseconds of `performance.now()`. */
  #pollAt = Number.POSITIVE_INFINITY;
  #stopListening: (() => void) | undefined;
  #interval: number;
  #closed = false;

  constructor({ store, log, timing, after: later = startTimer }: FeedOptions) {
    this.#store = store;
    this.#log = log;
    this.#timing = { ...TIMING, ...timing };
    this.#startTimer = later;
    this.#interval = this.#timing.check;
  }

  /** Called for every write, once it is committed: up to which change its user has come. */
  wrote(userId: string, seq: number): void {
    if (this.#closed) return;
    this.#news.set(userId, Math.max(seq, this.#news.get(userId) ?? 0));
    this.#noteChange(userId, seq);
    this.#gather();
  }

  /**
   * Lets a listener in. Whatever is written from the moment this resolves, it will be told of.
   *
   * @throws Refusal where it may not listen, or too many do
   */
  async listen(listener: Listener, uris: string[]): Promise<Subscription> {
    const { userId } = listener.scope;
    const refuseFull = () => {
      if (this.#closed) throw unavailable('The server is stopping.', 'Subscribe again in a moment.');
      if (
        this.#subscribers().length >= MAX_SUBSCRIBERS ||
        (this.#users.get(userId)?.subscribers.size ?? 0) >= MAX_PER_USER
      )
        throw rateLimited('Too many subscriptions are open.', 'End some of them, or try again later.');
    };
    refuseFull();
    const { users, tokens } = await this.#queryState([userId], listener.token ? [listener.token] : []);
    const seen = users.get(userId);
    const left = listener.token === undefined ? Number.POSITIVE_INFINITY : tokens.get(listener.token);
    if (seen === undefined) throw forbidden('This account is disabled.', 'Ask whoever runs this server.');
    if (left === undefined) throw forbidden('This token is unknown, expired or revoked.');
    refuseFull();

    const user: UserFeed = this.#users.get(userId) ?? {
      scope: { ...listener.scope },
      seen,
      reading: false,
      subscribers: new Set(),
    };
    this.#users.set(userId, user);
    const subscriber: Subscriber = {
      listener,
      user,
      subjects: new Map(),
      due: new Set(),
      busy: false,
      until: performance.now() + left,
    };
    user.subscribers.add(subscriber);
    this.#startListening(subscriber);
    const subscription: Subscription = {
      add: (more) => {
        for (const uri of more) {
          const subject = subjectOf(uri);
          if (subject !== undefined) subscriber.subjects.set(uri, subject);
        }
      },
      remove: (uri) => {
        subscriber.subjects.delete(uri);
        subscriber.due.delete(uri);
      },
      again: (known) => {
        if (!user.subscribers.has(subscriber)) return;
        for (const uri of known) if (subscriber.subjects.has(uri)) subscriber.due.add(uri);
        this.#waiting.add(user);
        this.#gather();
      },
      close: () => this.#drop(subscriber),
    };
    subscription.add(uris);
    return subscription;
  }

  /** Tells other processes what they have not been told yet, and ends every subscription. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#gathering?.();
    for (const subscriber of this.#subscribers()) this.#end(subscriber);
    await this.#announce();
  }

  #subscribers(): Subscriber[] {
    return [...this.#users.values()].flatMap(({ subscribers }) => [...subscribers]);
  }

  #drop(subscriber: Subscriber): void {
    const { user } = subscriber;
    if (!user.subscribers.delete(subscriber)) return;
    if (user.subscribers.size > 0) return;
    this.#users.delete(user.scope.userId);
    this.#waiting.delete(user);
    if (this.#users.size > 0) return;
    this.#stopListening?.();
    this.#pollTimer?.();
    this.#stopListening = undefined;
    this.#pollTimer = undefined;
    this.#pollAt = Number.POSITIVE_INFINITY;
  }

  #end(subscriber: Subscriber): void {
    if (!subscriber.user.subscribers.has(subscriber)) return;
    this.#drop(subscriber);
    subscriber.listener.end();
  }

  /** Opens what is needed while somebody listens. */
  #startListening(subscriber: Subscriber): void {
    const soon = Math.min(performance.now() + this.#timing.check, subscriber.until);
    if (soon < this.#pollAt) this.#arm(this.#timing.check); // never put off, however many join
    if (this.#stopListening) return;
    let stopped = false;
    let stop = () => {};
    this.#stopListening = () => {
      stopped = true;
      stop();
    };
    this.#store().then(
      ({ database }) => {
        if (stopped) return;
        const handlers = {
          heard: (userId: string, seq: number | undefined) => {
            if (seq === undefined) this.#checkSoon(userId);
            else if (this.#noteChange(userId, seq)) this.#gather();
          },
          opened: () => void this.#poll(),
          failed: (error: unknown) => this.#failed(error),
        };
        stop = listenForChanges(database, handlers, this.#timing.retry, this.#startTimer);
      },
      () => {},
    );
  }

  /** Notes that a user has come to this change, and answers whether that is news to somebody. */
  #noteChange(userId: string, seq: number): boolean {
    const user = this.#users.get(userId);
    if (!user || seq <= user.seen) return false;
    this.#waiting.add(user);
    return true;
  }

  /** Somebody took rights away: who listens is looked at now. */
  #checkSoon(userId: string): void {
    const user = this.#users.get(userId);
    if (user) void this.#verify([...user.subscribers]).catch((error: unknown) => this.#failed(error));
  }

  #gather(): void {
    this.#gathering ??= this.#startTimer(this.#timing.gather, () => {
      this.#gathering = undefined;
      void this.#announce();
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      if (waiting.length === 0) return;
      void this.#tell(waiting);
      if (this.#interval === this.#timing.check) return;
      this.#interval = this.#timing.check; // it is quiet no more
      this.#arm(this.#interval);
    });
  }

  async #announce(): Promise<void> {
    const news = new Map(this.#news);
    this.#news.clear();
    if (news.size === 0) return;
    try {
      await notifyChanges((await this.#store()).database, news);
    } catch (error) {
      this.#failed(error); // whoever listens elsewhere will look for themselves
    }
  }

  /** Looks at what changed for these users, and tells those whom it concerns. */
  async #tell(users: UserFeed[]): Promise<void> {
    const read = await Promise.allSettled(users.map((user) => this.#read(user)));
    for (const each of read) if (each.status === 'rejected') this.#failed(each.reason); // it is tried again with the next look
    await this.#flush(users.flatMap(({ subscribers }) => [...subscribers])).catch((error: unknown) =>
      this.#failed(error),
    );
  }

  async #read(user: UserFeed): Promise<void> {
    if (user.reading) {
      this.#waiting.add(user); // what is being read may not have this change yet
      this.#gather();
      return;
    }
    user.reading = true;
    try {
      const { database } = await this.#store();
      const touched = await readAsUser(database, user.scope, (tx) => touchedSince(tx, user.seen));
      user.seen = Math.max(user.seen, touched.seq);
      for (const { subjects, due } of user.subscribers)
        for (const [uri, subject] of subjects) if (touches(touched, subject)) due.add(uri);
    } catch (error) {
      if (refusalIn(error)?.body.code !== 'forbidden') throw error; // too much at once is tried again, too
      for (const subscriber of user.subscribers) this.#end(subscriber); // the account is disabled
    } finally {
      user.reading = false;
    }
  }

  /** Tells those who have something due and are not being told already, if they still may listen. */
  async #flush(subscribers: Subscriber[]): Promise<void> {
    const ready = subscribers.filter(({ due, busy }) => due.size > 0 && !busy);
    if (ready.length === 0) return;
    for (const subscriber of ready) subscriber.busy = true;
    try {
      await this.#verify(ready);
    } catch (error) {
      for (const subscriber of ready) subscriber.busy = false;
      throw error;
    }
    for (const subscriber of ready) if (subscriber.user.subscribers.has(subscriber)) void this.#deliver(subscriber);
  }

  async #deliver(subscriber: Subscriber): Promise<void> {
    const uris = [...subscriber.due];
    subscriber.due.clear();
    try {
      if (uris.length > 0) await subscriber.listener.deliver(uris);
    } catch {
      this.#drop(subscriber); // there is nobody any more
      return;
    }
    subscriber.busy = false;
    if (subscriber.due.size === 0 || !subscriber.user.subscribers.has(subscriber)) return;
    this.#waiting.add(subscriber.user);
    this.#gather();
  }

  /** Ends those who may listen no longer. Answers how far each user has come. */
  async #verify(subscribers: Subscriber[]): Promise<Map<string, number>> {
    const hashes = new Set(subscribers.flatMap(({ listener: { token } }) => (token === undefined ? [] : [token])));
    const { users, tokens } = await this.#queryState(new Set(subscribers.map(({ user }) => user.scope.userId)), hashes);
    const now = performance.now();
    for (const subscriber of subscribers) {
      const { token } = subscriber.listener;
      const left = token === undefined ? Number.POSITIVE_INFINITY : tokens.get(token);
      if (left === undefined || !users.has(subscriber.user.scope.userId)) this.#end(subscriber);
      else subscriber.until = now + left;
    }
    return users;
  }

  /** How far users have come whose accounts are open, and for how long tokens are still good. */
  async #queryState(userIds: Iterable<string>, hashes: Iterable<string>) {
    const { database } = await this.#store();
    const rows = await asService(
      database,
      `select 'user', u.user_id::text, u.change_seq::double precision from taskloom.change_seqs($1::uuid[]) u
       union all select 'token', t.hash, t.left_ms from taskloom.live_tokens($2::text[]) t`,
      [`{${[...userIds].join()}}`, `{${[...hashes].join()}}`],
    );
    const users = new Map<string, number>();
    const tokens = new Map<string, number>();
    for (const [kind, key, value] of rows)
      if (kind === 'user') users.set(String(key), Number(value));
      else tokens.set(String(key), value === null ? Number.POSITIVE_INFINITY : Number(value));
    return { users, tokens };
  }

  /** Looks for what was missed, at all users at once, and for who may still listen. Answers whether nothing was. */
  async #poll(): Promise<boolean> {
    const now = performance.now();
    for (const subscriber of this.#subscribers()) if (subscriber.until <= now) this.#end(subscriber);
    const subscribers = this.#subscribers();
    if (subscribers.length === 0) return true;
    try {
      const users = await this.#verify(subscribers);
      const behind = [...this.#users.values()].filter(({ scope, seen }) => (users.get(scope.userId) ?? 0) > seen);
      const owed = this.#subscribers().flatMap(({ due, user }) => (due.size > 0 ? user : []));
      await this.#tell([...new Set([...behind, ...owed])]);
      return behind.length === 0;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  async #pollAgain(): Promise<void> {
    const quiet = await this.#poll();
    if (this.#users.size === 0) return;
    const sleeps = quiet && (await this.#store()).database.kind === 'neon';
    this.#interval = sleeps ? Math.min(this.#interval * 2, this.#timing.quiet) : this.#timing.check;
    this.#arm(this.#interval);
  }

  /** The next look: when it is time, or when the first token expires. */
  #arm(interval: number): void {
    const soonest = Math.min(...this.#subscribers().map(({ until }) => until));
    const wait = Math.max(Math.ceil(Math.min(interval, soonest - performance.now())), 1);
    this.#pollAt = performance.now() + wait;
    this.#pollTimer?.();
    this.#pollTimer = this.#startTimer(wait, () => void this.#pollAgain());
  }

  #failed(error: unknown): void {
    this.#log.debug({ kind: error instanceof Error ? error.name : typeof error }, 'feed');
  }
}
