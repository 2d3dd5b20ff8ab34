import { eq } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { readAsUser } from '../src/db/read-as-user.js';
import type { UserTx } from '../src/db/scope.js';
import { asService, queryAsTableOwner } from '../src/db/service.js';
import { whatChanged } from '../src/domain/changed.js';
import { nextReady } from '../src/domain/claim.js';
import { gather } from '../src/domain/gather.js';
import { getTasks } from '../src/domain/get.js';
import { changesSince } from '../src/domain/guard.js';
import { usedLabels } from '../src/domain/labels.js';
import { firstTasks, listTasks } from '../src/domain/lists/list.js';
import { namesakes, nearTitles, similarTasks } from '../src/domain/lists/search.js';
import { obstaclesTo } from '../src/domain/nothing-ready.js';
import { overview } from '../src/domain/overview.js';
import { listProjects } from '../src/domain/projects.js';
import { formerRules } from '../src/domain/recurrence/former-rules.js';
import { completeLabels, completeProjects, completeTasks } from '../src/domain/suggest.js';
import { touchedSince } from '../src/domain/touched.js';
import {
  commentsOf,
  lastWrites,
  laterChanges,
  loadWrite,
  projectNamesOf,
  projectsWithOtherTasks,
} from '../src/domain/undo/past-writes.js';
import { prompts } from '../src/prompts/index.js';
import { resources } from '../src/resources/index.js';
import { tools } from '../src/tools/index.js';
import {
  type Agent,
  agentOf,
  completion,
  newAgent,
  newUser,
  openTestDatabase,
  rowsOf,
  useWorld,
} from './support/harness.js';
import { completionReach, type Foreign, promptReach, reach, resourceReach } from './support/reach.js';
import { unscopedTables } from './support/spy.js';

const world = useWorld();

const foreign: Foreign = { id: 4242, title: 'Zebra merger plan', project: 'Zebra', label: 'zebrafish' };
const nowhere: Foreign = { id: 5353, title: 'Quagga merger plan', project: 'Quagga', label: 'quaggafish' };

/** Ana has tasks of every kind, one of them that Bob would like to see; Bob has two of his own. */
async function anaAndBob(): Promise<{ ana: Agent; bob: Agent }> {
  const [ana, bob] = [await newAgent(world), await newAgent(world)];
  const add = (title: string) =>
    ana.ok('add_task', {
      title,
      description: 'zebra secret',
      due: '2026-11-20',
      project: foreign.project,
      labels: [foreign.label],
    });
  await add('zebra one');
  await add('zebra two');
  await rowsOf(world, 'update taskloom.counters set next_task = $2 where user_id = $1', [
    ana.principal.userId,
    foreign.id,
  ]);
  await add(foreign.title);
  await ana.ok('add_task', { title: 'zebra thought', labels: [foreign.label] });
  await ana.ok('complete_task', { id: 1 });
  await ana.ok('add_task', { title: 'zebra feed' });
  await ana.ok('claim_task', { id: foreign.id + 2, agent: 'zebra keeper' });
  await ana.ok('add_comment', { id: foreign.id, text: 'zebra remark' });
  await ana.ok('delete_task', { id: 2 });
  await bob.ok('add_task', { title: 'bob one' });
  await bob.ok('add_task', { title: 'bob two', due: '2026-11-20' });
  return { ana, bob };
}

const everythingOf = async (userId: string) => ({
  tasks: await rowsOf(world, 'select * from taskloom.tasks where user_id = $1 order by id', [userId]),
  labels: await rowsOf(world, 'select * from taskloom.task_labels where user_id = $1 order by 2, 3', [userId]),
  projects: await rowsOf(world, 'select * from taskloom.projects where user_id = $1 order by id', [userId]),
  comments: await rowsOf(world, 'select * from taskloom.comments where user_id = $1 order by id', [userId]),
  dependencies: await rowsOf(world, 'select * from taskloom.dependencies where user_id = $1 order by 2, 3', [userId]),
  changes: await rowsOf(world, 'select * from taskloom.changes where user_id = $1 order by seq', [userId]),
  counters: await rowsOf(world, 'select * from taskloom.counters where user_id = $1', [userId]),
});

