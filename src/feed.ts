import type { Logger } from 'pino';
import type { Store } from './db/connect.js';
import { type After, after, announce, hear, type Retry } from './db/notify.js';
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
export interface Pace {
  /** For how long changes are gathered before anybody is told of them. */
  gather: number;
  /** Between two looks at whether something was missed, and who may still listen. */
  check: number;
  /** The same on Neon while nothing happens, at most: a database that is asked nothing falls asleep, and costs nothing. */
  quiet: number;
  /** Before a connection that broke is opened again. */
  retry: Retry;
}

const PACE: Pace = { gather: 75, check: 30_000, quiet: 300_000, retry: { first: 250, most: 30_000 } };

/** How many may listen in one process, and how many of them as one user. */
const MOST = 1000;
const MOST_OF_ONE = 200;

/** One user, as long as somebody listens. */
interface Heard {
  scope: UserScope;
  /** Up to which change listeners were told, or need not be. */
  seen: number;
  reading: boolean;
  ears: Set<Ear>;
}

interface Ear {
  listener: Listener;
  user: Heard;
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
  pace?: Partial<Pace>;
  after?: After;
}

/**
 * Tells listeners of what changes. Writes of this process are heard at once, and those of others over a line that
 * carries users and numbers alone; what changed is read from the user's own history, under the user's own scope. So a
 * message that is lost costs a delay, up to the next look, and nothing is ever told to somebody else.
 */
export class Feed {
  readonly #store: FeedOptions['store'];
  readonly #log: Logger;
  readonly #pace: Pace;
  readonly #after: After;
  readonly #users = new Map<string, Heard>();
  /** Users whose history is to be looked at, and who have something to be told. */
  readonly #waiting = new Set<Heard>();
  /** What other processes are to be told. */
  readonly #news = new Map<string, number>();
  #gathering: (() => void) | undefined;
  #round: (() => void) | undefined;
  /** When the next look is due, in milliseconds of `performance.now()`. */
  #roundAt = Number.POSITIVE_INFINITY;
  #hangUp: (() => void) | undefined;
  #interval: number;
  #closed = false;

  constructor({ store, log, pace, after: later = after }: FeedOptions) {
    this.#store = store;
    this.#log = log;
    this.#pace = { ...PACE, ...pace };
    this.#after = later;
    this.#interval = this.#pace.check;
  }

  /** Called for every write, once it is committed: up to which change its user has come. */
  wrote(userId: string, seq: number): void {
    if (this.#closed) return;
    this.#news.set(userId, Math.max(seq, this.#news.get(userId) ?? 0));
    this.#hear(userId, seq);
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
      if (this.#ears().length >= MOST || (this.#users.get(userId)?.ears.size ?? 0) >= MOST_OF_ONE)
        throw rateLimited('Too many subscriptions are open.', 'End some of them, or try again later.');
    };
    refuseFull();
    const { users, tokens } = await this.#ask([userId], listener.token ? [listener.token] : []);
    const seen = users.get(userId);
    const left = listener.token === undefined ? Number.POSITIVE_INFINITY : tokens.get(listener.token);
    if (seen === undefined) throw forbidden('This account is disabled.', 'Ask whoever runs this server.');
    if (left === undefined) throw forbidden('This token is unknown, expired or revoked.');
    refuseFull();

    const user: Heard = this.#users.get(userId) ?? {
      scope: { ...listener.scope },
      seen,
      reading: false,
      ears: new Set(),
    };
    this.#users.set(userId, user);
    const ear: Ear = {
      listener,
      user,
      subjects: new Map(),
      due: new Set(),
      busy: false,
      until: performance.now() + left,
    };
    user.ears.add(ear);
    this.#pickUp(ear);
    const subscription: Subscription = {
      add: (more) => {
        for (const uri of more) {
          const subject = subjectOf(uri);
          if (subject !== undefined) ear.subjects.set(uri, subject);
        }
      },
      remove: (uri) => {
        ear.subjects.delete(uri);
        ear.due.delete(uri);
      },
      again: (known) => {
        if (!user.ears.has(ear)) return;
        for (const uri of known) if (ear.subjects.has(uri)) ear.due.add(uri);
        this.#waiting.add(user);
        this.#gather();
      },
      close: () => this.#drop(ear),
    };
    subscription.add(uris);
    return subscription;
  }

  /** Tells other processes what they have not been told yet, and ends every subscription. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#gathering?.();
    for (const ear of this.#ears()) this.#end(ear);
    await this.#announce();
  }

  #ears(): Ear[] {
    return [...this.#users.values()].flatMap(({ ears }) => [...ears]);
  }

  #drop(ear: Ear): void {
    const { user } = ear;
    if (!user.ears.delete(ear)) return;
    if (user.ears.size > 0) return;
    this.#users.delete(user.scope.userId);
    this.#waiting.delete(user);
    if (this.#users.size > 0) return;
    this.#hangUp?.();
    this.#round?.();
    this.#hangUp = undefined;
    this.#round = undefined;
    this.#roundAt = Number.POSITIVE_INFINITY;
  }

  #end(ear: Ear): void {
    if (!ear.user.ears.has(ear)) return;
    this.#drop(ear);
    ear.listener.end();
  }

  /** Opens what is needed while somebody listens. */
  #pickUp(ear: Ear): void {
    const soon = Math.min(performance.now() + this.#pace.check, ear.until);
    if (soon < this.#roundAt) this.#arm(this.#pace.check); // never put off, however many join
    if (this.#hangUp) return;
    let stopped = false;
    let stop = () => {};
    this.#hangUp = () => {
      stopped = true;
      stop();
    };
    this.#store().then(
      ({ database }) => {
        if (stopped) return;
        const ears = {
          heard: (userId: string, seq: number | undefined) => {
            if (seq === undefined) this.#checkSoon(userId);
            else if (this.#hear(userId, seq)) this.#gather();
          },
          opened: () => void this.#look(),
          failed: (error: unknown) => this.#failed(error),
        };
        stop = hear(database, ears, this.#pace.retry, this.#after);
      },
      () => {},
    );
  }

  /** Notes that a user has come to this change, and answers whether that is news to somebody. */
  #hear(userId: string, seq: number): boolean {
    const user = this.#users.get(userId);
    if (!user || seq <= user.seen) return false;
    this.#waiting.add(user);
    return true;
  }

  /** Somebody took rights away: who listens is looked at now. */
  #checkSoon(userId: string): void {
    const user = this.#users.get(userId);
    if (user) void this.#verify([...user.ears]).catch((error: unknown) => this.#failed(error));
  }

