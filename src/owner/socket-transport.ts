import type { Socket } from 'node:net';
import { LineTransport } from '../transports/lines.js';

/** A transport for MCP messages over a socket, after its handshake. Closing the transport closes the socket. */
export class SocketTransport extends LineTransport {
  constructor(private readonly socket: Socket) {
    // No limit: the other end is Taskloom too, and what a client sent may be longer when it is written again.
    super(socket, socket, { largest: Number.POSITIVE_INFINITY });
  }

  override async start(): Promise<void> {
    await super.start();
    const end = () => this.close();
    this.socket.once('end', end).once('close', end);
    if (this.socket.readableEnded || this.socket.destroyed) setImmediate(end); // neither will be told again
  }

  override async close(): Promise<void> {
    await super.close();
    this.socket.destroySoon();
  }
}