/** An answer with the marks of what was asked for taken out: what is left must not differ. */
const unmarked = (reply: unknown, { id, title, project, label }: Foreign) =>
  JSON.stringify(reply)
    .replaceAll(/u-[0-9a-f-]{36}/g, 'HANDLE')
    .replaceAll(String(id), 'ID')
    .replaceAll(title, 'TITLE')
    .replaceAll(project, 'PROJECT')
    .replaceAll(label, 'LABEL');

/** Every way to ask for something but tools, by name: requests, and the words by which each is told apart. */
const asked: [string, (agent: Agent, foreign: Foreign) => [string, () => Promise<unknown>][]][] = [
  ...prompts.map(({ name }): (typeof asked)[number] => [
    `prompt ${name}`,
    ({ client }, who) =>
      (promptReach[name]?.(who) ?? []).map((args) => [
        JSON.stringify(args),
        () => client.getPrompt({ name, arguments: args }),
      ]),
  ]),
  ...resources.map(({ name }): (typeof asked)[number] => [
    `resource ${name}`,
    ({ client }, who) => (resourceReach[name]?.(who) ?? []).map((uri) => [uri, () => client.readResource({ uri })]),
  ]),
  ...completed().map(([of, argument]): (typeof asked)[number] => [
    `completion of ${of} ${argument}`,
    ({ client }, who) =>
      (completionReach[`${of} ${argument}`]?.(who) ?? []).map((typed) => [
        typed,
        () => completion(client, of, argument, typed),
      ]),
  ]),
];

/** What is completed: the name of a prompt or the pattern of an address, and what in it. */
function completed(): [string, string][] {
  const of = (name: string, complete: object) =>
    Object.keys(complete).map((argument): [string, string] => [name, argument]);
  return [
    ...prompts.flatMap(({ name, complete }) => of(name, complete)),
    ...resources.flatMap(({ uri, complete }) => of(uri, complete)),
  ];
}

/** What comes of a request, whether it is answered or refused. */
const outcomeOf = (request: () => Promise<unknown>) =>
  request().then(
    (answer) => ({ answer }),
    ({ code, message, data }) => ({ error: { code, message, data } }),
  );

/** What is left of an answer when the names are taken out that were asked for, in arguments or an address. */
const withoutEchoes = (reply: unknown, asked: string) =>
  [foreign.title, foreign.project, foreign.label]
    .filter((name) => decodeURIComponent(asked).includes(name))
    .reduce((text, name) => text.replaceAll(name, ''), JSON.stringify(reply));

