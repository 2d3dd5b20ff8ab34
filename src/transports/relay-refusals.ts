import {
  type JSONRPCMessage,
  PROTOCOL_VERSION_META_KEY,
  ProtocolErrorCode,
  type RequestId,
} from '@modelcontextprotocol/server';
import { invalid, MAY_HAVE_HAPPENED, type Refusal, TELL_OPERATOR, unavailable } from '../errors.js';
import type { Message } from './conversation.js';

const TRY_AGAIN = `Try again in a moment. ${MAY_HAVE_HAPPENED}`;

export const CRASHED = unavailable(
  'The process that has the task database exited each time it ran this request.',
  TRY_AGAIN,
);
export const UNREACHABLE = unavailable('The Taskloom server cannot be reached.', TRY_AGAIN);
export const TOO_DEEP = invalid('The arguments are nested too deeply.', 'Send plain values and lists of them.');
export const unwritable = (reason: string | undefined): Refusal =>
  unavailable(`The task database cannot be written: ${reason}.`, `${TELL_OPERATOR} ${TRY_AGAIN}`);

export type RelayedRequest = Message & { jsonrpc: '2.0'; id: RequestId; method: string };

/** Makes the response that refuses a request: a tool result for a tool call, otherwise a JSON-RPC error. */
export function refused({ id, method, params }: RelayedRequest, { body }: Refusal): JSONRPCMessage {
  const text = [body.message, body.hint].filter(Boolean).join(' ');
  if (method !== 'tools/call')
    return {
      jsonrpc: '2.0',
      id,
      error: { code: ProtocolErrorCode.InternalError, message: text, data: { code: body.code } },
    };
  const isModern = params?._meta?.[PROTOCOL_VERSION_META_KEY] !== undefined;
  const result = {
    content: [{ type: 'text' as const, text }],
    structuredContent: { error: { ...body } },
    isError: true,
  };
  return { jsonrpc: '2.0', id, result: isModern ? { resultType: 'complete', ...result } : result };
}
