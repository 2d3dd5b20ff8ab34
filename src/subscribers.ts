import type { UserScope } from './db/scope.js';
import type { Subject } from './domain/touched.js';
import { rateLimited } from './errors.js';

/** A subscriber as a transport describes it. */
export interface Listener {
  scope: UserScope;
  /** Hash of the token it authenticated with. The subscription ends once that token expires or is revoked. */
  token?: string;
  /**
   * Reports that the contents at these URIs may have changed. Resolves once the client has taken the message; further
   * changes are collected until then (back-pressure).
   */
  deliver(uris: string[]): Promise<void>;
  /** Called when the server ends the subscription. */
  end(): void;
}

/** Maximum number of subscribers in one process, and per user. */
const MAX_SUBSCRIBERS = 1000;
const MAX_PER_USER = 200;

/** State of a user who has at least one subscriber. */
export interface UserFeed {
  scope: UserScope;
  /** Number of the newest change that subscribers have been told of, or that preceded them. */
  seen: number;
  reading: boolean;
  subscribers: Set<Subscriber>;
}

export interface Subscriber {
  listener: Listener;
  user: UserFeed;
  subjects: Map<string, Subject>;
  /** URIs to report. At most one entry per subscribed URI, however slow the client. */
  due: Set<string>;
  /** Whether a delivery is in progress. */
  busy: boolean;
  /** When its token expires, in milliseconds of `performance.now()`. */
  until: number;
}

/** Who is subscribed, by user. */
export class Subscribers {
  readonly #users = new Map<string, UserFeed>();

  get isEmpty(): boolean {
    return this.#users.size === 0;
  }

  users(): UserFeed[] {
    return [...this.#users.values()];
  }

  user(id: string): UserFeed | undefined {
    return this.#users.get(id);
  }

  all(): Subscriber[] {
    return this.users().flatMap(({ subscribers }) => [...subscribers]);
  }

  /** @throws Refusal `rate_limited` if there is no room for another subscriber of this user */
  refuseIfFull(userId: string): void {
    if (this.all().length >= MAX_SUBSCRIBERS || (this.user(userId)?.subscribers.size ?? 0) >= MAX_PER_USER)
      throw rateLimited('Too many subscriptions are open.', 'End some of them, or try again later.');
  }

  /** @param seen the number of the user's newest change, from which a first subscriber starts */
  add(listener: Listener, seen: number, until: number): Subscriber {
    const { userId } = listener.scope;
    const user: UserFeed = this.user(userId) ?? {
      scope: { ...listener.scope },
      seen,
      reading: false,
      subscribers: new Set(),
    };
    this.#users.set(userId, user);
    const subscriber: Subscriber = { listener, user, subjects: new Map(), due: new Set(), busy: false, until };
    user.subscribers.add(subscriber);
    return subscriber;
  }

  /** Returns whether it was still there. */
  remove(subscriber: Subscriber): boolean {
    const { user } = subscriber;
    const isRemoved = user.subscribers.delete(subscriber);
    if (isRemoved && user.subscribers.size === 0) this.#users.delete(user.scope.userId);
    return isRemoved;
  }
}
