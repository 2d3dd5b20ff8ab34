import { tooMany } from '../db/user-limits.js';
import { Refusal } from '../errors.js';
import { isTooComplex, TOO_COMPLEX } from '../json-bounds.js';
import { jsonRpcError } from './http-responses.js';

/** Limit of memory for the bodies of one user's requests, in bytes: sixteen of the largest. */
const USER_LIMIT = 64 * 1024 * 1024;

/** A request whose body has been read, but not parsed. */
export interface ReadRequest {
  request: Request;
  /** The body of a POST. */
  text?: string;
}

/** A request with its parsed body. If that is not JSON, `parsedBody` is missing and the SDK refuses the request. */
export interface ParsedRequest {
  request: Request;
  parsedBody?: unknown;
}

/** What a body may have. */
export interface BodyLimits {
  /** The maximum size, in bytes. */
  largest: number;
  /** Counts bytes before they are read. Returns the response that refuses them if they are too many. */
  count(bytes: number): Response | undefined;
}

/**
 * Reads bodies before the SDK does: the SDK would clone the request first, which takes as long as the rest of its work.
 * A body takes memory from its first byte until its request is answered, and a client may send most of a hundred large
 * bodies and then stall, so the bytes held for each user are limited. One that would take long to parse is refused
 * unparsed.
 */
export class Bodies {
  readonly #held = new Map<string, number>();

  /**
   * Reads the body of a POST and passes it to `work`; answers 413 if it is too large or too complex.
   *
   * @param whose the user whose limit the body counts against
   * @param work answers the request; the body counts until this resolves
   * @param sent resolves once the response is sent: a body answered by a stream counts until then
   * @throws Refusal `rate_limited` if the user's limit is reached
   */
  async read(
    request: Request,
    whose: string,
    { largest, count }: BodyLimits,
    work: (read: ReadRequest) => Promise<Response>,
    sent?: Promise<void>,
  ): Promise<Response> {
    if (request.method !== 'POST') return work({ request });
    let size = 0;
    let streamed = false;
    const take = (bytes: number) => {
      if (size + bytes > largest) return tooLarge(`Request body must not exceed ${largest} bytes`);
      const held = (this.#held.get(whose) ?? 0) + bytes;
      if (held > USER_LIMIT) throw tooMany('large requests');
      this.#held.set(whose, held);
      size += bytes;
      return count(bytes);
    };
    const giveBack = () => {
      const left = (this.#held.get(whose) ?? 0) - size;
      if (left > 0) this.#held.set(whose, left);
      else this.#held.delete(whose);
    };
    try {
      const text = await textOf(request, take);
      if (typeof text !== 'string') return text;
      if (isTooComplex(text)) return tooLarge(`Request body must have ${TOO_COMPLEX}; send it in smaller parts`);
      const response = await work({ request, text });
      streamed = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      return response;
    } finally {
      if (streamed && sent) void sent.then(giveBack);
      else giveBack();
    }
  }
}

/** Parses the body of a request. Do so only when it is the request's turn: parsed, a body may take ten times the memory. */
export function parsed({ request, text }: ReadRequest): ParsedRequest {
  if (text === undefined) return { request };
  try {
    return { request, parsedBody: JSON.parse(text) };
  } catch {
    const { method, url, headers, signal } = request;
    return { request: new Request(url, { method, headers, body: '', signal }) }; // as little JSON as the body was
  }
}

/**
 * @param take counts bytes; returns a response if that refuses the body
 * @returns that response, or the body; `""`, which is not JSON, if the client disconnected
 */
async function textOf(request: Request, take: (bytes: number) => Response | undefined): Promise<string | Response> {
  const contentLength = request.headers.get('content-length');
  if (contentLength !== null) return take(Number(contentLength)) ?? request.text().catch(() => '');
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of request.body ?? []) {
      const refusal = take(chunk.length);
      if (refusal) return refusal;
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    return ''; // the client disconnected
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The same response as the SDK's. */
const tooLarge = (why: string) => jsonRpcError(413, -32000, `Payload Too Large: ${why}`);
