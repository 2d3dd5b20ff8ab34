import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';

/** A WebSocket-to-TCP proxy: what Neon runs in front of its servers, in a few lines. */
export interface NeonProxy {
  /** `host:port/path`, for `openNeon`. The driver adds `?address=` and the server of its URL. */
  at: string;
  close(): Promise<void>;
}

/** Starts a proxy on loopback that leads to one server and to no other. */
export async function startProxy(address: string): Promise<NeonProxy> {
  const [host, port] = address.split(':');
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    path: '/v1',
    verifyClient: ({ req }: { req: IncomingMessage }) =>
      new URL(req.url ?? '', 'ws://proxy').searchParams.get('address') === address,
  });
  server.on('connection', (socket) => {
    const near = createWebSocketStream(socket);
    // At once, as Neon's own does: small messages in a row would wait 40 ms for the server's acknowledgement.
    const far = connect({ port: Number(port), host, noDelay: true });
    // Each direction waits for its reader; whichever end goes takes the other with it.
    pipeline(near, far, () => {});
    pipeline(far, near, () => socket.terminate());
  });
  await once(server, 'listening');
  const bound = server.address();
  if (typeof bound !== 'object' || !bound) throw new Error('a listening server has an address');
  return {
    at: `127.0.0.1:${bound.port}/v1`,
    close: () => {
      for (const client of server.clients) client.terminate();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
