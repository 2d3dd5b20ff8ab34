import type { Readable, Writable } from 'node:stream';
import type { McpServerFactory, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import { type Conversation, converse } from './conversation.js';
import { LineTransport } from './lines.js';
import type { Relay } from './relay.js';

/**
 * How long pending answers may take once the client has closed its end, in milliseconds. Longer than the time limits of
 * a request (to find an owner, its silence, a statement, a remote server), so that one that fails is still told why.
 */
const DRAIN_TIMEOUT = 75_000;

/** How often refused lines are logged, in milliseconds: a program that prints to this pipe may print any number. */
const LOG_AGAIN = 60_000;

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
  let logAt = 0;
  const onrefused = (code: ProtocolErrorCode) => {
    if (performance.now() < logAt) return;
    logAt = performance.now() + LOG_AGAIN;
    log.warn({ code }, 'refused a line that is no message');
  };
  const transport = new LineTransport(input, output, { onrefused });
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
  const onEnd = () => finish(DRAIN_TIMEOUT); // the transport, which listened first, has read the last line
  input.once('error', onEnd);
  input.once('end', onEnd);
  return { ended: conversation.ended, drain: finish, isBrokenOff: () => brokenOff };
}
