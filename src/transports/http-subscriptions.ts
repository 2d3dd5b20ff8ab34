import {
  type AuthInfo,
  createMcpHandler,
  ProtocolErrorCode,
  type RequestId,
  type ServerEvent,
} from '@modelcontextprotocol/server';
import { RESUBSCRIBED_KEY } from '../meta.js';
import type { TaskServer } from '../server.js';
import { subscribableUris } from '../subscriptions.js';
import type { Message } from './conversation.js';
import { jsonRpcError } from './http-responses.js';

/** The largest `subscriptions/listen` request, in bytes: room for as many URIs as one may subscribe to. */
export const MAX_LISTEN_BODY = 1024 * 1024;

/** Interval of keep-alive comments on a stream, in milliseconds: proxies close streams that are silent for a minute. */
const KEEP_ALIVE = 15_000;

/** Whether a request asks for a stream, by its header. The SDK refuses a request whose body and header disagree. */
export const isListenRequest = ({ method, headers }: Request): boolean =>
  method === 'POST' && headers.get('mcp-method') === 'subscriptions/listen';

/**
 * Serves `subscriptions/listen` streams. The SDK's own streams match by URI alone, which is the same for every user,
 * and buffer without limit for a slow reader. So each request gets an SDK handler of its own, which is given only
 * the events of its user's feed, and no more until the reader has taken the previous ones.
 */
export class HttpSubscriptions {
  readonly #open = new Set<Stream>();
  #beat: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param offered whether there is a feed */
  constructor(private readonly offered: boolean) {}

  /**
   * Answers a `subscriptions/listen` request, with a stream if it is granted.
   *
   * @param request its body has been read
   * @param parsedBody undefined if the body is not JSON
   * @param build makes the server of the request
   * @param token the hash of the request's token
   */
  async serve(
    { request, parsedBody }: { request: Request; parsedBody?: unknown },
    authInfo: AuthInfo,
    build: () => TaskServer,
    token: string,
  ): Promise<Response> {
    if (parsedBody === undefined) return createMcpHandler(build).fetch(request, { authInfo });
    const { id, params } = (parsedBody ?? {}) as Message;
    const filter = params?.notifications;
    const wanted = filter?.resourceSubscriptions;
    const readable = Array.isArray(wanted) && wanted.every((uri) => typeof uri === 'string');
    const uris = this.offered && readable ? subscribableUris(wanted) : [];
    if (filter && readable) filter.resourceSubscriptions = uris; // the SDK acknowledges only these
    if (this.#stopped) return stopping(id);
    if (uris.length === 0) return createMcpHandler(build).fetch(request, { authInfo, parsedBody });

    const stream = new Stream(() => this.#closed(stream));
    const handler = createMcpHandler(build, { bus: stream, keepAliveMs: 0 });
    stream.onEnd(handler.close);
    const subscription = await build()
      .listen(uris, { deliver: (changed) => stream.deliver(changed), end: () => stream.end() }, token)
      .catch((error: { code: number; message: string }) => error);
    if ('code' in subscription) return jsonRpcError(200, subscription.code, subscription.message, id);
    stream.onClose(() => subscription.close());
    const response = await handler.fetch(request, { authInfo, parsedBody });
    const { body, status } = response;
    if (!body || response.headers.get('content-type') !== 'text/event-stream') {
      stream.cut();
      return response;
    }
    if (this.#stopped) {
      stream.cut(); // the stop came while this one was being opened
      void body.cancel().catch(() => {});
      return stopping(id);
    }
    if (!stream.over) this.#open.add(stream);
    this.#beat ??= setInterval(() => {
      for (const each of this.#open) each.keepAlive();
    }, KEEP_ALIVE).unref();
    if (params?._meta?.[RESUBSCRIBED_KEY] === true) subscription.resend(uris);
    return new Response(stream.wrap(body), { status, headers: response.headers });
  }

  /** Refuses new streams, and ends the open ones. */
  close(): void {
    this.#stopped = true;
    for (const stream of this.#open) stream.end();
  }

  #closed(stream: Stream): void {
    this.#open.delete(stream);
    if (this.#open.size > 0) return;
    clearInterval(this.#beat);
    this.#beat = undefined;
  }
}

/** The stream of one request: the event bus of its SDK handler, and the body of the response. */
class Stream {
  #publish: ((event: ServerEvent) => void) | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Frames that the reader has not taken yet. The first is the acknowledgement. */
  #owed = 1;
  /** Whether the reader is waiting for more. */
  #waiting = false;
  #taken = () => {};
  #cancel: () => void = () => {};
  #close = () => {};
  #lastWord = async () => {};
  over = false;

  constructor(private readonly closed: () => void) {}

  /** Does nothing: events come only from the feed, through `deliver`. */
  publish(): void {}

  subscribe(listener: (event: ServerEvent) => void): () => void {
    this.#publish = listener;
    return () => this.#end();
  }

  /** Sets the function that sends the final result. */
  onEnd(run: () => Promise<void>): void {
    this.#lastWord = run;
  }

  /** Sets the function to call once the stream is over, for any reason. */
  onClose(run: () => void): void {
    this.#close = run;
  }

  /** Sends updates of these URIs. Resolves when the reader has taken all of them, or the stream is over. */
  deliver(uris: string[]): Promise<void> {
    if (this.over) return Promise.resolve();
    const taken = new Promise<void>((resolve) => {
      this.#taken = resolve;
    });
    this.#owed += uris.length;
    for (const uri of uris) this.#publish?.({ kind: 'resource_updated', uri });
    return taken;
  }

  /** Wraps the body of the SDK's response, and reads it only as fast as the client does. */
  wrap(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    this.#cancel = () => void reader.cancel().catch(() => {});
    return new ReadableStream(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: async (controller) => {
          if (this.#owed === 0) this.#taken();
          this.#waiting = true;
          const { done, value } = await reader.read();
          this.#waiting = false;
          if (done) {
            this.#end();
            controller.close();
          } else {
            this.#owed -= 1;
            controller.enqueue(value);
          }
        },
        cancel: () => this.cut(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Ends with the final result if the reader has taken everything before it; otherwise drops the remaining frames. */
  end(): void {
    if (this.#waiting && this.#owed === 0) void this.#lastWord();
    else this.cut();
  }

  /** Ends at once, without the final result. */
  cut(): void {
    this.#end();
    this.#cancel();
    try {
      this.#controller?.close();
    } catch {} // already closed
  }

  /** Sends a keep-alive comment if the reader is waiting, for it and for proxies in between. */
  keepAlive(): void {
    if (this.#waiting && (this.#controller?.desiredSize ?? -1) >= 0)
      this.#controller?.enqueue(new TextEncoder().encode(': keepalive\n\n'));
  }

  #end(): void {
    if (this.over) return;
    this.over = true;
    this.#taken();
    this.#close();
    this.closed();
  }
}

const stopping = (id: RequestId | undefined) =>
  jsonRpcError(503, ProtocolErrorCode.InternalError, 'The server is stopping.', id);
