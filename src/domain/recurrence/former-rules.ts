import { and, desc, eq, sql } from 'drizzle-orm';
import { arrayOf } from '../../db/prepared.js';
import { changes, type Repeat } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';

/** Loads the rules that tasks had until they were closed, by task id, as far as history is kept and they got no other. */
export async function formerRules(tx: UserTx, ids: number[]): Promise<Map<number, Repeat>> {
  const rows = await tx.db
    .selectDistinctOn([changes.entityId], { id: changes.entityId, before: changes.before, after: changes.after })
    .from(changes)
    .where(
      and(
        tx.mine(changes),
        eq(changes.entity, 'task'),
        sql`${changes.entityId} = any(${arrayOf(ids)})`,
        sql`${changes.after} -> 'repeats' is not null`,
      ),
    )
    .orderBy(changes.entityId, desc(changes.seq));
  return new Map(
    rows.flatMap(({ id, before, after }) =>
      before.repeats && after.repeats === null && after.status ? [[id, before.repeats as Repeat]] : [],
    ),
  );
}
