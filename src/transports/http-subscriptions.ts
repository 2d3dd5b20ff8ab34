import { type AuthInfo, createMcpHandler, type ServerEvent } from '@modelcontextprotocol/server';
import { AGAIN_KEY } from '../meta.js';
import type { TaskServer } from '../server.js';
import { known } from '../subscriptions.js';

/** The largest request to listen, in bytes: as many addresses as one may subscribe to. */
export const MAX_LISTENING = 1024 * 1024;

/** Between two signs of life on a stream, in milliseconds: proxies close what is silent for a minute. */
const KEEP_ALIVE = 15_000;

/** Whether a request asks for a stream. The SDK refuses one whose body and header do not agree. */
export const asksToListen = ({ method, headers }: Request): boolean =>
  method === 'POST' && headers.get('mcp-method') === 'subscriptions/listen';

interface Asked {
  id?: unknown;
  params?: { _meta?: Record<string, unknown>; notifications?: { resourceSubscriptions?: unknown } };
}

/**
 * Streams of what changes. The SDK's own would go by addresses alone, which are the same for every user, and keeps
 * what a slow reader does not take: so each request gets an SDK of its own, that is told only what its user's feed
 * says, and no more before the reader has taken what it was told.
 */
export class HttpSubscriptions {
  readonly #open = new Set<Stream>();
  #beat: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param offered whether there is anything to tell */
  constructor(private readonly offered: boolean) {}

  /**
   * @param request its body has been read
   * @param parsedBody nothing where that is no JSON
   * @param build makes the server of the request
   * @param token the hash of the token it came with
   */
  async serve(
    { request, parsedBody }: { request: Request; parsedBody?: unknown },
    authInfo: AuthInfo,
    build: () => TaskServer,
    token: string,
  ): Promise<Response> {
    if (parsedBody === undefined) return createMcpHandler(build).fetch(request, { authInfo });
    const asked = parsedBody as Asked;
    const filter = asked?.params?.notifications;
    const wanted = filter?.resourceSubscriptions;
    const readable = Array.isArray(wanted) && wanted.every((uri) => typeof uri === 'string');
    const uris = this.offered && readable ? known(wanted) : [];
    if (filter && readable) filter.resourceSubscriptions = uris; // what is not in it is not acknowledged
    if (this.#stopped) return refuse(503, asked?.id, -32603, STOPPING);
    if (uris.length === 0) return createMcpHandler(build).fetch(request, { authInfo, parsedBody });

    const stream = new Stream(() => this.#closed(stream));
    const handler = createMcpHandler(build, { bus: stream, keepAliveMs: 0 });
    stream.says(handler.close);
    const subscription = await build()
      .listen(uris, { deliver: (changed) => stream.deliver(changed), end: () => stream.end() }, token)
      .catch((error: { code: number; message: string }) => error);
    if ('code' in subscription) return refuse(200, asked.id, subscription.code, subscription.message);
    stream.closes(() => subscription.close());
    const response = await handler.fetch(request, { authInfo, parsedBody });
    const { body, status } = response;
    if (!body || response.headers.get('content-type') !== 'text/event-stream') {
      stream.cut();
      return response;
    }
    if (this.#stopped) {
      stream.cut(); // it was being opened meanwhile
      void body.cancel().catch(() => {});
      return refuse(503, asked.id, -32603, STOPPING);
    }
    if (!stream.over) this.#open.add(stream);
    this.#beat ??= setInterval(() => {
      for (const each of this.#open) each.beat();
    }, KEEP_ALIVE).unref();
    if (asked.params?._meta?.[AGAIN_KEY] === true) subscription.again(uris);
    return new Response(stream.carry(body), { status, headers: response.headers });
  }

  /** Ends all streams, each with its last word. */
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

/** What one request is told: at once a source of events to its SDK, and the body of the answer. */
class Stream {
  #publish: ((event: ServerEvent) => void) | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Frames that the reader has not taken yet, the acknowledgement to begin with. */
  #owed = 1;
  /** Whether the reader is waiting for more. */
  #waiting = false;
  #taken = () => {};
  #cancel: () => void = () => {};
  #close = () => {};
  #lastWord = async () => {};
  over = false;

  constructor(private readonly closed: () => void) {}

  /** Nothing is told but by the feed. */
  publish(): void {}

  subscribe(listener: (event: ServerEvent) => void): () => void {
    this.#publish = listener;
    return () => this.#end();
  }

  /** How to say the last word. */
  says(run: () => Promise<void>): void {
    this.#lastWord = run;
  }

  /** What to do once it is over, for whatever reason. */
  closes(run: () => void): void {
    this.#close = run;
  }

  /** Resolves when the reader has taken all of it. */
  deliver(uris: string[]): Promise<void> {
    if (this.over) return Promise.resolve();
    const taken = new Promise<void>((resolve) => {
      this.#taken = resolve;
    });
    this.#owed += uris.length;
    for (const uri of uris) this.#publish?.({ kind: 'resource_updated', uri });
    return taken;
  }

  /** The body of the SDK's answer, read from it only as fast as the client reads. */
  carry(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
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

  /** Ends with a last word where the reader waits for one; where it does not, what it has not taken is lost to it. */
  end(): void {
    if (this.#waiting && this.#owed === 0) void this.#lastWord();
    else this.cut();
  }

  cut(): void {
    this.#end();
    this.#cancel();
    try {
      this.#controller?.close();
    } catch {} // it is closed already
  }

  /** Shows a reader that waits, and whatever is in between, that this is alive. */
  beat(): void {
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

const STOPPING = 'The server is stopping.';
const refuse = (status: number, id: unknown, code: number, message: string) =>
  Response.json({ jsonrpc: '2.0', id: id ?? null, error: { code, message } }, { status });
