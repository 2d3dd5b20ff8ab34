import { PassThrough, type Readable, type Writable } from 'node:stream';
import type { McpServerFactory } from '@modelcontextprotocol/server';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Logger } from 'pino';
import { Listens } from './listen-stdio.js';

/** How long answers under way may take once the client has closed its end, in milliseconds. */
const PATIENCE = 10_000;

interface Message {
  id?: unknown;
  method?: unknown;
  params?: { requestId?: unknown } | undefined;
}

/**
 * Serves one client over a pair of streams. When the input ends, requests already received are still
 * answered: whoever pipes a script of messages in gets every answer.
 *
 * @returns when the connection has ended
 */
export async function serveStreams(
  factory: McpServerFactory,
  input: Readable,
  output: Writable,
  log: Logger,
): Promise<void> {
  const unanswered = new Set<unknown>();
  let settled = () => {};
  const relayed = new PassThrough();
  const transport = new StdioServerTransport(relayed, output);

  const answered = (id: unknown) => {
    if (unanswered.delete(id) && unanswered.size === 0) settled();
  };
  const send = transport.send.bind(transport);
  transport.send = async (message) => {
    await send(message);
    const { id, method } = message as Message;
    if (method === undefined) answered(id);
  };
  const ended = new Promise<void>((resolve) => {
    const listens = new Listens(transport);
    serveStdio(listens.through(factory), {
      transport,
      onerror: (error) => log.debug({ kind: error.name }, 'protocol error'),
    });
    listens.watch();
    const { onmessage, onclose } = transport;
    transport.onmessage = (message) => {
      const { id, method, params } = message as Message;
      // A cancelled request gets no answer, and a subscription none before its end: nobody waits for those.
      if (method === 'notifications/cancelled') answered(params?.requestId);
      else if (id !== undefined && method !== undefined && method !== 'subscriptions/listen') unanswered.add(id);
      onmessage?.(message);
    };
    transport.onclose = () => {
      if (!input.readableEnded) log.warn('connection closed: a message was too large, or nobody reads the answers');
      onclose?.();
      resolve();
    };
  });

  input.on('data', (chunk) => relayed.write(chunk));
  input.once('error', () => relayed.end());
  input.once('end', () => {
    const end = () => relayed.end();
    // The last chunk is read first; only then is it known what is still unanswered.
    setImmediate(() => {
      if (unanswered.size === 0) return end();
      settled = end;
      setTimeout(end, PATIENCE).unref();
    });
  });
  return ended;
}
