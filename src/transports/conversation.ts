import type { JSONRPCMessage, McpServerFactory, RequestId, Transport } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Logger } from 'pino';
import type { StdioSubscriptions } from './stdio-subscriptions.js';

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
  /** Sends a notification to the relay at once, without waiting for pending answers. */
  notify(method: string, params: Record<string, unknown>): void;
  ended: Promise<void>;
}

/** Request by which a relay that waits for an answer checks that this process is alive. Handled here, in both eras. */
export const HEARTBEAT = 'taskloom/alive';

/** Notification from an owner to a relay: it exits because it can no longer write; `params.reason` says why. */
export const SHUTDOWN_NOTICE = 'taskloom/farewell';

/** The fields read from a message of any kind. */
export interface Message {
  id?: RequestId;
  method?: string;
  params?: {
    requestId?: RequestId;
    reason?: string;
    uri?: string;
    protocolVersion?: string;
    clientInfo?: { name?: string };
    _meta?: Record<string, unknown>;
  };
  result?: unknown;
}

export interface ConversationOptions {
  /** Returns true if it has handled the message; otherwise the server gets it. */
  take?: ((message: JSONRPCMessage) => boolean) | undefined;
  /** Connects subscriptions to the server's feed, if it has one. */
  subscriptions?: (transport: Transport) => StdioSubscriptions;
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
  const unanswered = new Map<RequestId, Message>();
  const listeners = new Set<RequestId>();
  /** URIs subscribed to with `resources/subscribe` (2025). */
  const subscribed = new Set<string>();
  let lastUse = performance.now();
  let reading = true;
  let allAnswered = () => {};
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });

  const noteAnswered = (id: RequestId | undefined, result?: unknown) => {
    if (id === undefined) return;
    lastUse = performance.now();
    listeners.delete(id);
    const { method, params } = unanswered.get(id) ?? {};
    if (result && method === 'resources/subscribe') subscribed.add(String(params?.uri));
    if (result && method === 'resources/unsubscribe') subscribed.delete(String(params?.uri));
    if (unanswered.delete(id) && unanswered.size === 0) allAnswered();
  };
  const send = transport.send.bind(transport);
  transport.send = async (message, options) => {
    await send(message, options);
    const { id, method, result } = message as Message;
    if (method === undefined) noteAnswered(id, result);
  };
  const bridge = subscriptions?.(transport);
  serveStdio(bridge?.wrapFactory(factory) ?? factory, {
    transport,
    onerror: (error) => log.debug({ kind: error.name }, 'protocol error'),
  });
  bridge?.attach();
  const { onmessage, onclose } = transport;
  transport.onmessage = (message) => {
    if (!reading) return;
    lastUse = performance.now();
    const { id, method, params } = message as Message;
    if (method === HEARTBEAT && id !== undefined) {
      send({ jsonrpc: '2.0', id, result: {} }).catch(() => {});
      return;
    }
    // A cancelled request gets no answer, and a subscription none before its end: neither counts as unanswered.
    if (method === 'notifications/cancelled') noteAnswered(params?.requestId);
    else if (method === 'subscriptions/listen' && id !== undefined) listeners.add(id);
    else if (id !== undefined && method !== undefined) unanswered.set(id, message as Message);
    if (!take?.(message)) onmessage?.(message);
  };
  transport.onclose = () => {
    onclose?.();
    end();
  };

  return {
    lastUse: () => (unanswered.size + listeners.size + subscribed.size > 0 ? performance.now() : lastUse),
    async drain(patience) {
      reading = false;
      if (unanswered.size > 0) {
        let timer: NodeJS.Timeout | undefined;
        await Promise.race([
          ended,
          new Promise<void>((resolve) => {
            allAnswered = resolve;
            timer = setTimeout(resolve, patience);
          }),
        ]);
        clearTimeout(timer);
      }
      await transport.close();
      await ended;
      return unanswered.size;
    },
    notify(method, params) {
      send({ jsonrpc: '2.0', method, params }).catch(() => {});
    },
    ended,
  };
}
