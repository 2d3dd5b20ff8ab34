// A line between a server and its database that is as long as one wants, and knows what crosses it.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterwards } from './harness.mjs';

/**
 * A TCP proxy that holds back every byte by `delay` milliseconds each way, in order and without one waiting for another.
 *
 * @returns its address, and what it has seen: statements that were sent to be run, in scripts or by themselves, and
 *   roundTrips: how often something was sent after an answer, so that it may have waited for that
 */
export async function longLine(address, delay) {
  const [host, port] = address.split(':');
  const seen = { statements: 0, roundTrips: 0 };
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: Number(port), host, noDelay: true });
    const count = counting(seen);
    let answered = true;
    near.on('data', (chunk) => {
      if (answered) seen.roundTrips++;
      answered = false;
      count(chunk);
    });
    late(near, far, delay);
    late(far, near, delay, () => {
      answered = true;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterwards(async () => server.close());
  return { address: `127.0.0.1:${server.address().port}`, seen };
}

/** Timers of one length run in the order they were set: so the bytes stay in theirs. */
function late(from, to, delay, arrived = () => {}) {
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

/** Follows the messages of PostgreSQL's protocol in what a client sends: `Q` holds a script, `E` runs one statement. */
function counting(seen) {
  let rest = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = started ? 1 : 0; // the first message has no letter
      if (rest.length < head + 4) return;
      const end = head + rest.readInt32BE(head);
      if (rest.length < end) return;
      const kind = started ? String.fromCharCode(rest[0]) : '';
      if (kind === 'Q')
        seen.statements += rest
          .toString('utf8', 5, end - 1)
          .split(';')
          .filter((each) => each.trim()).length;
      if (kind === 'E') seen.statements++;
      started = true;
      rest = rest.subarray(end);
    }
  };
}
