import type { Socket } from 'node:net';
import type { Transport } from '@modelcontextprotocol/server';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';

/** Makes a transport for MCP messages over a socket, after its handshake. Closing the transport closes the socket. */
export function socketTransport(socket: Socket): Transport {
  const transport = new StdioServerTransport(socket, socket);
  const [start, close] = [transport.start.bind(transport), transport.close.bind(transport)];
  transport.start = async () => {
    await start();
    socket.resume();
  };
  transport.close = async () => {
    await close();
    socket.destroySoon();
  };
  return transport;
}
