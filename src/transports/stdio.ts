import { PassThrough, type Readable, type Writable } from 'node:stream';
import type { McpServerFactory } from '@modelcontextprotocol/server';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import type { Logger } from 'pino';
import { type Conversation, converse } from './conversation.js';
import type { Relay } from './relay.js';

/**
 * How long pending answers may take once the client has closed its end, in milliseconds. Longer than the time limits of
 * a request (to find an owner, its silence, a statement, a remote server), so that one that fails is still told why.
 */
const DRAIN_TIMEOUT = 75_000;

/** A client served over a pair of streams. */
interface StreamConversation extends Pick<Conversation, 'ended' | 'drain'> {
  /** Whether it was closed at a message that is too large: neither that one nor what follows it is answered. */
  isBrokenOff(): boolean;
}

/**
 * Serves one client over a pair of streams. When the input ends, requests already received are still
 * answered, so a piped script of messages gets every answer.
 *
 * @param factory makes the server for the messages that the relay does not take
 */
export function serveStreams(
  factory: McpServerFactory,
  input: Readable,
  output: Writable,
  log: Logger,
  relay?: Relay,
): StreamConversation {
  const incoming = new PassThrough();
  const transport = new StdioServerTransport(incoming, output);
  const conversation = converse(transport, log, factory, { take: relay?.take });
  relay?.start((message) => conversation.send(message).catch(() => {}));
  let finishing = false;
  let isRead = true;
  let brokenOff = false;
  output.once('error', () => {
    isRead = false;
  });
  conversation.ended.then(() => {
    if (!input.readableEnded && !finishing) {
      brokenOff = isRead; // there is no other reason
      log.warn(`connection closed: ${brokenOff ? 'a message was too large' : 'nobody reads the answers'}`);
    }
    relay?.close();
  });
  const finish = (patience: number) => {
    finishing = true;
    return conversation.drain(patience);
  };
  input.on('data', (chunk) => incoming.write(chunk));
  // Deferred until the last chunk has been parsed: only then are all unanswered requests known.
  const onEnd = () => setImmediate(() => finish(DRAIN_TIMEOUT));
  input.once('error', onEnd);
  input.once('end', onEnd);
  return { ended: conversation.ended, drain: finish, isBrokenOff: () => brokenOff };
}
