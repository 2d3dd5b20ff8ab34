import {
  type JSONRPCMessage,
  LATEST_PROTOCOL_VERSION,
  type McpServerFactory,
  type MessageExtraInfo,
  ProtocolErrorCode,
  type RequestId,
  SUPPORTED_PROTOCOL_VERSIONS,
  type Transport,
  type TransportSendOptions,
} from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Logger } from 'pino';
import { reusedId } from '../errors.js';
import type { StdioSubscriptions } from './stdio-subscriptions.js';
import { TransportLayer } from './transport-layer.js';

/** One client served over a stream, in either protocol era (2025, or 2026-07-28). */
export interface Conversation {
  /**
   * When a message last came or was answered, in milliseconds of `performance.now()`; now while
   * a request or subscription is open.
   */
  lastUse(): number;
  /**
   * Stops reading, and closes once all requests are answered, or after `patience` milliseconds. Returns how many are
   * left unanswered.
   */
  drain(patience: number): Promise<number>;
  /** Sends a message to the client at once, such as the answer to a request that was taken. */
  send(message: JSONRPCMessage): Promise<void>;
  ended: Promise<void>;
}

/** Request by which a relay that waits for an answer checks that this process is alive. Handled here, in both eras. */
export const HEARTBEAT = 'taskloom/alive';

/** Notification from an owner to a relay: it exits because it can no longer write; `params.reason` says why. */
export const SHUTDOWN_NOTICE = 'taskloom/farewell';

/** The fields read from a message of any kind. Nothing has checked them. */
export interface Message {
  id?: RequestId;
  method?: string;
  params?: {
    requestId?: RequestId;
    reason?: string;
    uri?: string;
    protocolVersion?: string;
    clientInfo?: { name?: string };
    notifications?: { resourceSubscriptions?: string[] };
    _meta?: Record<string, unknown>;
  };
  result?: unknown;
}

/** Returns the protocol version that a 2025 handshake negotiates. */
export function negotiatedVersion({ params }: Message): string {
  const wanted = String(params?.protocolVersion);
  return SUPPORTED_PROTOCOL_VERSIONS.includes(wanted) ? wanted : LATEST_PROTOCOL_VERSION;
}

export interface ConversationOptions {
  /** Returns true if it has handled the message; otherwise the server gets it. */
  take?: ((message: JSONRPCMessage) => boolean) | undefined;
  /** Makes the layer that connects subscriptions to the server's feed, if it has one. */
  subscriptions?: (below: Transport) => StdioSubscriptions;
}

/**
 * Serves one client over a transport, and tracks its unanswered requests.
 *
 * @param factory makes the server once the client's first message has shown its era
 */
export function converse(
  transport: Transport,
  log: Logger,
  factory: McpServerFactory,
  { take, subscriptions }: ConversationOptions,
): Conversation {
  const tracker = new RequestTracker(transport, take);
  const bridge = subscriptions?.(tracker);
  serveStdio(bridge?.wrapFactory(factory) ?? factory, {
    transport: bridge ?? tracker,
    onerror: (error) => log.debug({ kind: error.name }, 'protocol error'),
  });
  return tracker;
}

/**
 * Keeps track of the requests that a client waits for, refuses others under their ids, answers heartbeats, and lets the
 * relay take messages.
 */
class RequestTracker extends TransportLayer implements Conversation {
  readonly ended: Promise<void>;
  readonly #unanswered = new Map<RequestId, Message>();
  readonly #listeners = new Set<RequestId>();
  /** URIs subscribed to with `resources/subscribe` (2025). */
  readonly #subscribed = new Set<string>();
  #lastUse = performance.now();
  #reading = true;
  #allAnswered = () => {};
  #end = () => {};

  constructor(
    below: Transport,
    private readonly take: ConversationOptions['take'],
  ) {
    super(below);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  override async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    await this.below.send(message, options);
    const { id, method, result } = message as Message;
    if (method === undefined) this.#noteAnswered(id, result);
  }

  protected override receive(message: JSONRPCMessage, extra?: MessageExtraInfo): void {
    if (!this.#reading) return;
    this.#lastUse = performance.now();
    const { id, method, params } = message as Message;
    if (method === HEARTBEAT && id !== undefined) {
      this.below.send({ jsonrpc: '2.0', id, result: {} }).catch(() => {});
      return;
    }
    if (id !== undefined && method !== undefined && this.#isPending(id)) {
      this.below
        .send({ jsonrpc: '2.0', id, error: { code: ProtocolErrorCode.InvalidRequest, message: reusedId(id) } })
        .catch(() => {});
      return;
    }
    // A cancelled request gets no answer, and a subscription none before its end: neither counts as unanswered.
    if (method === 'notifications/cancelled') this.#noteAnswered(params?.requestId);
    else if (method === 'subscriptions/listen' && id !== undefined) this.#listeners.add(id);
    else if (id !== undefined && method !== undefined) this.#unanswered.set(id, message as Message);
    if (!this.take?.(message)) super.receive(message, extra);
  }

  protected override closed(): void {
    super.closed();
    this.#end();
  }

  lastUse(): number {
    const isOpen = this.#unanswered.size + this.#listeners.size + this.#subscribed.size > 0;
    return isOpen ? performance.now() : this.#lastUse;
  }

  async drain(patience: number): Promise<number> {
    this.#reading = false;
    if (this.#unanswered.size > 0) {
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        this.ended,
        new Promise<void>((resolve) => {
          this.#allAnswered = resolve;
          timer = setTimeout(resolve, patience);
        }),
      ]);
      clearTimeout(timer);
    }
    await this.close();
    await this.ended;
    return this.#unanswered.size;
  }

  #isPending(id: RequestId): boolean {
    return this.#unanswered.has(id) || this.#listeners.has(id);
  }

  #noteAnswered(id: RequestId | undefined, result?: unknown): void {
    if (id === undefined) return;
    this.#lastUse = performance.now();
    this.#listeners.delete(id);
    const { method, params } = this.#unanswered.get(id) ?? {};
    if (result && method === 'resources/subscribe') this.#subscribed.add(String(params?.uri));
    if (result && method === 'resources/unsubscribe') this.#subscribed.delete(String(params?.uri));
    if (this.#unanswered.delete(id) && this.#unanswered.size === 0) this.#allAnswered();
  }
}