  #gather(): void {
    this.#gathering ??= this.#after(this.#pace.gather, () => {
      this.#gathering = undefined;
      void this.#announce();
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      if (waiting.length === 0) return;
      void this.#tell(waiting);
      if (this.#interval === this.#pace.check) return;
      this.#interval = this.#pace.check; // it is quiet no more
      this.#arm(this.#interval);
    });
  }

  async #announce(): Promise<void> {
    const news = new Map(this.#news);
    this.#news.clear();
    if (news.size === 0) return;
    try {
      await announce((await this.#store()).database, news);
    } catch (error) {
      this.#failed(error); // whoever listens elsewhere will look for themselves
    }
  }

  /** Looks at what changed for these users, and tells those whom it concerns. */
  async #tell(users: Heard[]): Promise<void> {
    const read = await Promise.allSettled(users.map((user) => this.#read(user)));
    for (const each of read) if (each.status === 'rejected') this.#failed(each.reason); // it is tried again with the next look
    await this.#flush(users.flatMap(({ ears }) => [...ears])).catch((error: unknown) => this.#failed(error));
  }

  async #read(user: Heard): Promise<void> {
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
      for (const { subjects, due } of user.ears)
        for (const [uri, subject] of subjects) if (touches(touched, subject)) due.add(uri);
    } catch (error) {
      if (refusalIn(error)?.body.code !== 'forbidden') throw error; // too much at once is tried again, too
      for (const ear of user.ears) this.#end(ear); // the account is disabled
    } finally {
      user.reading = false;
    }
  }

  /** Tells those who have something due and are not being told already, if they still may listen. */
  async #flush(ears: Ear[]): Promise<void> {
    const ready = ears.filter(({ due, busy }) => due.size > 0 && !busy);
    if (ready.length === 0) return;
    for (const ear of ready) ear.busy = true;
    try {
      await this.#verify(ready);
    } catch (error) {
      for (const ear of ready) ear.busy = false;
      throw error;
    }
    for (const ear of ready) if (ear.user.ears.has(ear)) void this.#deliver(ear);
  }

  async #deliver(ear: Ear): Promise<void> {
    const uris = [...ear.due];
    ear.due.clear();
    try {
      if (uris.length > 0) await ear.listener.deliver(uris);
    } catch {
      this.#drop(ear); // there is nobody any more
      return;
    }
    ear.busy = false;
    if (ear.due.size === 0 || !ear.user.ears.has(ear)) return;
    this.#waiting.add(ear.user);
    this.#gather();
  }

  /** Ends those who may listen no longer. Answers how far each user has come. */
  async #verify(ears: Ear[]): Promise<Map<string, number>> {
    const hashes = new Set(ears.flatMap(({ listener: { token } }) => (token === undefined ? [] : [token])));
    const { users, tokens } = await this.#ask(new Set(ears.map(({ user }) => user.scope.userId)), hashes);
    const now = performance.now();
    for (const ear of ears) {
      const { token } = ear.listener;
      const left = token === undefined ? Number.POSITIVE_INFINITY : tokens.get(token);
      if (left === undefined || !users.has(ear.user.scope.userId)) this.#end(ear);
      else ear.until = now + left;
    }
    return users;
  }

  /** How far users have come whose accounts are open, and for how long tokens are still good. */
  async #ask(userIds: Iterable<string>, hashes: Iterable<string>) {
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
  async #look(): Promise<boolean> {
    const now = performance.now();
    for (const ear of this.#ears()) if (ear.until <= now) this.#end(ear);
    const ears = this.#ears();
    if (ears.length === 0) return true;
    try {
      const users = await this.#verify(ears);
      const behind = [...this.#users.values()].filter(({ scope, seen }) => (users.get(scope.userId) ?? 0) > seen);
      const owed = this.#ears().flatMap(({ due, user }) => (due.size > 0 ? user : []));
      await this.#tell([...new Set([...behind, ...owed])]);
      return behind.length === 0;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  async #lookAgain(): Promise<void> {
    const quiet = await this.#look();
    if (this.#users.size === 0) return;
    const sleeps = quiet && (await this.#store()).database.kind === 'neon';
    this.#interval = sleeps ? Math.min(this.#interval * 2, this.#pace.quiet) : this.#pace.check;
    this.#arm(this.#interval);
  }

  /** The next look: when it is time, or when the first token expires. */
  #arm(interval: number): void {
    const soonest = Math.min(...this.#ears().map(({ until }) => until));
    const wait = Math.max(Math.ceil(Math.min(interval, soonest - performance.now())), 1);
    this.#roundAt = performance.now() + wait;
    this.#round?.();
    this.#round = this.#after(wait, () => void this.#lookAgain());
  }

  #failed(error: unknown): void {
    this.#log.debug({ kind: error instanceof Error ? error.name : typeof error }, 'feed');
  }
}
