import {
  type JSONRPCMessage,
  type McpServerFactory,
  SUBSCRIPTION_ID_META_KEY,
  type Transport,
} from '@modelcontextprotocol/server';
import type { Subscription } from '../feed.js';
import { AGAIN_KEY } from '../meta.js';
import type { TaskServer } from '../server.js';
import { known } from '../subscriptions.js';

/** Brings subscriptions of a connection to the feed of its server. */
export const stdioSubscriptions = (transport: Transport): StdioSubscriptions => new StdioSubscriptions(transport);

/** What is looked at in a message that passes by. */
interface Passing {
  id?: string | number;
  method?: string;
  params?: { _meta?: Record<string, unknown>; requestId?: string | number; notifications?: Filter };
}

interface Filter {
  resourceSubscriptions?: string[];
}

/**
 * Brings subscriptions of one connection to the feed. The SDK answers `subscriptions/listen` itself and shows it to no
 * server, so we look on: at the request for what it asks, at the acknowledgement for what it got. That is held back
 * until the feed has let it in: whatever is written after it, the client is told of.
 */
export class StdioSubscriptions {
  readonly #transport: Transport;
  readonly #send: Transport['send'];
  /** Requests that came, by their ids, and whether they want to be told of everything once. */
  readonly #asked = new Map<string | number, boolean>();
  readonly #open = new Map<string | number, Promise<Subscription | undefined>>();
  #server: TaskServer | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.#send = transport.send.bind(transport);
    transport.send = (message, options) => this.#sent(message as Passing, () => this.#send(message, options));
  }

  /** Makes the same servers; the connection is of the one made last. */
  through(make: McpServerFactory): McpServerFactory {
    return async (context) => {
      const made = await make(context);
      this.#server = 'listen' in made ? (made as TaskServer) : undefined; // as `buildServer` makes them
      return made;
    };
  }

  /** To be called once the SDK has connected itself to the transport. */
  watch(): void {
    const { onmessage, onclose } = this.#transport;
    this.#transport.onmessage = (message: JSONRPCMessage, extra) => {
      const { id, method, params } = message as Passing;
      if (method === 'subscriptions/listen' && id !== undefined)
        this.#asked.set(id, params?._meta?.[AGAIN_KEY] === true);
      if (method === 'notifications/cancelled' && params?.requestId !== undefined) this.#close(params.requestId);
      onmessage?.(message, extra);
    };
    this.#transport.onclose = () => {
      for (const id of this.#open.keys()) this.#close(id);
      onclose?.();
    };
  }

  async #sent(message: Passing, send: () => Promise<void>): Promise<void> {
    const { id, method, params } = message;
    if (method === undefined && id !== undefined) {
      this.#asked.delete(id); // refused, or over
      this.#close(id);
    }
    if (method !== 'notifications/subscriptions/acknowledged') return send();

    const of = params?._meta?.[SUBSCRIPTION_ID_META_KEY] as string | number;
    const again = this.#asked.get(of);
    this.#asked.delete(of);
    const uris = known(params?.notifications?.resourceSubscriptions ?? []);
    const { notifications } = params ?? {};
    if (notifications) notifications.resourceSubscriptions = uris;
    if (uris.length === 0) {
      delete notifications?.resourceSubscriptions;
      await send();
      return this.#over(of);
    }
    const opening = this.#listen(of, uris);
    const opened = opening.catch(() => undefined);
    this.#open.set(of, opened);
    try {
      await opening;
    } catch (error) {
      const { code, message } = error as { code: number; message: string }; // a ProtocolError, as `listen` promises
      await this.#send({ jsonrpc: '2.0', id: of, error: { code, message } });
      return this.#forget(of);
    }
    await send();
    if (again) (await opened)?.again(uris);
  }

  async #listen(id: string | number, uris: string[]): Promise<Subscription> {
    if (!this.#server) throw new Error('whoever acknowledges has a server');
    return this.#server.listen(uris, {
      deliver: async (changed) => {
        for (const uri of changed) {
          if (!this.#open.has(id)) return;
          await this.#send({
            jsonrpc: '2.0',
            method: 'notifications/resources/updated',
            params: { uri, _meta: { [SUBSCRIPTION_ID_META_KEY]: id } },
          });
        }
      },
      end: () => {
        if (this.#open.has(id)) this.#over(id).catch(() => {});
      },
    });
  }

  /** Ends a subscription as a server does: with the answer to the request that opened it. */
  async #over(id: string | number): Promise<void> {
    this.#forget(id);
    await this.#send({
      jsonrpc: '2.0',
      id,
      result: { resultType: 'complete', _meta: { [SUBSCRIPTION_ID_META_KEY]: id } },
    });
  }

  /** Ends it for us and for the SDK, which takes it for the client's own wish. */
  #forget(id: string | number): void {
    this.#transport.onmessage?.({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
  }

  #close(id: string | number): void {
    const opened = this.#open.get(id);
    this.#open.delete(id);
    opened?.then((subscription) => subscription?.close());
  }
}
