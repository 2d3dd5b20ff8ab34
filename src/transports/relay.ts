import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type JSONRPCMessage,
  type RequestId,
  SUBSCRIPTION_ID_META_KEY,
  type Transport,
} from '@modelcontextprotocol/server';
import { OwnerSilent, type Refusal, setupRefusal } from '../errors.js';
import { CLIENT_KEY, RELAY_KEY, RESUBSCRIBED_KEY } from '../meta.js';
import { HEARTBEAT, type Message, negotiatedVersion, SHUTDOWN_NOTICE } from './conversation.js';
import { CRASHED, type RelayedRequest, refused, TOO_DEEP, UNREACHABLE, unwritable } from './relay-refusals.js';

/** A transport to a server that has the database. */
export interface Link {
  transport: Transport;
  /** The process at the other end, if it runs on this machine; it gets heartbeats while requests are pending. */
  pid?: number;
  /** Whether the server keeps no state between requests, as over HTTP: it gets no handshake. */
  stateless?: boolean;
  /** Called when a request fails or its response stream ends. Without a refusal, it is retried if still pending. */
  onfailure?: (id: RequestId, refusal?: Refusal) => void;
}

export interface RelayOptions {
  /** Opens a link. An error that it throws becomes the answer to all pending requests. */
  open(): Promise<Link>;
  /** Converts an error thrown by `open` to a refusal. */
  refusal(error: unknown): Refusal;
  timing?: Partial<typeof TIMING>;
}

/** All in milliseconds. */
const TIMING = {
  /** Interval of heartbeats. */
  heartbeat: 3_000,
  /** How long the other end may be silent before requests are refused. */
  silence: 15_000,
  /** Delay before reconnecting if there are subscriptions but no requests. */
  reconnect: 10_000,
};

/** Methods that need the database. The front server (`front.ts`) answers all others without it. */
const NEEDS_DATA = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'completion/complete',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
]);

/** How often a request may be lost with its process before it is refused: the request itself may crash the process. */
const MAX_LOSSES = 5;
/** The longest pause before something is tried again, in milliseconds. */
const MAX_PAUSE = 2_000;
/** A stream that ends sooner after its acknowledgement, in milliseconds, was ended on purpose. */
const SHORTEST_STREAM = 1_000;

interface Waiting {
  message: RelayedRequest;
  losses: number;
  /** When a `subscriptions/listen` was last acknowledged, in milliseconds of `performance.now()`. */
  heardSince?: number;
}

