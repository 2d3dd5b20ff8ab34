import {
  type JSONRPCMessage,
  type McpServerFactory,
  type MessageExtraInfo,
  SUBSCRIPTION_ID_META_KEY,
  type Transport,
  type TransportSendOptions,
} from '@modelcontextprotocol/server';
import type { Subscription } from '../feed.js';
import { RESUBSCRIBED_KEY } from '../meta.js';
import type { TaskServer } from '../server.js';
import { subscribableUris } from '../subscriptions.js';
import type { Message } from './conversation.js';
import { TransportLayer } from './transport-layer.js';

/** Connects the subscriptions of a connection to the feed of its server. */
export const stdioSubscriptions = (below: Transport): StdioSubscriptions => new StdioSubscriptions(below);

/**
 * Connects the subscriptions of one connection to the feed. The SDK answers `subscriptions/listen` itself and passes it
 * to no server, so this class reads the messages: the request, and the acknowledgement, which lists the URIs granted.
 * It holds the acknowledgement back until the feed has let the listener in: the client is told of every later write.
 */
export class StdioSubscriptions extends TransportLayer {
  /** Unanswered requests by id, and whether each resubscribes and wants one update of every URI (`RESUBSCRIBED_KEY`). */
  readonly #asked = new Map<string | number, boolean>();
  readonly #open = new Map<string | number, Promise<Subscription | undefined>>();
  #server: TaskServer | undefined;

  /** Wraps a server factory to remember the last server it made, which is the connection's. */
  wrapFactory(make: McpServerFactory): McpServerFactory {
    return async (context) => {
      const made = await make(context);
      this.#server = 'listen' in made ? (made as TaskServer) : undefined; // as `buildServer` returns it
      return made;
    };
  }

  protected override receive(message: JSONRPCMessage, extra?: MessageExtraInfo): void {
    const { id, method, params } = message as Message;
    if (method === 'subscriptions/listen' && id !== undefined)
      this.#asked.set(id, params?._meta?.[RESUBSCRIBED_KEY] === true);
    if (method === 'notifications/cancelled' && params?.requestId !== undefined) this.#close(params.requestId);
    super.receive(message, extra);
  }

  protected override closed(): void {
    for (const id of this.#open.keys()) this.#close(id);
    super.closed();
  }

  override async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const { id, method, params } = message as Message;
    const send = () => super.send(message, options);
    if (method === undefined && id !== undefined) {
      this.#asked.delete(id); // refused, or ended
      this.#close(id);
    }
    if (method !== 'notifications/subscriptions/acknowledged') return send();

    const listenId = params?._meta?.[SUBSCRIPTION_ID_META_KEY] as string | number;
    const resumes = this.#asked.get(listenId);
    this.#asked.delete(listenId);
    const uris = subscribableUris(params?.notifications?.resourceSubscriptions ?? []);
    const { notifications } = params ?? {};
    if (notifications) notifications.resourceSubscriptions = uris;
    if (uris.length === 0) {
      delete notifications?.resourceSubscriptions;
      await send();
      return this.#over(listenId);
    }
    const opening = this.#listen(listenId, uris);
    const opened = opening.catch(() => undefined);
    this.#open.set(listenId, opened);
    try {
      await opening;
    } catch (error) {
      const { code, message } = error as { code: number; message: string }; // `listen` throws only ProtocolError
      await this.below.send({ jsonrpc: '2.0', id: listenId, error: { code, message } });
      return this.#forget(listenId);
    }
    await send();
    if (resumes) (await opened)?.resend(uris);
  }

  async #listen(id: string | number, uris: string[]): Promise<Subscription> {
    if (!this.#server) throw new Error('whoever acknowledges has a server');
    return this.#server.listen(uris, {
      deliver: async (changed) => {
        for (const uri of changed) {
          if (!this.#open.has(id)) return;
          await this.below.send({
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

  /** Ends a subscription as the server: answers the request that opened it. */
  async #over(id: string | number): Promise<void> {
    this.#forget(id);
    await this.below.send({
      jsonrpc: '2.0',
      id,
      result: { resultType: 'complete', _meta: { [SUBSCRIPTION_ID_META_KEY]: id } },
    });
  }

  /** Ends a subscription here and in the SDK, by passing on a cancellation as if the client had sent it. */
  #forget(id: string | number): void {
    this.receive({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
  }

  #close(id: string | number): void {
    const opened = this.#open.get(id);
    this.#open.delete(id);
    opened?.then((subscription) => subscription?.close());
  }
}
