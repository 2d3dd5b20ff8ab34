import { type JSONRPCMessage, ProtocolErrorCode, type Transport } from '@modelcontextprotocol/server';
import { oneLine } from './characters.js';

/** How many mistakes in the params of one request an error names. */
const MAX_ISSUES = 5;

/** An error of the SDK about params that do not have the form of their method: a dump of what is wrong, as JSON. */
const DUMP = /^(?:Invalid [a-z/]+ request: )?(?=\[\n)/;

/** What the dump says of each mistake. */
interface Issue {
  path: (string | number)[];
  message: string;
}

/**
 * Prepares a server for params as clients send them, over every transport: `arguments` of null are none, and an error
 * about params of a wrong form is one line for whoever reads it.
 */
export function tolerant<S extends { connect(transport: Transport): Promise<void> }>(server: S): S {
  const connect = server.connect.bind(server);
  server.connect = (transport) => {
    const send = transport.send.bind(transport);
    transport.send = (message, options) => send(inOneLine(message), options);
    transport.onmessage = dropNullArguments; // the server calls it before it reads a message
    return connect(transport);
  };
  return server;
}

function dropNullArguments(message: JSONRPCMessage): void {
  if ('params' in message && message.params?.arguments === null) delete message.params.arguments;
}

function inOneLine(message: JSONRPCMessage): JSONRPCMessage {
  if (!('error' in message) || !DUMP.test(message.error.message)) return message;
  try {
    const issues: Issue[] = JSON.parse(message.error.message.replace(DUMP, ''));
    const text = oneLine(`Invalid params: ${issues.slice(0, MAX_ISSUES).map(inWords).join('; ')}`, 500);
    return { ...message, error: { code: ProtocolErrorCode.InvalidParams, message: text } };
  } catch {
    return message;
  }
}

function inWords({ path, message }: Issue): string {
  const [first, ...others] = path;
  const field = first === 'params' ? others : path;
  return [...(field.length > 0 ? [field.join('.')] : []), message.replace('Invalid input: ', '')].join(': ');
}
