import { and, desc, isNull, type Placeholder, type SQL, sql } from 'drizzle-orm';
import { literalLimit, prepared, preparedBy } from '../../db/prepared.js';
import { comments, isOpen, projects, tasks } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import { invalid } from '../../errors.js';
import { titleKey } from '../names.js';
import { inProject, type TaskRow, type Titled, taskColumns, tasksIn, toTask } from '../task.js';
import {
  type Filter,
  type FilterParam,
  filterCondition,
  labelsOf,
  missingReference,
  missingRefusal,
  type Shape,
  shapeOf,
  type Value,
} from './filter.js';
import type { FoundTasks, Page, PageParam } from './list.js';
import { afterPosition, ORDER, PAGE_ORDER, position, positionFrom, type Sort } from './sort.js';

/** If more tasks than this have the words, only the newest are ranked. */
export const MAX_RANKED = 500;
/** How many ranked matches can be paged through; to find a task beyond that, other words are better. */
export const MAX_PAGED = 200;

/**
 * Builds the condition that a task, or one comment on it, has all of these words, or that the text is its number.
 * Row-level security keeps it from using an index, but it misses no match, however many there are.
 */
export function hasWords(tx: UserTx, text: string): SQL {
  const query = sql`(select taskloom.search_query(${normalizeOperators(text)}::text, true))`;
  return sql`(${tasks.words} @@ ${query} or ${tasks.id} = ${numberIn(text)}::int or exists (
    select from ${comments} c where c.user_id = ${tx.userId} and c.task_id = ${tasks.id} and c.words @@ ${query}))`;
}

/** Names of the parameters that a search has: its text, and the task number that this may be. */
type SearchParam = 'text' | 'number';

/**
 * Builds the query for the ids, ranks and ages (1 is the newest) of the user's tasks that have the words. The caller
 * joins it with `tasks` under row-level security and `tx.mine`. An age of `MAX_RANKED` + 1 means that there are more;
 * negative ranks mean that no task has all the words and these come closest.
 *
 * @param shape the filter, applied before the newest are taken, since afterwards it might leave none; an empty project
 *   name stands for tasks without a project
 */
function searchTasks(shape: Shape, value: Value<FilterParam | SearchParam>): SQL {
  const { status, due } = shape;
  const statuses: string[] | undefined =
    status === 'deleted' || status === 'all'
      ? undefined
      : status === 'open' || status === 'in_progress' // a claimed task keeps its stored status
        ? ['pending', 'in_progress']
        : [status === 'not_started' ? 'pending' : status];
  const given = (isSet: boolean, name: FilterParam) => (isSet ? value(name) : null);
  const labels = labelsOf(shape, value).map((label) => sql`${label}::text`);
  return sql`select id, rank, row_number() over (order by id desc) as age from taskloom.search_tasks(${value('text')}::text, ${value('number')}::int,
    ${statuses ? `{${statuses}}` : null}::text[], ${status === 'deleted'}::boolean, ${shape.archived}::boolean, ${given(shape.project !== undefined, 'project')}::text,
    ${labels.length > 0 ? sql`array[${sql.join(labels, sql`, `)}]` : null}::text[], ${given(shape.priority, 'priority')}::smallint,
    ${due === 'none' ? 'infinity' : given(due === 'between', 'dueFrom')}::timestamptz, ${given(due === 'until' || due === 'between', 'dueUntil')}::timestamptz,
    ${given(shape.parent === 'numbered', 'parent')}::int, ${given(shape.completedSince, 'completedSince')}::timestamptz)`;
}

const nothingToFind = () =>
  invalid(
    'text has no word to search for.',
    'Give at least one word or number that the task contains; -words only exclude. Omit text to list everything.',
  );

/**
 * Rewrites operators of other search languages, outside phrases: `a AND b`, `a && b`, `NOT a`, `a | b`, `-not a`.
 *
 * @throws Refusal `invalid` for parentheses that group alternatives or exclusions: they have no effect
 */
