import type { JSONRPCMessage, McpServerFactory, RequestId, Transport } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Logger } from 'pino';
import type { StdioSubscriptions } from './stdio-subscriptions.js';

/** One client served over a stream, in either era of the protocol. */
export interface Conversation {
  /** When the last message came or was answered, in milliseconds of `performance.now()`; now, while an answer is owed or a listener waits. */
  lastUse(): number;
  /** Reads no more, and ends once what was read is answered, or after `patience` milliseconds. */
  finish(patience: number): Promise<void>;
  /** Sends a word to a relay, at once, whatever else is under way. */
  tell(method: string, params: Record<string, unknown>): void;
  ended: Promise<void>;
}

/** Asked by a relay that waits for an answer: whether this end is alive. It is answered here, in both eras. */
export const HEARTBEAT = 'taskloom/alive';

/** Told to a relay by an owner that ends because it can keep nothing any more: `params.reason` says why. */
export const SHUTDOWN_NOTICE = 'taskloom/farewell';

/** What is looked at in a message, whatever kind it is. */
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
  /** Takes a message for itself, or leaves it to the server. */
  take?: ((message: JSONRPCMessage) => boolean) | undefined;
  /** Brings subscriptions to the feed of a server that has one. */
  subscriptions?: (transport: Transport) => StdioSubscriptions;
}

/**
 * Serves one client over a transport, and follows what it is owed.
 *
 * @param factory makes the server, once the client's first message has told its era
 */
export function converse(
  transport: Transport,
  log: Logger,
  factory: McpServerFactory,
  { take, subscriptions }: ConversationOptions,
): Conversation {
  const owed = new Map<RequestId, Message>();
  const listeners = new Set<RequestId>();
  /** Resources subscribed to in the way of 2025, by address. */
  const subscribed = new Set<string>();
  let lastUse = performance.now();
  let reading = true;
  let settled = () => {};
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });

  const answered = (id: RequestId | undefined, result?: unknown) => {
    if (id === undefined) return;
    lastUse = performance.now();
    listeners.delete(id);
    const { method, params } = owed.get(id) ?? {};
    if (result && method === 'resources/subscribe') subscribed.add(String(params?.uri));
    if (result && method === 'resources/unsubscribe') subscribed.delete(String(params?.uri));
    if (owed.delete(id) && owed.size === 0) settled();
  };
  const send = transport.send.bind(transport);
  transport.send = async (message, given) => {
    await send(message, given);
    const { id, method, result } = message as Message;
    if (method === undefined) answered(id, result);
  };
  const bridge = subscriptions?.(transport);
  serveStdio(bridge?.through(factory) ?? factory, {
    transport,
    onerror: (error) => log.debug({ kind: error.name }, 'protocol error'),
  });
  bridge?.watch();
  const { onmessage, onclose } = transport;
  transport.onmessage = (message) => {
    if (!reading) return;
    lastUse = performance.now();
    const { id, method, params } = message as Message;
    if (method === HEARTBEAT && id !== undefined) {
      send({ jsonrpc: '2.0', id, result: {} }).catch(() => {});
      return;
    }
    // A cancelled request gets no answer, and a subscription none before its end: nobody waits for those.
    if (method === 'notifications/cancelled') answered(params?.requestId);
    else if (method === 'subscriptions/listen' && id !== undefined) listeners.add(id);
    else if (id !== undefined && method !== undefined) owed.set(id, message as Message);
    if (!take?.(message)) onmessage?.(message);
  };
  transport.onclose = () => {
    onclose?.();
    end();
  };

  return {
    lastUse: () => (owed.size + listeners.size + subscribed.size > 0 ? performance.now() : lastUse),
    async finish(patience) {
      reading = false;
      if (owed.size > 0) {
        let timer: NodeJS.Timeout | undefined;
        await Promise.race([
          ended,
          new Promise<void>((resolve) => {
            settled = resolve;
            timer = setTimeout(resolve, patience);
          }),
        ]);
        clearTimeout(timer);
      }
      await transport.close();
      await ended;
    },
    tell(method, params) {
      send({ jsonrpc: '2.0', method, params }).catch(() => {});
    },
    ended,
  };
}
