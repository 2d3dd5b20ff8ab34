// A TCP proxy between a server and its database that adds latency, and counts round trips and statements.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { onCleanup } from './harness.mjs';

/**
 * Starts a TCP proxy that delays every byte by `delay` milliseconds each way, without limiting throughput.
 *
 * @returns its address, and counts: `statements` that the client sent, alone or in scripts, and `roundTrips`, the sends
 *   that follow an answer and so may have waited for it
 */
export async function startDelayProxy(address, delay) {
  const [host, port] = address.split(':');
  const counts = { statements: 0, roundTrips: 0 };
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: Number(port), host, noDelay: true });
    const count = statementCounter(counts);
    let answered = true;
    client.on('data', (chunk) => {
      if (answered) counts.roundTrips++;
      answered = false;
      count(chunk);
    });
    forwardDelayed(client, upstream, delay);
    forwardDelayed(upstream, client, delay, () => {
      answered = true;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanup(async () => server.close());
  return { address: `127.0.0.1:${server.address().port}`, counts };
}

/** Keeps bytes in order, since timers of equal length fire in the order in which they were set. */
function forwardDelayed(from, to, delay, arrived = () => {}) {
  const later = (work) => setTimeout(() => to.destroyed || work(), delay);
  from.on('data', (chunk) =>
    later(() => {
      arrived();
      to.write(chunk);
    }),
  );
  from.on('end', () => later(() => to.end()));
  from.on('error', () => to.destroy());
  from.on('close', () => later(() => to.destroy()));
}

/** Counts statements in the PostgreSQL messages that a client sends: `Q` has a script, `E` executes one statement. */
function statementCounter(counts) {
  let rest = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = started ? 1 : 0; // the first message has no type byte
      if (rest.length < head + 4) return;
      const end = head + rest.readInt32BE(head);
      if (rest.length < end) return;
      const kind = started ? String.fromCharCode(rest[0]) : '';
      if (kind === 'Q')
        counts.statements += rest
          .toString('utf8', 5, end - 1)
          .split(';')
          .filter((each) => each.trim()).length;
      if (kind === 'E') counts.statements++;
      started = true;
      rest = rest.subarray(end);
    }
  };
}