describe('what is not yours does not exist', () => {
  test.each(tools.map((tool) => tool.name))('%s answers for another’s task as for one that never was', async (name) => {
    const { ana, bob } = await anaAndBob();
    const before = await everythingOf(ana.principal.userId);
    const attempts = reach[name]?.(foreign) ?? [];
    const controls = reach[name]?.(nowhere) ?? [];
    expect(attempts.length).toBeGreaterThan(0);
    for (const [i, args] of attempts.entries()) {
      const twin = await agentOf(world, bob.principal);
      const reply = await twin.call(name, args);
      expect(unmarked(reply, foreign), JSON.stringify(args)).toBe(
        unmarked(await twin.call(name, controls[i]), nowhere),
      );
      expect(withoutEchoes(reply, JSON.stringify(args))).not.toMatch(/zebra/i);
    }
    expect(await everythingOf(ana.principal.userId)).toEqual(before);
  });

  test.each(asked)('%s answers for another’s as for what never was', async (_name, requests) => {
    const { ana, bob } = await anaAndBob();
    const before = await everythingOf(ana.principal.userId);
    const controls = requests(bob, nowhere);
    const attempts = requests(bob, foreign);
    expect(attempts.length).toBeGreaterThan(0);
    for (const [i, [what, attempt]] of attempts.entries()) {
      const outcome = await outcomeOf(attempt);
      const control = await outcomeOf(controls[i]?.[1] ?? attempt);
      expect(unmarked(outcome, foreign), what).toBe(unmarked(control, nowhere));
      expect(withoutEchoes(outcome, what), what).not.toMatch(/zebra/i);
    }
    expect(await everythingOf(ana.principal.userId)).toEqual(before);
    const own = await Promise.all(requests(ana, foreign).map(([, request]) => outcomeOf(request)));
    expect(own.some((outcome) => /zebra|4242/i.test(JSON.stringify(outcome)))).toBe(true); // there was something to see
  });

  test('equal ids of two users stay apart in every write', async () => {
    const { ana, bob } = await anaAndBob();
    const before = await everythingOf(ana.principal.userId);
    await bob.ok('update_task', {
      ids: [1, 2],
      title: 'mine',
      project: 'Zebra',
      add_labels: ['zebrafish'],
      status: 'completed',
    });
    await bob.ok('delete_task', { ids: [1, 2] });
    expect(await everythingOf(ana.principal.userId)).toEqual(before);
  });

  test('a change feed, a count or an overview never includes another’s', async () => {
    const { bob } = await anaAndBob();
    expect((await bob.ok('list_tasks', { status: 'all', changed_since: '2020-01-01' })).total).toBe(2);
    expect((await bob.ok('get_overview')).counts).toEqual({
      open: 2,
      in_progress: 0,
      claimed: 0,
      blocked: 0,
      overdue: 1,
      today: 0,
    });
    expect((await bob.ok('list_projects')).projects).toEqual([]);
    expect((await bob.ok('what_changed', { cursor: 0 })).changes).toMatchObject([
      { did: [{ title: 'bob one' }, { title: 'bob two' }] },
    ]);
  });

  test('a disabled user is refused on the next call', async () => {
    const { bob } = await anaAndBob();
    await rowsOf(world, 'update taskloom.users set disabled_at = now() where id = $1', [bob.principal.userId]);
    for (const tool of tools)
      expect(await bob.refused(tool.name, reach[tool.name]?.(nowhere)[0]), tool.name).toMatchObject({
        code: 'forbidden',
        message: 'This account is disabled.',
      });
    for (const [name, requests] of asked)
      for (const [what, request] of requests(bob, nowhere))
        expect(await outcomeOf(request), `${name} ${what}`).toEqual({
          error: {
            code: -32600,
            message: expect.stringContaining('This account is disabled.'),
            data: { code: 'forbidden' },
          },
        });
  });

  test('a user who moves is judged by the clocks there, also where that is refused here', async () => {
    const { ana } = await anaAndBob(); // it is 14:02 in Paris and 22:02 in Tokyo
    await rowsOf(world, `update taskloom.users set timezone = 'Asia/Tokyo' where id = $1`, [ana.principal.userId]);
    await ana.ok('list_tasks', { completed_since: 'today 20:00' });
  });

  test('a user who moves is told by the clocks there when to ask again', async () => {
    const carl = await newAgent(world);
    await carl.ok('add_task', { title: 'later', start: '2026-11-23T09:00' });
    expect((await carl.refused('claim_task')).hint).toBe('Ask again on Mon 23 Nov 09:00.');
    await rowsOf(world, `update taskloom.users set timezone = 'Asia/Tokyo' where id = $1`, [carl.principal.userId]);
    expect((await carl.refused('claim_task')).hint).toBe('Ask again on Mon 23 Nov 17:00.');
  });

  test('a user who moves has another today on the next call', async () => {
    const { bob } = await anaAndBob();
    await bob.ok('add_task', { title: 'sunday', due: '2026-11-22' });
    await rowsOf(world, `update taskloom.users set timezone = 'Pacific/Auckland' where id = $1`, [
      bob.principal.userId,
    ]);
    expect(await bob.ok('get_overview')).toMatchObject({ timezone: 'Pacific/Auckland', now: '2026-11-23T02:02+13:00' });
  });
});

