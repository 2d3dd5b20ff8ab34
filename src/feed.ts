import type { Logger } from 'pino';
import { REFUSED_TOKEN } from './auth/tokens.js';
import { accountDisabled } from './db/as-user.js';
import type { Store } from './db/connect.js';
import type { Database } from './db/database.js';
import { isBusy, isUnreachable } from './db/database-errors.js';
import { type Backoff, listenForChanges, notifyChanges, type StartTimer, startTimer } from './db/notify.js';
import { readAsUser } from './db/read-as-user.js';
import { subscriptionState } from './db/service.js';
import { touchedSince, touches } from './domain/touched.js';
import { forbidden, refusalIn, unavailable } from './errors.js';
import { framesOf } from './log.js';
import { subjectOf } from './resources/index.js';
import { type Listener, type Subscriber, Subscribers, type UserFeed } from './subscribers.js';

/** An accepted listener. */
export interface Subscription {
  add(uris: string[]): void;
  remove(uri: string): void;
  /** Reports these URIs once, as if they had changed: for a client that may have missed changes. */
  resend(uris: string[]): void;
  close(): void;
}

/** All in milliseconds. */
export interface Timing {
  /** How long changes are collected before they are reported. */
  gather: number;
  /** Interval of the poll for missed changes and revoked rights. */
  check: number;
  /** Longest poll interval on Neon while nothing changes: an idle Neon database is suspended and costs nothing. */
  quiet: number;
  /** Delay before a broken notification connection is reopened. */
  retry: Backoff;
}

const TIMING: Timing = { gather: 75, check: 30_000, quiet: 300_000, retry: { first: 250, most: 30_000 } };

export interface FeedOptions {
  store(): Promise<Store>;
  log: Logger;
  timing?: Partial<Timing>;
  startTimer?: StartTimer;
}

/**
 * Notifies subscribers of changes. Writes of this process are reported directly, those of other processes through
 * LISTEN/NOTIFY messages that carry only user ids and change numbers. What changed is read from the user's history
 * under that user's scope, so a lost message only delays a notification until the next poll, and nothing reaches other
 * users.
 */
export class Feed {
  readonly #store: FeedOptions['store'];
  readonly #log: Logger;
  readonly #timing: Timing;
  readonly #startTimer: StartTimer;
  readonly #subscribers = new Subscribers();
  /** Users whose history must be read, or whose subscribers have URIs due, at the next flush. */
  readonly #waiting = new Set<UserFeed>();
  /** Newest change number by user id, not yet announced to other processes. */
  readonly #news = new Map<string, number>();
  #gathering: (() => void) | undefined;
  #pollTimer: (() => void) | undefined;
  /** When the next poll is due, in milliseconds of `performance.now()`. */
  #pollAt = Number.POSITIVE_INFINITY;
  #stopListening: (() => void) | undefined;
  #interval: number;
  #closed = false;

  constructor({ store, log, timing, startTimer: schedule = startTimer }: FeedOptions) {
    this.#store = store;
    this.#log = log;
    this.#timing = { ...TIMING, ...timing };
    this.#startTimer = schedule;
    this.#interval = this.#timing.check;
  }

  /** Records a committed write. `seq` is the number of the user's newest change. */
  wrote(userId: string, seq: number): void {
    if (this.#closed) return;
    this.#news.set(userId, Math.max(seq, this.#news.get(userId) ?? 0));
    this.#noteChange(userId, seq);
    this.#gather();
  }

  /**
   * Adds a subscriber. Every write that commits after this resolves is reported to it.
   *
   * @throws Refusal `forbidden` if the account is disabled or the token invalid, `rate_limited` at the subscriber
   *   limits, `unavailable` after `close`
   */
  async listen(listener: Listener, uris: string[]): Promise<Subscription> {
    const { userId } = listener.scope;
    const refuseIfFull = () => {
      if (this.#closed) throw unavailable('The server is stopping.', 'Subscribe again in a moment.');
      this.#subscribers.refuseIfFull(userId);
    };
    refuseIfFull();
    const { database } = await this.#store();
    const { users, tokens } = await subscriptionState(database, [userId], [listener.token]);
    const seen = users.get(userId);
    const remaining = tokens.get(listener.token);
    if (seen === undefined) throw accountDisabled();
    if (remaining === undefined) throw forbidden(REFUSED_TOKEN);
    refuseIfFull();

    const subscriber = this.#subscribers.add(listener, seen, performance.now() + remaining);
    const { user } = subscriber;
    this.#startListening(database, subscriber);
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
      resend: (changed) => {
        if (!user.subscribers.has(subscriber)) return;
        for (const uri of changed) if (subscriber.subjects.has(uri)) subscriber.due.add(uri);
        this.#waiting.add(user);
        this.#gather();
      },
      close: () => this.#drop(subscriber),
    };
    subscription.add(uris);
    return subscription;
  }

  /** Ends every subscription and announces pending changes to other processes. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#gathering?.();
    for (const subscriber of this.#subscribers.all()) this.#end(subscriber);
    await this.#announce();
  }

  #drop(subscriber: Subscriber): void {
    const { user } = subscriber;
    if (!this.#subscribers.remove(subscriber) || user.subscribers.size > 0) return;
    this.#waiting.delete(user);
    if (!this.#subscribers.isEmpty) return;
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

  /** Starts the poll timer and the notification connection unless they are running. */
  #startListening(database: Database, subscriber: Subscriber): void {
    const pollAt = Math.min(performance.now() + this.#timing.check, subscriber.until);
    if (pollAt < this.#pollAt) this.#arm(this.#timing.check); // new subscribers never postpone it
    const handlers = {
      heard: (userId: string, seq: number | undefined) => {
        if (seq === undefined) this.#checkSoon(userId);
        else if (this.#noteChange(userId, seq)) this.#gather();
      },
      opened: () => void this.#poll(),
      failed: (error: unknown) => this.#log.debug({ at: framesOf(error) }, 'no notifications: polling'),
    };
    this.#stopListening ??= listenForChanges(database, handlers, this.#timing.retry, this.#startTimer);
  }

  /** Queues a user for reading if `seq` is newer than its subscribers know. Returns whether it is. */
  #noteChange(userId: string, seq: number): boolean {
    const user = this.#subscribers.user(userId);
    if (!user || seq <= user.seen) return false;
    this.#waiting.add(user);
    return true;
  }

  /** Rechecks a user's subscribers now, because rights may have been revoked. */
  #checkSoon(userId: string): void {
    const user = this.#subscribers.user(userId);
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
      this.#interval = this.#timing.check; // something changed: back to the short interval
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
      this.#failed(error); // the other processes find the change with their next poll
    }
  }

