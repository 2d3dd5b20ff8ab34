import { and, asc, between, desc, isNotNull, or, type SQL, sql } from 'drizzle-orm';
import { literalLimit } from '../db/prepared.js';
import { isOpen, projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { usedLabels } from './labels.js';
import { countUpTo, MAX_COUNT } from './lists/list.js';
import { nameKey, titleKey } from './names.js';
import { MAX_ID, type Titled } from './task.js';

/** Completions of a typed text, best first. */
export interface Completions<T> {
  found: T[];
  /** Total number of matches; undefined if not everything was examined. */
  total?: number;
  more: boolean;
}

/** Maximum number of completions returned. */
const OFFERED = 20;

/** Maximum number of newest open tasks searched by title, and of names, to limit the work; most users have fewer. */
const LOOKED_AT = 10_000;
const NAMES = 1000;

/**
 * Finds open tasks whose title has words starting with the typed ones, or whose id starts with the typed digits, by due
 * date. Tasks older than the newest `LOOKED_AT` are found by id only.
 */
export async function completeTasks(tx: UserTx, typed: string): Promise<Completions<Titled>> {
  const open = and(tx.mine(tasks), isOpen(tasks));
  const columns = { id: tasks.id, title: tasks.title, dueSort: tasks.dueSort };
  if (/^\s*#?\s*$/.test(typed)) {
    const rows = await tx.db
      .select({ ...columns, total: countUpTo(tx, MAX_COUNT, isOpen(tasks)) })
      .from(tasks)
      .where(open)
      .orderBy(asc(tasks.dueSort), asc(tasks.id))
      .limit(literalLimit(OFFERED));
    const total = rows[0]?.total ?? 0;
    return fitting(
      rows.map(({ id, title }) => ({ id, title })),
      total,
      total <= MAX_COUNT,
    );
  }

  const [, digits = '', rest = ''] = /^\s*#?(\d{1,10})(.*)$/.exec(typed) ?? [];
  const recent = tx.db.$with('recent').as(
    tx.db
      .select({ ...columns, titleKey: tasks.titleKey })
      .from(tasks)
      .where(open)
      .orderBy(desc(tasks.id))
      .limit(literalLimit(LOOKED_AT)),
  );
  const byTitle = tx.db
    .select({ id: recent.id, title: recent.title, dueSort: recent.dueSort })
    .from(recent)
    .where(
      and(
        ...titleKey(typed)
          .split(' ')
          .map((word) => sql`' ' || ${recent.titleKey} like ${beginning(word)}`),
      ),
    );
  const byNumber = tx.db
    .select(columns)
    .from(tasks)
    .where(and(open, digits ? or(...numbersLike(digits, rest.trim() !== '')) : sql`false`))
    .orderBy(asc(tasks.id))
    .limit(literalLimit(MAX_COUNT + 1));
  const matches = byTitle.union(byNumber).as('matches');
  const searched = tx.db
    .select({ at: sql<number>`count(*)::int`.as('at') })
    .from(recent)
    .as('looked');
  const rows = await tx.db
    .with(recent)
    .select({ id: matches.id, title: matches.title, total: sql<number>`count(*) over ()::int`, looked: searched.at })
    .from(searched)
    .leftJoin(matches, sql`true`)
    .orderBy(sql`${matches.id} <> ${digits ? clamped(Number(digits)) : 0}`, asc(matches.dueSort), asc(matches.id))
    .limit(literalLimit(OFFERED));
  const found = rows.flatMap(({ id, title }) => (id === null || title === null ? [] : [{ id, title }]));
  return fitting(found, found.length > 0 ? (rows[0]?.total ?? 0) : 0, (rows[0]?.looked ?? 0) < LOOKED_AT);
}

const fitting = (found: Titled[], total: number, exact: boolean) => ({
  found,
  ...(exact && { total }),
  more: !exact || total > found.length,
});

/** Builds a LIKE pattern for a word prefix, in a text with a space before every word. */
const beginning = (word: string) => `% ${word.replace(/[\\%_]/g, '\\$&')}%`;

const clamped = (id: number) => Math.min(id, MAX_ID);

/** Builds conditions for ids that start with these digits, as ranges, which an index can serve. */
function numbersLike(digits: string, whole: boolean): SQL[] {
  const ranges: SQL[] = [];
  for (let low = Number(digits), high = low; low > 0 && low <= MAX_ID; low *= 10, high = high * 10 + 9) {
    ranges.push(between(tasks.id, low, clamped(high)));
    if (whole) break;
  }
  return ranges.length > 0 ? ranges : [sql`false`];
}

/** Finds project names that start with the text, then those with a word that does, then those that contain it. */
export async function completeProjects(tx: UserTx, typed: string): Promise<Completions<string>> {
  const rows = await tx.db
    .select({ name: projects.name })
    .from(projects)
    .where(and(tx.mine(projects), isNotNull(projects.nameKey)))
    .orderBy(asc(projects.nameKey))
    .limit(literalLimit(NAMES + 1));
  return named(
    rows.map(({ name }) => name),
    typed,
  );
}

/** Finds labels in use, likewise. */
export const completeLabels = async (tx: UserTx, typed: string): Promise<Completions<string>> =>
  named(await usedLabels(tx, NAMES + 1), typed);

function named(names: string[], typed: string): Completions<string> {
  const key = plain(typed.replace(/^\s*[@+#]+/, ''));
  const ranked = names
    .slice(0, NAMES)
    .map((name) => ({ name, rank: matchRank(plain(name), key) }))
    .filter(({ rank }) => rank < 3)
    .sort((a, b) => a.rank - b.rank);
  const exact = names.length <= NAMES;
  return {
    found: ranked.slice(0, OFFERED).map(({ name }) => name),
    ...(exact && { total: ranked.length }),
    more: !exact || ranked.length > OFFERED,
  };
}

const plain = (name: string) =>
  nameKey(name)
    .normalize('NFD')
    .replace(/\p{M}+/gu, '');

const matchRank = (name: string, key: string) =>
  name.startsWith(key) ? 0 : name.includes(` ${key}`) ? 1 : name.includes(key) ? 2 : 3;