/**
 * Forwards a client's requests to the process or server that has the database. When that one goes away, unanswered
 * requests are sent again to the next. A tool call keeps its idempotency key (`RELAY_KEY`), so that no request or
 * answer is lost and no write happens twice.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #timing: typeof TIMING;
  #toClient: (message: JSONRPCMessage) => void = () => {};
  readonly #waiting = new Map<RequestId, Waiting>();
  /** The client's 2025 handshake, replayed on every new link. */
  #handshake: { initialize?: Message; initialized?: Message } = {};
  /** URIs subscribed to with `resources/subscribe` (2025). */
  readonly #subscribed = new Set<string>();
  #link: Link | undefined;
  #linking = false;
  #losses = 0;
  /** Since when the other end owes an answer and has sent nothing, in milliseconds of `performance.now()`. */
  #silentSince: number | undefined;
  #beating: NodeJS.Timeout | undefined;
  #made = 0;
  #closed = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
  }

  /** @param toClient sends a message to the client */
  start(toClient: (message: JSONRPCMessage) => void): void {
    this.#toClient = toClient;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#beating);
    this.#link?.transport.close().catch(() => {});
  }

  /** Takes a client message that needs the database. Returns false for a message that the front server handles. */
  readonly take = (message: JSONRPCMessage): boolean => {
    const { id, method, params } = message as Message;
    if (method === undefined) return false;
    if (id === undefined) return this.#notice(message, method, params?.requestId);
    if (method === 'initialize') this.#handshake = { initialize: message as Message };
    if (!NEEDS_DATA.has(method)) return false;
    const request = message as RelayedRequest;
    const waiting = {
      message: method === 'tools/call' ? withMeta(request, RELAY_KEY, randomUUID()) : request,
      losses: 0,
    };
    this.#waiting.set(id, waiting);
    if (this.#link) this.#request(this.#link, waiting);
    else this.#connect();
    this.#listenForLife();
    return true;
  };

  #notice(message: JSONRPCMessage, method: string, about?: RequestId): boolean {
    if (method === 'notifications/initialized') this.#handshake.initialized = message as Message;
    if (method !== 'notifications/cancelled' || about === undefined || !this.#waiting.delete(about)) return false;
    if (this.#link) this.#send(this.#link, message);
    return true;
  }

  #send(link: Link, message: object): void {
    link.transport.send(message as JSONRPCMessage).catch(() => {}); // a lost request is sent again when the link closes
  }

  async #connect(): Promise<void> {
    if (this.#linking || this.#closed) return;
    this.#linking = true;
    try {
      if (this.#losses > 0) await pause(Math.min(50 * 2 ** this.#losses, MAX_PAUSE));
      const link = await this.#options.open();
      this.#linking = false;
      if (this.#closed) await link.transport.close();
      else await this.#use(link);
    } catch (error) {
      this.#linking = false;
      this.#refuseAll(this.#options.refusal(error));
      this.#listenAgain();
    }
  }

  /** Schedules a reconnect if there are subscriptions: without a request, nothing else triggers one. */
  #listenAgain(): void {
    if (this.#subscribed.size === 0) return;
    setTimeout(() => this.#link ?? this.#connect(), this.#timing.reconnect).unref();
  }

  async #use(link: Link): Promise<void> {
    const { transport } = link;
    transport.onmessage = (message) => this.#fromServer(link, message);
    transport.onclose = () => this.#lost(link);
    link.onfailure = (id, refusal) => this.#failed(link, id, refusal);
    await transport.start();
    this.#silentSince = performance.now();
    this.#link = link;
    const { initialize, initialized } = this.#handshake;
    if (initialize && !link.stateless) {
      this.#send(link, { ...initialize, id: this.#ownId() });
      if (initialized) this.#send(link, initialized);
      for (const uri of this.#subscribed) {
        const params = { uri, _meta: { [RESUBSCRIBED_KEY]: true } };
        this.#send(link, { jsonrpc: '2.0', id: this.#ownId(), method: 'resources/subscribe', params });
      }
    }
    if (initialize) transport.setProtocolVersion?.(negotiatedVersion(initialize));
    for (const waiting of this.#waiting.values()) this.#request(link, waiting);
  }

  #request(link: Link, { message, heardSince }: Waiting): void {
    const client = link.stateless && this.#handshake.initialize?.params?.clientInfo?.name;
    let sent = message;
    if (client) sent = withMeta(sent, CLIENT_KEY, client);
    if (heardSince !== undefined) sent = withMeta(sent, RESUBSCRIBED_KEY, true);
    link.transport.send(sent).catch((error: unknown) => {
      // A lost request is sent again when the link closes; one nested too deeply to serialize would fail each time.
      if (error instanceof RangeError) this.#refuse(message.id, TOO_DEEP);
    });
  }

  /** Makes an id for the relay's own requests. No client uses this prefix. */
  #ownId(): string {
    return `taskloom-relay-${++this.#made}`;
  }

  #fromServer(link: Link, message: JSONRPCMessage): void {
    this.#silentSince = undefined;
    const { id, method, params, result } = message as Message;
    if (method === SHUTDOWN_NOTICE) {
      this.#link = undefined; // reconnecting at once would not help
      this.#refuseAll(unwritable(params?.reason));
      this.#listenAgain();
      return;
    }
    if (method !== undefined) {
      const isRepeated = method === 'notifications/subscriptions/acknowledged' && this.#alreadyAcknowledged(params);
      if (!isRepeated) this.#toClient(message);
      return;
    }
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || !waiting) return; // answers a cancelled request, or one of the relay's own
    if (this.#isCutShort(link, waiting, result)) {
      this.#request(link, waiting);
      return;
    }
    this.#waiting.delete(id);
    this.#losses = 0;
    const { method: asked, params: about } = waiting.message;
    if (result && asked === 'resources/subscribe') this.#subscribed.add(String(about?.uri));
    if (result && asked === 'resources/unsubscribe') this.#subscribed.delete(String(about?.uri));
    this.#toClient(message);
  }

  /** Whether a stopping server ended a stream with a regular result: the subscription is then requested again. */
  #isCutShort(link: Link, { message, heardSince }: Waiting, result: unknown): boolean {
    if (!link.stateless || !result || message.method !== 'subscriptions/listen') return false;
    return heardSince !== undefined && performance.now() - heardSince > SHORTEST_STREAM;
  }

  /** Records an acknowledgement. Returns whether the client already has one for this subscription. */
  #alreadyAcknowledged(params: Message['params']): boolean {
    const id = params?._meta?.[SUBSCRIPTION_ID_META_KEY] as RequestId | undefined;
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (!waiting) return false;
    const isRepeated = waiting.heardSince !== undefined;
    waiting.heardSince = performance.now();
    waiting.losses = 0;
    return isRepeated;
  }

  #lost(link: Link): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    const isMissed = this.#waiting.size + this.#subscribed.size > 0;
    if (isMissed) this.#losses++; // a process that exited while idle has not failed, so no delay is needed
    for (const [id, waiting] of this.#waiting) if (++waiting.losses > MAX_LOSSES) this.#refuse(id, CRASHED);
    if (this.#waiting.size + this.#subscribed.size > 0) this.#connect();
  }

  async #failed(link: Link, id: RequestId, refusal: Refusal | undefined): Promise<void> {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (refusal) return this.#refuse(id, refusal);
    if (++waiting.losses > MAX_LOSSES) return this.#refuse(id, UNREACHABLE);
    await pause(Math.min(100 * 2 ** waiting.losses, MAX_PAUSE));
    if (this.#waiting.has(id)) this.#request(link, waiting);
  }

  /** Sends heartbeats while requests are pending. Refuses them, naming the pid, if the process is stopped or stuck. */
  #listenForLife(): void {
    if (this.#beating) return;
    const { heartbeat, silence } = this.#timing;
    this.#silentSince = performance.now(); // no heartbeats were sent while nothing was pending
    this.#beating = setInterval(() => {
      if (this.#waiting.size === 0) {
        clearInterval(this.#beating);
        this.#beating = undefined;
        return;
      }
      const link = this.#link;
      if (!link?.pid) return;
      this.#silentSince ??= performance.now();
      if (performance.now() - this.#silentSince < silence)
        return this.#send(link, { jsonrpc: '2.0', id: this.#ownId(), method: HEARTBEAT });
      this.#link = undefined;
      link.transport.close().catch(() => {});
      this.#refuseAll(setupRefusal(new OwnerSilent(link.pid)));
      this.#listenAgain();
    }, heartbeat).unref();
  }

  #refuseAll(refusal: Refusal): void {
    for (const id of [...this.#waiting.keys()]) this.#refuse(id, refusal);
  }

  #refuse(id: RequestId, refusal: Refusal): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting) this.#toClient(refused(waiting.message, refusal));
  }
}

function withMeta<M extends Message>(message: M, key: string, value: unknown): M {
  return { ...message, params: { ...message.params, _meta: { ...message.params?._meta, [key]: value } } };
}