describe('two independent locks', () => {
  /** Every way the domain reads, as one user, with the predicate set to another. */
  const reads: Record<string, (tx: UserTx) => Promise<unknown[]>> = {
    list: (tx: UserTx) =>
      listTasks(
        tx,
        { status: 'all', limit: 50 },
        { now: world.now, secret: Buffer.alloc(32), descriptions: true },
      ).then((page) => page.tasks),
    search: (tx: UserTx) =>
      listTasks(
        tx,
        { text: 'zebra', status: 'all', limit: 50 },
        { now: world.now, secret: Buffer.alloc(32), descriptions: true },
      ).then((page) => page.tasks),
    similar: (tx: UserTx) => similarTasks(tx, foreign.title),
    get: (tx: UserTx) => getTasks(tx, [foreign.id, foreign.title]).then((found) => found.tasks),
    'earlier comments': (tx: UserTx) =>
      getTasks(tx, [foreign.id], { commentsBefore: 2 }).then(({ tasks }) => tasks.flatMap(({ comments }) => comments)),
    overview: (tx: UserTx) => overview(tx, world.now).then((found) => [...found.overdue, ...found.today]),
    'what changed': (tx: UserTx) => whatChanged(tx, {}).then(({ deltas }) => deltas),
    projects: (tx: UserTx) => listProjects(tx).then((found) => found.projects),
    gather: (tx: UserTx) =>
      gather(tx, { ids: [1, foreign.id], parents: true, below: [1, foreign.id], projects: { names: ['Zebra'] } }).then(
        (found) => [...found.tasks.values(), ...found.projects],
      ),
    'next to be claimed': (tx: UserTx) => nextReady(tx, {}, world.now).then((next) => (next ? [next] : [])),
    'next to be claimed by a word': (tx: UserTx) =>
      nextReady(tx, { text: 'zebra' }, world.now).then((next) => (next ? [next] : [])),
    'what keeps tasks from being ready': (tx: UserTx) =>
      obstaclesTo(tx, {}, world.now).then(({ groups }) => Object.keys(groups)),
    'rules of closed tasks': (tx: UserTx) => formerRules(tx, [foreign.id + 3]).then((found) => [...found]),
    'first tasks of a label': (tx: UserTx) =>
      firstTasks(tx, { labels: [foreign.label] }, { now: world.now }).then((page) => page.tasks),
    'tasks to choose from': (tx: UserTx) => completeTasks(tx, '').then(({ found }) => found),
    'tasks by a word': (tx: UserTx) => completeTasks(tx, 'zeb').then(({ found }) => found),
    'tasks by a number': (tx: UserTx) => completeTasks(tx, '42').then(({ found }) => found),
    'projects to choose from': (tx: UserTx) => completeProjects(tx, 'zeb').then(({ found }) => found),
    'labels to choose from': (tx: UserTx) => completeLabels(tx, 'zeb').then(({ found }) => found),
    'labels in use': (tx: UserTx) => usedLabels(tx, 10),
    'tasks of the same title': (tx: UserTx) => namesakes(tx, [foreign.title]),
    'titles that come near': (tx: UserTx) => nearTitles(tx, 'Zebra merger plam'),
    'what may read differently': (tx: UserTx) =>
      touchedSince(tx, 0).then(({ tasks, projects }) => [...tasks, ...projects]),
    'changes since a version': (tx: UserTx) => changesSince(tx, { expected_version: 1 }, [1]),
    'a write by its handle': (tx: UserTx) => entriesOf(loadWrite(tx, 1)),
    'one’s own last writes': (tx: UserTx) => entriesOf(lastWrites(tx, { via: 'stdio', client: 'test' }, 3)),
    'later changes': (tx: UserTx) => laterChanges(tx, [1]),
    'names of projects': (tx: UserTx) => projectNamesOf(tx, [1]),
    'projects with other tasks': (tx: UserTx) => projectsWithOtherTasks(tx, [1], []).then((found) => [...found]),
    'comments of tasks': (tx: UserTx) => commentsOf(tx, [], [foreign.id]).then((found) => [...found]),
  };

  const entriesOf = (found: ReturnType<typeof loadWrite>) =>
    found.then(
      ({ entries }) => entries,
      () => [],
    );

  test.each(Object.entries(reads))(
    'with the predicate gone, row-level security alone hides everything: %s',
    async (_name, read) => {
      const { ana, bob } = await anaAndBob();
      await ana.ok('add_task', { title: 'zebra habit', due: '2026-11-20', repeats: 'every day' });
      await ana.ok('complete_task', { id: foreign.id + 3 });
      const { userId } = ana.principal;
      /** The double: a transaction of `who` in which every predicate says Ana. */
      const seenBy = (who: Agent) =>
        readAsUser(world.database, { ...who.principal }, (tx) =>
          read({ ...tx, userId, mine: (table) => eq(table.userId, userId) }),
        );
      expect(await seenBy(ana)).not.toEqual([]);
      expect(await seenBy(bob)).toEqual([]);
    },
  );

  test('with row-level security gone, the predicate alone hides everything', async () => {
    const database = await openTestDatabase();
    const open = {
      ...world,
      database,
      store: async () => ({ database, secret: Buffer.alloc(32), close: async () => {} }),
    };
    const [ana, bob] = [await agentOf(open, await newUser(open)), await agentOf(open, await newUser(open))];
    await ana.ok('add_task', { title: foreign.title, due: '2026-11-20', project: 'Zebra', labels: ['zebrafish'] });
    const tables = await queryAsTableOwner(
      database,
      `select relname from pg_class where relnamespace = 'taskloom'::regnamespace and relrowsecurity`,
      [],
    );
    for (const [table] of tables)
      await queryAsTableOwner(database, `alter table taskloom.${table} disable row level security`, []);
    const [seen] = await asService(database, 'select count(*)::int from taskloom.tasks', []);
    expect(seen).toEqual([1]); // the first lock is really off

    for (const tool of tools)
      for (const args of reach[tool.name]?.({ ...foreign, id: 1 }) ?? []) {
        const reply = await bob.call(tool.name, args);
        const asked = JSON.stringify(args);
        expect(withoutEchoes(reply, asked), `${tool.name} ${asked}`).not.toMatch(/zebra/i);
      }
    for (const [name, requests] of asked)
      for (const [what, request] of requests(bob, { ...foreign, id: 1 }))
        expect(withoutEchoes(await outcomeOf(request), what), `${name} ${what}`).not.toMatch(/zebra/i);
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({
      title: foreign.title,
      status: 'pending',
      version: 1,
    });
    await database.close();
  });

  test('the spy that watches every statement of these tests sees a missing predicate', () => {
    expect(unscopedTables('select * from "taskloom"."tasks"')).toEqual(['tasks']);
    expect(
      unscopedTables(
        'select 1 from "taskloom"."tasks" t join "taskloom"."projects" p on p.id = t.project_id where t.user_id = $1',
      ),
    ).toEqual(['projects']);
    expect(unscopedTables('update "taskloom"."tasks" t set title = $2 where t.id = $1')).toEqual(['tasks']);
    expect(unscopedTables('insert into "taskloom"."tasks" (user_id, id) select r.user_id, r.id from x r')).toEqual([
      'tasks',
    ]);
    expect(unscopedTables('select * from "taskloom"."tasks" where "taskloom"."tasks"."user_id" = $1')).toEqual([]);
    const twice =
      'select 1 from taskloom.tasks t where t.user_id = $1 and exists (select 1 from taskloom.tasks t where';
    expect(unscopedTables(`${twice} t.parent_id = 3)`)).toEqual(['tasks', 'tasks']);
    expect(unscopedTables(`${twice} t.user_id = $1 and t.parent_id = 3)`)).toEqual([]);
  });
});
