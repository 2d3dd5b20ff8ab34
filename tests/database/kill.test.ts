import { inject, test } from 'vitest';
import { newRandom, rounds } from '../chaos/random.js';
import { type Answered, expectAllThere, startWriting } from '../chaos/writing.js';
import { openServerDatabase, urlOf } from '../setup/server.js';

test('a server that is gone at once leaves PostgreSQL with all that it answered, and no half of anything', {
  timeout: 600_000,
}, async () => {
  const { seed, next } = newRandom();
  const database = await openServerDatabase();
  try {
    const proxy = inject('backend') === 'neon' ? { kind: 'neon' as const, proxy: inject('proxy') } : undefined;
    const target = { kind: 'postgres' as const, ...proxy, url: urlOf(database) };
    const answered: Answered[] = [];
    for (let round = 0; round < rounds(12); round++) {
      const writing = await startWriting({ target, seed: seed + round });
      await writing.ready;
      await new Promise((resolve) => setTimeout(resolve, next() * 300));
      await writing.kill();
      answered.push(...writing.answered());
    }
    await expectAllThere(database, answered);
  } finally {
    await database.close();
  }
});