function normalizeOperators(text: string): string {
  const [outside, phrases] = [text.split(/"[^"]*"?/), text.match(/"[^"]*"?/g) ?? []];
  const plain = outside.join(' ');
  if (/\([^)]*\s/.test(plain) && /(?:^|[\s(])(?:or\b|OR\b|NOT\b|\||-(?=[^\s-]))/.test(plain))
    throw invalid(
      'text: parentheses do not group words.',
      'Search in several calls, or use words, or, and -word alone.',
    );
  const rewritten = outside.map((part) =>
    part
      .replace(/(?<!\S)(?:AND|[()&]+)(?!\S)/g, ' ')
      .replace(/(?<=\S\s+)\|\|?(?=\s+\S)/g, 'or')
      .replace(/(?<!\S)(?:NOT|-not|-NOT)\s+-?(?=\S)/g, '-')
      .replace(/(?<!\S)NOT\s*$/, '-') // before a phrase
      .replace(/(?<!\S)or(?:\s+or)+(?!\S)/gi, 'or'),
  );
  rewritten[0] = rewritten[0]?.replace(/^\s*or\s+/i, '') ?? '';
  rewritten.push(rewritten.pop()?.replace(/(?:^|(?<=\S))\s+or\s*$/i, '') ?? '');
  return rewritten.map((part, i) => part + (phrases[i] ?? '')).join('');
}

/** Letters of a word that tells tasks apart; shorter ones, such as "the", are left out unless all words are short. */
const TELLING = 4;

/**
 * Returns a search for any telling word of a text instead of all its words, which still count for the rank.
 *
 * @returns undefined for a single word, and for a text with phrases or operators
 */
export function anyWordOf(text: string): string | undefined {
  const words = text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  if (words.length < 2 || words.some((word) => /["|&()]|^-|^(?:or|and|not)$/i.test(word))) return undefined;
  const telling = words.filter((word) => word.length >= TELLING);
  return [words.join(' '), ...(telling.length > 0 ? telling : words)].join(' or ');
}

/** Returns the task number if the text is just that (`12`, `#12`). */
function numberIn(text: string): number | null {
  const digits = /^#?(\d{1,9})$/.exec(text)?.[1];
  return digits ? Number(digits) : null;
}

/** Everything that determines the SQL text for a page of a search. */
interface SearchPage extends Omit<Page, 'sort'> {
  sort: Sort | undefined;
}

/**
 * Returns one page of the tasks that have the words, best match first unless a sort is given.
 *
 * @param values the values for the placeholders of `page`
 * @throws Refusal `invalid` if the text has no word to search for, `not_found` for an unknown project or parent
 */
export async function search(
  tx: UserTx,
  page: SearchPage,
  values: Record<PageParam, unknown>,
  { filter, text, from }: { filter: Filter; text: string; from: Date },
): Promise<FoundTasks> {
  const { sort, limit, descriptions } = page;
  const rows = await searchPage(page, tx, { ...values, text: normalizeOperators(text), number: numberIn(text) });
  const [head] = rows;
  if (!head?.searchable) throw nothingToFind();
  if (head.missing) throw await missingRefusal(tx, head.missing, filter);

  const all = tasksIn<Matched>(rows);
  const listed = all.slice(0, limit);
  return {
    tasks: listed.map((row) => toTask(row, { descriptions })),
    total: head.total,
    positionAfter(count) {
      const last = listed[count - 1];
      if (!last || all.length <= count) return undefined;
      return sort ? position(sort, last, from) : { now: from, id: last.id, match: last.match };
    },
    ...(head.closestOnly && { closestOnly: true }),
    ...(head.cut && { cut: true }),
    ...(!sort && all.length <= limit && head.total > MAX_PAGED && { ended: true }),
  };
}

const searchPage = preparedBy((page: SearchPage) => (tx, value: (name: PageParam | SearchParam) => Placeholder) => {
  const { sort, limit, descriptions } = page;
  const after = page.after ? positionFrom(value) : undefined;
  const found = tx.db
    .$with('found', {
      id: sql<number>`id`.as('id'),
      rank: sql<number>`rank`.as('rank'),
      age: sql<number>`age`.as('age'),
    })
    .as(searchTasks(page, value));
  const hits = tx.db.$with('hits').as(
    tx.db
      .select({
        id: sql<number>`found.id`.as('id'),
        rank: sql<number>`found.rank`.as('rank'),
        place: sql<number>`row_number() over (order by found.rank desc, found.id desc)::int`.as('place'),
      })
      .from(found)
      .innerJoin(tasks, and(tx.mine(tasks), sql`${tasks.id} = found.id and found.age <= ${MAX_RANKED}`))
      .where(filterCondition(tx, page, value)),
  );
  const shown = tx.db
    .select({ ...taskColumns(tx, { descriptions, ancestors: !page.ready }), match: sql<number>`hits.rank`.as('match') })
    .from(hits)
    .innerJoin(tasks, and(tx.mine(tasks), sql`${tasks.id} = hits.id`))
    .leftJoin(projects, inProject(tx))
    .where(
      sort
        ? after && afterPosition(sort, after)
        : and(
            sql`hits.place <= ${MAX_PAGED}`,
            after && sql`(hits.rank, hits.id) < (${after.match}::int, ${after.id}::int)`,
          ),
    )
    .orderBy(...(sort ? ORDER[sort] : [sql`hits.rank desc`, sql`hits.id desc`]))
    .limit(literalLimit(limit + 1))
    .as('page');
  const count = tx.db
    .select({
      total: sql<number>`count(*)::int`.as('total'),
      closestOnly: sql<boolean>`coalesce(bool_or(hits.rank < 0), false)`.as('closest_only'),
      cut: sql<boolean>`exists (select 1 from found where found.age > ${MAX_RANKED})`.as('cut'),
      searchable: sql<boolean>`taskloom.search_query(${value('text')}::text, true) is not null`.as('searchable'),
      missing: missingReference(tx, page, value).as('missing'),
    })
    .from(hits)
    .as('count');
  return tx.db
    .with(found, hits)
    .select({ ...count._.selectedFields, task: shown._.selectedFields })
    .from(count)
    .leftJoin(shown, sql`true`)
    .orderBy(...(sort ? PAGE_ORDER[sort] : [sql`page.match desc`, sql`page.id desc`]));
});

type Matched = TaskRow & { match: number };

/** Finds open tasks that a new one may duplicate: first those with the same words, then those with its two longest. */
export const similarTasks = (tx: UserTx, title: string): Promise<Titled[]> =>
  findAlike(tx, { title, key: titleKey(title) });

const findAlike = prepared((tx, value: (name: 'title' | 'key') => Placeholder) => {
  // One lookup per id: a plan cached when there were few tasks would join all of them.
  const task = tx.db
    .select({ id: tasks.id, title: tasks.title })
    .from(tasks)
    .where(and(tx.mine(tasks), sql`${tasks.id} = alike.id`))
    .limit(literalLimit(1))
    .as('task');
  return tx.db
    .select({ id: task.id, title: task.title })
    .from(sql`taskloom.similar_tasks(${value('title')}::text, ${value('key')}::text) alike`)
    .crossJoinLateral(task)
    .orderBy(sql`alike.rank desc`, sql`alike.id desc`);
});

/** Up to how many open tasks with the same titles are counted. */
export const MAX_NAMESAKES = 200;

/** Finds open tasks that have the titles of new ones (compared by `titleKey`), newest first: one more than is counted. */
export const namesakes = (tx: UserTx, titles: string[]): Promise<Titled[]> =>
  openCalled(tx, { keys: JSON.stringify(titles.map(titleKey)) });

const openCalled = prepared((tx, value: (name: 'keys') => Placeholder) =>
  tx.db
    .select({ id: tasks.id, title: tasks.title })
    .from(tasks)
    .leftJoin(projects, inProject(tx))
    .where(
      and(
        tx.mine(tasks),
        isOpen(tasks),
        isNull(projects.archivedAt),
        sql`${tasks.titleKey} = any(array(select json_array_elements_text(${value('keys')}::json)))`,
      ),
    )
    .orderBy(desc(tasks.id))
    .limit(literalLimit(MAX_NAMESAKES + 1)),
);

/** Finds up to 5 tasks, open or closed, whose words match a title best. */
export async function nearTitles(tx: UserTx, title: string): Promise<Titled[]> {
  const { shape, values } = shapeOf({ status: 'all' }, { now: new Date(0), timezone: tx.timezone });
  const given: Record<FilterParam | SearchParam, unknown> = { ...values, text: title, number: numberIn(title) };
  return tx.db
    .select({ id: tasks.id, title: tasks.title })
    .from(sql`(${searchTasks(shape, (name) => given[name])}) found`)
    .innerJoin(tasks, sql`${tx.mine(tasks)} and ${tasks.id} = found.id`)
    .orderBy(sql`found.rank desc`, sql`found.id desc`)
    .limit(literalLimit(5));
}
