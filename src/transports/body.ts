import { tooMany } from '../db/user-limits.js';
import { Refusal } from '../errors.js';

/** What the bodies of one user's requests may take together, in bytes: sixteen of the largest. */
const ROOM = 64 * 1024 * 1024;

/** A request whose body has been read, and is parsed where it is JSON: where not, the SDK reads it again and says so. */
export interface Read {
  request: Request;
  parsedBody?: unknown;
}

/**
 * Reads bodies before the SDK does, which would copy the request first: that takes as long as all else that it does
 * with one. A body takes memory from its first byte until its request is answered, and a client may send most of a
 * hundred large ones and then nothing more: so each user has room for so many bytes.
 */
export class Bodies {
  readonly #held = new Map<string, number>();

  /**
   * @param whose the user that has to have room for it
   * @param most its largest size, in bytes
   * @param work what to do with it; its room is taken until this is done
   * @param sent where the answer is on a stream, that is not whole when the work is done: when it is
   * @throws Refusal `rate_limited` where the user has no room
   */
  async read(
    request: Request,
    whose: string,
    most: number,
    work: (read: Read) => Promise<Response>,
    sent?: Promise<void>,
  ): Promise<Response> {
    if (request.method !== 'POST') return work({ request });
    let size = 0;
    let streamed = false;
    const hold = (bytes: number) => {
      const held = (this.#held.get(whose) ?? 0) + bytes;
      if (held > ROOM) throw tooMany('large requests');
      this.#held.set(whose, held);
      size += bytes;
    };
    const giveBack = () => {
      const left = (this.#held.get(whose) ?? 0) - size;
      if (left > 0) this.#held.set(whose, left);
      else this.#held.delete(whose);
    };
    try {
      const text = await textOf(request, most, hold);
      if (text === undefined) return tooLarge(most);
      const response = await work(parsed(request, text));
      streamed = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      return response;
    } finally {
      if (streamed && sent) void sent.then(giveBack);
      else giveBack();
    }
  }
}

/** @returns nothing where it is larger; what is no JSON where the client went before its end */
async function textOf(request: Request, most: number, hold: (bytes: number) => void): Promise<string | undefined> {
  const said = request.headers.get('content-length');
  if (Number(said) > most) return undefined;
  if (said !== null) {
    hold(Number(said));
    return request.text().catch(() => '');
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length;
      if (size > most) return undefined;
      hold(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    return ''; // the client is gone
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(request: Request, text: string): Read {
  try {
    return { request, parsedBody: JSON.parse(text) };
  } catch {
    const { method, url, headers, signal } = request;
    return { request: new Request(url, { method, headers, body: text, signal }) };
  }
}

/** In the words of the SDK. */
const tooLarge = (most: number) =>
  Response.json(
    {
      jsonrpc: '2.0',
      error: { code: -32000, message: `Payload Too Large: Request body must not exceed ${most} bytes` },
      id: null,
    },
    { status: 413 },
  );