  /** Reads what changed for these users and notifies the subscribers concerned. */
  async #tell(users: UserFeed[]): Promise<void> {
    const results = await Promise.allSettled(users.map((user) => this.#read(user)));
    for (const result of results) if (result.status === 'rejected') this.#failed(result.reason); // retried at the next poll
    await this.#flush(users.flatMap(({ subscribers }) => [...subscribers])).catch((error: unknown) =>
      this.#failed(error),
    );
  }

  async #read(user: UserFeed): Promise<void> {
    if (user.reading) {
      this.#waiting.add(user); // the read in progress may not see this change
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
      if (refusalIn(error)?.body.code !== 'forbidden') throw error; // rate limits are retried at the next poll too
      for (const subscriber of user.subscribers) this.#end(subscriber); // the account is disabled
    } finally {
      user.reading = false;
    }
  }

  /** Starts a delivery to each subscriber that has URIs due, is not busy and is still authorized. */
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
      this.#drop(subscriber); // the client is gone
      return;
    }
    subscriber.busy = false;
    if (subscriber.due.size === 0 || !subscriber.user.subscribers.has(subscriber)) return;
    this.#waiting.add(subscriber.user);
    this.#gather();
  }

  /** Ends subscribers that are no longer authorized. Returns the newest change number of each enabled user. */
  async #verify(subscribers: Subscriber[]): Promise<Map<string, number>> {
    const { users, tokens } = await subscriptionState(
      (await this.#store()).database,
      new Set(subscribers.map(({ user }) => user.scope.userId)),
      new Set(subscribers.map(({ listener }) => listener.token)),
    );
    const now = performance.now();
    for (const subscriber of subscribers) {
      const remaining = tokens.get(subscriber.listener.token);
      if (remaining === undefined || !users.has(subscriber.user.scope.userId)) this.#end(subscriber);
      else subscriber.until = now + remaining;
    }
    return users;
  }

  /** Rechecks every subscriber and reads missed changes, all users at once. Returns whether nothing was missed. */
  async #poll(): Promise<boolean> {
    const now = performance.now();
    for (const subscriber of this.#subscribers.all()) if (subscriber.until <= now) this.#end(subscriber);
    const subscribers = this.#subscribers.all();
    if (subscribers.length === 0) return true;
    try {
      const users = await this.#verify(subscribers);
      const behind = this.#subscribers.users().filter(({ scope, seen }) => (users.get(scope.userId) ?? 0) > seen);
      const withDue = this.#subscribers.all().flatMap(({ due, user }) => (due.size > 0 ? user : []));
      await this.#tell([...new Set([...behind, ...withDue])]);
      return behind.length === 0;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  async #pollAgain(): Promise<void> {
    const quiet = await this.#poll();
    if (this.#subscribers.isEmpty) return;
    const slowDown = quiet && (await this.#store()).database.kind === 'neon';
    this.#interval = slowDown ? Math.min(this.#interval * 2, this.#timing.quiet) : this.#timing.check;
    this.#arm(this.#interval);
  }

  /** Schedules the next poll after `interval` ms, or when the first token expires if that is sooner. */
  #arm(interval: number): void {
    const soonest = Math.min(...this.#subscribers.all().map(({ until }) => until));
    const wait = Math.max(Math.ceil(Math.min(interval, soonest - performance.now())), 1);
    this.#pollAt = performance.now() + wait;
    this.#pollTimer?.();
    this.#pollTimer = this.#startTimer(wait, () => void this.#pollAgain());
  }

  /** Logs an error, after which the next poll tries again. Only an unforeseen one is of interest. */
  #failed(error: unknown): void {
    const isForeseen = isUnreachable(error) || isBusy(error) || refusalIn(error) !== undefined;
    this.#log[isForeseen ? 'debug' : 'error']({ at: framesOf(error) }, 'subscribers were not notified');
  }
}
