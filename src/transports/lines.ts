import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import {
  type JSONRPCMessage,
  ProtocolErrorCode,
  parseJSONRPCMessage,
  type RequestId,
  type Transport,
} from '@modelcontextprotocol/server';
import { MAX_BATCH } from '../json-bounds.js';
import { type Message, negotiatedVersion } from './conversation.js';

/** The largest message, in bytes. */
const MAX_LINE = 10 * 1024 * 1024;

/** The last protocol version whose clients may send several messages as one JSON array. */
const LAST_WITH_BATCHES = '2025-03-26';

const NEWLINE = 0x0a;

const NO_JSON = 'Parse error: the line is not valid JSON.';
const NO_MESSAGE =
  'Invalid Request: the message must have "jsonrpc": "2.0", a method, an object as params if it has any, and as the id of a request a string or an integer.';
const NO_BATCH = `Invalid Request: send each message in a line of its own. Batches are read up to version ${LAST_WITH_BATCHES}, of 1 to ${MAX_BATCH} messages.`;

interface LineOptions {
  /** The largest message, in bytes. The transport closes at a larger one. */
  largest?: number;
  /** Called for each line or message that is refused, with the code of the error. */
  onrefused?: (code: ProtocolErrorCode) => void;
}

/**
 * Carries messages over a pair of streams, one in each line. Unlike the SDK's transport, it answers what is no message,
 * reads batches, and stays open when the input ends, so that requests can still be answered.
 */
export class LineTransport implements Transport {
  onmessage?: Transport['onmessage'];
  onclose?: Transport['onclose'];
  onerror?: Transport['onerror'];
  readonly #largest: number;
  readonly #onrefused: LineOptions['onrefused'];
  /** What has been read of a line, and its length in bytes. */
  #parts: Buffer[] = [];
  #size = 0;
  #readsBatches = false;
  #drained: Promise<unknown> | undefined;
  #closed = false;

  constructor(
    private readonly input: Readable,
    private readonly output: Writable,
    { largest = MAX_LINE, onrefused }: LineOptions = {},
  ) {
    this.#largest = largest;
    this.#onrefused = onrefused;
  }

  async start(): Promise<void> {
    this.output.on('error', (error) => this.#fail(error));
    this.input.on('data', this.#read).once('end', this.#endLine).resume();
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#closed) throw new Error('The transport is closed.');
    if (this.output.write(`${JSON.stringify(message)}\n`)) return;
    this.#drained ??= once(this.output, 'drain').finally(() => {
      this.#drained = undefined;
    });
    await this.#drained;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.input.off('data', this.#read).off('end', this.#endLine).pause();
    this.#parts = [];
    this.onclose?.();
  }

  readonly #read = (chunk: Buffer): void => {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      this.#endLine();
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
  };

  #keep(part: Buffer): void {
    if (this.#closed) return;
    this.#size += part.length;
    if (this.#size > this.#largest) this.#fail(new RangeError('a message is too large'));
    else if (part.length > 0) this.#parts.push(part);
  }

  readonly #endLine = (): void => {
    if (this.#size === 0 || this.#closed) return;
    const [first, ...others] = this.#parts;
    const line = others.length === 0 && first ? first : Buffer.concat(this.#parts, this.#size);
    this.#parts = [];
    this.#size = 0;
    const text = line.toString().replace(/^\uFEFF/, '');
    let content: unknown;
    try {
      content = JSON.parse(text);
    } catch {
      if (text.trim() !== '') this.#refuse(null, ProtocolErrorCode.ParseError, NO_JSON);
      return;
    }
    if (!Array.isArray(content)) this.#receive(content);
    else if (this.#readsBatches && content.length > 0 && content.length <= MAX_BATCH)
      for (const message of content) this.#receive(message);
    else this.#refuse(null, ProtocolErrorCode.InvalidRequest, NO_BATCH);
  };

  #receive(content: unknown): void {
    let message: JSONRPCMessage;
    try {
      message = parseJSONRPCMessage(content);
    } catch {
      const { id, method, result, error } = (content ?? {}) as Message & { error?: unknown };
      const isResponse = method === undefined && (result !== undefined || error !== undefined);
      if (!isResponse) this.#refuse(isId(id) ? id : null, ProtocolErrorCode.InvalidRequest, NO_MESSAGE);
      return;
    }
    if ((message as Message).method === 'initialize')
      this.#readsBatches = negotiatedVersion(message as Message) <= LAST_WITH_BATCHES;
    this.onmessage?.(message);
  }

  #refuse(id: RequestId | null, code: ProtocolErrorCode, message: string): void {
    this.#onrefused?.(code);
    // The SDK's type of a response has no null, which JSON-RPC prescribes where the id is unknown.
    this.send({ jsonrpc: '2.0', id, error: { code, message } } as JSONRPCMessage).catch(() => {});
  }

  #fail(error: Error): void {
    this.onerror?.(error);
    this.close();
  }
}

/** Whether the SDK accepts this id. */
const isId = (id: unknown): id is RequestId => typeof id === 'string' || Number.isSafeInteger(id);
