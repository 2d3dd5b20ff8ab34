import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** A self-signed certificate for the host name `database.test`, and its key. */
export const CERTIFICATE = fileURLToPath(new URL('certificate.pem', import.meta.url));

/** Listens like a PostgreSQL server that answers only the request for TLS. Counts its connections. */
export async function startTlsListener(hasTls: boolean): Promise<{ address: string; connections(): number }> {
  const pem = readFileSync(CERTIFICATE);
  const secureContext = createSecureContext({ cert: pem, key: pem });
  let connections = 0;
  const server = createServer((socket: Socket) => {
    connections++;
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(hasTls ? 'S' : 'N');
      if (hasTls) new TLSSocket(socket, { isServer: true, secureContext }).on('error', () => {});
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('a listening server has an address');
  return { address: `127.0.0.1:${address.port}`, connections: () => connections };
}
