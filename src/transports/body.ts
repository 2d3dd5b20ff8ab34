import { tooMany } from '../db/user-limits.js';
import { Refusal } from '../errors.js';

/** Limit of memory for the bodies of one user's requests, in bytes: sixteen of the largest. */
const USER_LIMIT = 64 * 1024 * 1024;

/** A request whose body has been read. If it is not JSON, `parsedBody` is missing and the SDK refuses the request. */
export interface ReadRequest {
  request: Request;
  parsedBody?: unknown;
}

/**
 * Reads bodies before the SDK does: the SDK would clone the request first, which takes as long as the rest of its work.
 * A body takes memory from its first byte until its request is answered, and a client may send most of a hundred large
 * bodies and then stall, so the bytes held for each user are limited.
 */
export class Bodies {
  readonly #held = new Map<string, number>();

  /**
   * Reads the body of a POST and passes it to `work`; answers 413 if it is too large.
   *
   * @param whose the user whose limit the body counts against
   * @param largest the maximum size, in bytes
   * @param work answers the request; the body counts until this resolves
   * @param sent resolves once the response is sent: a body answered by a stream counts until then
   * @throws Refusal `rate_limited` if the user's limit is reached
   */
  async read(
    request: Request,
    whose: string,
    largest: number,
    work: (read: ReadRequest) => Promise<Response>,
    sent?: Promise<void>,
  ): Promise<Response> {
    if (request.method !== 'POST') return work({ request });
    let size = 0;
    let streamed = false;
    const hold = (bytes: number) => {
      const held = (this.#held.get(whose) ?? 0) + bytes;
      if (held > USER_LIMIT) throw tooMany('large requests');
      this.#held.set(whose, held);
      size += bytes;
    };
    const giveBack = () => {
      const left = (this.#held.get(whose) ?? 0) - size;
      if (left > 0) this.#held.set(whose, left);
      else this.#held.delete(whose);
    };
    try {
      const text = await textOf(request, largest, hold);
      if (text === undefined) return tooLarge(largest);
      const response = await work(parsed(request, text));
      streamed = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      return response;
    } finally {
      if (streamed && sent) void sent.then(giveBack);
      else giveBack();
    }
  }
}

/** @returns undefined if the body is larger than `largest`; `""`, which is not JSON, if the client disconnected */
async function textOf(request: Request, largest: number, hold: (bytes: number) => void): Promise<string | undefined> {
  const contentLength = request.headers.get('content-length');
  if (Number(contentLength) > largest) return undefined;
  if (contentLength !== null) {
    hold(Number(contentLength));
    return request.text().catch(() => '');
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length;
      if (size > largest) return undefined;
      hold(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    return ''; // the client disconnected
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(request: Request, text: string): ReadRequest {
  try {
    return { request, parsedBody: JSON.parse(text) };
  } catch {
    const { method, url, headers, signal } = request;
    return { request: new Request(url, { method, headers, body: text, signal }) };
  }
}

/** The same response as the SDK's. */
const tooLarge = (largest: number) =>
  Response.json(
    {
      jsonrpc: '2.0',
      error: { code: -32000, message: `Payload Too Large: Request body must not exceed ${largest} bytes` },
      id: null,
    },
    { status: 413 },
  );
