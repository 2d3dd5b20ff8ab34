import type { Socket } from 'node:net';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';

/** A transport for MCP messages over a socket, after its handshake. Closing the transport closes the socket. */
export class SocketTransport extends StdioServerTransport {
  constructor(private readonly socket: Socket) {
    super(socket, socket);
  }

  override async start(): Promise<void> {
    await super.start();
    this.socket.resume();
  }

  override async close(): Promise<void> {
    await super.close();
    this.socket.destroySoon();
  }
}
