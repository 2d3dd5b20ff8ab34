import { InsufficientScopeError, SdkHttpError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import {
  forbidden,
  invalid,
  MAY_HAVE_HAPPENED,
  type Refusal,
  rateLimited,
  TELL_OPERATOR,
  unavailable,
} from '../errors.js';
import type { Message } from './conversation.js';
import type { Link } from './relay.js';

/** How long a server may take to answer a request, in milliseconds. `subscriptions/listen` has no timeout. */
const RESPONSE_TIMEOUT = 60_000;

/** The relay decides what is retried, not the transport. */
const NEVER = { maxRetries: 0, initialReconnectionDelay: 0, maxReconnectionDelay: 0, reconnectionDelayGrowFactor: 1 };

/** Makes a stateless link to another Taskloom over Streamable HTTP. */
export function remoteLink({ url, token }: { url: URL; token: string }, log: Logger): Link {
  const transport = new RemoteTransport(url, token, log);
  const link: Link = { transport, stateless: true };
  transport.onfailure = (id, refusal) => link.onfailure?.(id, refusal);
  return link;
}

/** A request without an answer so far. */
interface Pending {
  abort: AbortController;
  /** Unless it is a stream. */
  timer?: NodeJS.Timeout;
}

/** Sends each request on its own, and reports how those ended that got no answer. */
class RemoteTransport extends StreamableHTTPClientTransport {
  onfailure: NonNullable<Link['onfailure']> = () => {};
  readonly #pending = new Map<RequestId, Pending>();

  constructor(
    url: URL,
    token: string,
    private readonly log: Logger,
  ) {
    super(url, {
      requestInit: { headers: { Authorization: `Bearer ${token}` } },
      redirectPolicy: 'same-origin',
      reconnectionOptions: NEVER,
    });
  }

  override async start(): Promise<void> {
    const { onmessage } = this;
    this.onmessage = (message) => {
      const { id, method } = message as Message;
      // Not a stream, which may have been opened again under the same id before the first one ends.
      if (id !== undefined && method === undefined && this.#pending.get(id)?.timer) this.#forget(id);
      onmessage?.(message);
    };
    await super.start();
  }

  override async send(message: JSONRPCMessage | JSONRPCMessage[]): Promise<void> {
    const { id, method, params } = message as Message;
    const cancelled = params?.requestId;
    if (method === 'notifications/cancelled' && cancelled !== undefined) {
      this.#pending.get(cancelled)?.abort.abort();
      this.#forget(cancelled);
    }
    if (id === undefined || method === undefined) return;
    const request: Pending = { abort: new AbortController() };
    this.#pending.set(id, request);
    if (method !== 'subscriptions/listen')
      request.timer = setTimeout(() => {
        request.abort.abort();
        const timedOut = `The Taskloom server did not answer in ${RESPONSE_TIMEOUT / 1000} seconds.`;
        this.#ended(id, request, unavailable(timedOut, MAY_HAVE_HAPPENED));
      }, RESPONSE_TIMEOUT).unref();
    await super
      .send(message, { requestSignal: request.abort.signal, onRequestStreamEnd: () => this.#ended(id, request) })
      .catch((error: Error) => {
        this.log.debug({ kind: error.name }, 'remote call failed');
        this.#ended(id, request, refusalOf(error));
      });
  }

  /** Reports the end of a request, unless it was answered, or has been sent again under the same id meanwhile. */
  #ended(id: RequestId, request: Pending, refusal?: Refusal): void {
    if (this.#pending.get(id) !== request) return;
    this.#forget(id);
    this.onfailure(id, refusal);
  }

  #forget(id: RequestId): void {
    clearTimeout(this.#pending.get(id)?.timer);
    this.#pending.delete(id);
  }
}

/** Returns a refusal if a retry is useless; undefined if the failure may pass, as when a server restarts. */
function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof InsufficientScopeError)
    return forbidden('The token in TASKLOOM_TOKEN lacks the scope for this.', 'Use a token that has it.');
  if (!(error instanceof SdkHttpError)) return undefined;
  const { status } = error;
  if (status === 401)
    return forbidden('The Taskloom server refused the token: it is unknown, expired or revoked.', TELL_OPERATOR);
  if (status === 403) return forbidden('The Taskloom server refused the request.', TELL_OPERATOR);
  if (status === 413) return invalid('The request is too large for the Taskloom server.', 'Send it in smaller parts.');
  if (status === 429)
    return rateLimited('Too many requests to the Taskloom server.', 'Wait a few seconds, then repeat it.');
  if (status === undefined || status >= 500) return undefined;
  return unavailable(
    `There is no Taskloom server at TASKLOOM_URL (HTTP ${status}): the address must end in /mcp.`,
    TELL_OPERATOR,
  );
}
