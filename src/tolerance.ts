import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/server';

/** Prepares a server for params as clients send them, over every transport: `arguments` of null are none. */
export function tolerant<S extends { connect(transport: Transport): Promise<void> }>(server: S): S {
  const connect = server.connect.bind(server);
  server.connect = (transport) => {
    transport.onmessage = dropNullArguments; // the server calls it before it reads a message
    return connect(transport);
  };
  return server;
}

function dropNullArguments(message: JSONRPCMessage): void {
  if ('params' in message && message.params?.arguments === null) delete message.params.arguments;
}
