import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';

/** A minimal WebSocket-to-TCP proxy, like the one that Neon runs in front of its servers. */
export interface NeonProxy {
  /** `host:port/path`, for `openNeon`. The driver adds `?address=` and the server of its URL. */
  at: string;
  close(): Promise<void>;
}

/** Starts a proxy on loopback that connects only to one server. */
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
    // No delay, as in Neon's proxy: otherwise small messages in a row wait 40 ms for the server's acknowledgement.
    const far = connect({ port: Number(port), host, noDelay: true });
    // With back-pressure in both directions; when one end closes, so does the other.
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
