import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { type Agent, agentOf, newUser, type Reply, type World } from '../support/harness.js';
import { type Action, resolve } from './actions.js';
import { type Args, isClaimed, isOpen, Model, type Prediction } from './model.js';
import { predict } from './rules.js';
import { isClaiming, readTables, type Tables, type Task } from './tables.js';

/** Milliseconds between two calls: the shortest claims expire after a few. */
const STEP = 15_000;

const NAMES = ['ana', 'ana-laptop'];

interface Sent {
  who: number;
  tool: string;
  args: Args;
  json: Reply['json'];
}

/** One user with two clients, the model of their data, and a transcript of all calls. */
export class Run {
  readonly model = new Model();
  readonly transcript: string[] = [];
  private readonly sent: Sent[] = [];

  private constructor(
    private readonly world: World,
    readonly userId: string,
    private readonly clients: Agent[],
  ) {}

  static async start(world: World): Promise<Run> {
    const ana = await newUser(world);
    const clients = await Promise.all(NAMES.map((name) => agentOf(world, ana, name)));
    return new Run(world, ana.userId, clients);
  }

  tables = (since = 0): Promise<Tables> => readTables(this.world, this.userId, since);

  /** Makes a call, compares the result with the model's prediction, and returns the undo handle. */
  async step(action: Action): Promise<string | undefined> {
    this.world.now = new Date(this.world.now.getTime() + STEP);
    const { tool, args } = resolve(this.model, action);
    return this.call(action.who, tool, args, action.mode);
  }

  async call(who: 0 | 1, tool: string, args: Args, mode: Action['mode'] = 'once'): Promise<string | undefined> {
    if (mode === 'later' && this.sent.length > 0)
      await this.repeat(this.sent[this.model.log.length % this.sent.length] as Sent);
    const dryRun = mode === 'dry' ? await this.dryRun(who, tool, args) : undefined;
    const whole = mode === 'once' || mode === 'dry' ? args : { ...args, request_id: randomUUID() };
    const reply = await (mode === 'twins' ? this.twins(who, tool, whole) : this.send(who, tool, whole));

    const before = this.model.log.length;
    const moment = { now: this.world.now.toISOString(), by: NAMES[who] as string };
    const tables = await this.tables(before);
    const prediction = predict(this.model, tool, args, moment, tables);
    this.checkAnswer(prediction, reply, before);
    this.checkTables(tables, before);
    if (dryRun)
      expect({ ...dryRun, undo: reply.json.undo }, 'the dry run').toEqual({
        ...reply.json,
        undo: reply.json.undo,
      });

    if (reply.isError || whole.request_id === undefined) return reply.json.undo;
    const sent = { who, tool, args: whole, json: reply.json };
    this.sent.push(sent);
    if (mode === 'again') await this.repeat(sent);
    if (mode === 'changed') await this.misuse(sent);
    return reply.json.undo;
  }

  /** Makes calls concurrently, some twice, on the state before them. Their result is not predicted. */
  async together(actions: Action[]): Promise<void> {
    this.world.now = new Date(this.world.now.getTime() + STEP);
    const tables = await this.tables();
    const seen = new Model();
    for (const [id, task] of tables.tasks) seen.tasks.set(id, task);
    for (const [id, project] of tables.projects) seen.projects.set(id, project);
    seen.log.push(...tables.changes);
    await Promise.all(
      actions.map(async (action) => {
        const { tool, args } = resolve(seen, action);
        const whole = { ...args, request_id: randomUUID() };
        const times = action.mode === 'twins' ? [0, 1] : [0];
        const replies = await Promise.all(times.map(() => this.send(action.who, tool, whole)));
        for (const { json, text } of replies) expect(['internal', 'unavailable'], text).not.toContain(json.error?.code);
        // Another call may run between twins, so that only one of them is refused. They never both write.
        const written = replies.filter(({ isError }) => !isError).map(({ json }) => json.replayed ?? false);
        expect(written.filter((replayed) => !replayed).length, 'twins that wrote').toBeLessThanOrEqual(1);
      }),
    );
  }

  private async send(who: number, tool: string, args: Args): Promise<Reply> {
    const reply = await (this.clients[who] as Agent).call(tool, args);
    this.transcript.push(
      `${NAMES[who]}: ${tool} ${JSON.stringify(args)}\n    → ${reply.text.split('\n').join('\n      ')}`,
    );
    return reply;
  }

  /** Makes a call as a dry run, checks that it changes nothing, and returns its answer. */
  private async dryRun(who: number, tool: string, args: Args): Promise<unknown> {
    const before = await this.tables();
    const { json } = await this.send(who, tool, { ...args, dry_run: true });
    expect(await this.tables(), 'a dry run changed something').toEqual(before);
    const { dry_run, ...rest } = json;
    expect(dry_run).toBe(json.error ? undefined : true);
    return rest;
  }

  /** Makes the same call twice at once, from one client: one writes, and the other gets the same answer. */
  private async twins(who: number, tool: string, args: Args): Promise<Reply> {
    const replies = await Promise.all([this.send(who, tool, args), this.send(who, tool, args)]);
    const [first, second] = replies.sort((a, b) => Number(a.json.replayed ?? 0) - Number(b.json.replayed ?? 0)) as [
      Reply,
      Reply,
    ];
    if (first.isError) expect(second.json, 'twins that were refused').toEqual(first.json);
    else expect(second.json, 'twins').toEqual({ ...first.json, replayed: true });
    return first;
  }

  /** Sends an answered call again, from the other client too: it gets the same answer, unless that has a claim. */
  private async repeat({ tool, args, json, who }: Sent): Promise<void> {
    const other = await this.send(1 - who, tool, args);
    if (json.claim === undefined)
      expect(other.json, 'a call repeated by the other').toEqual({ ...json, replayed: true });
    else expect(other.json.error?.code, 'a claim repeated by the other').toBe('conflict');
    const again = await this.send(who, tool, args);
    expect(again.json, 'a repeated call').toEqual({ ...json, replayed: true });
    expect(again.text).toMatch(/^Already done at .*\d\d:\d\d, nothing new was written\.\n/);
    expect((await this.tables()).counters.change_seq).toBe(this.model.log.length);
  }

  /** Sends another call with the request id of an answered one: it must be refused. */
  private async misuse({ tool, args, who }: Sent): Promise<void> {
    const other = tool === 'add_task' ? { ...args, title: `${args.title}!` } : { title: 'Other' };
    const reply = await this.send(who, tool === 'add_task' ? tool : 'add_task', {
      ...other,
      request_id: args.request_id,
    });
    expect(reply.json.error?.code, 'a request id used twice').toBe('conflict');
  }

  private checkAnswer(
    { codes, failed, mayFail, good, next, ready, blocked }: Prediction,
    { json, isError, text }: Reply,
    before: number,
  ): void {
    if (codes ?? isError) {
      expect([...(codes ?? ['success'])], `the code of: ${text}`).toContain(isError ? json.error.code : 'success');
      return;
    }
    const written = this.model.log.slice(before).some((entry) => !isClaiming(entry.op));
    expect(json.undo, 'the handle').toBe(written ? `u${before + 1}` : undefined);
    const failures = new Map<number | string, string>(
      (json.failed ?? []).map((each: { id: number; code: string }) => [each.id, each.code]),
    );
    for (const [id, expected] of failed) expect([...expected], `why ${id} failed`).toContain(failures.get(id));
    expect(
      [...failures.keys()].filter((id) => !failed.has(id) && !mayFail?.has(id)),
      'failures',
    ).toEqual([]);
    const shown: Args[] = json.task ? [json.task] : (json.tasks ?? []);
    expect(
      good.filter((id) => !shown.some((each) => each.id === id)),
      'tasks that are missing in the answer',
    ).toEqual([]);
    const changed = new Set(this.model.log.slice(before).map((entry) => entry.entity_id));
    for (const each of shown) {
      expect(good.includes(each.id) || changed.has(each.id), `#${each.id} is in the answer`).toBe(true);
      const task = this.model.task(each.id);
      if (each.ref === undefined) expect(each.title).toBe(task.title); // the plan's ref replaces it
      if (each.version !== undefined) expect(each.version).toBe(task.version);
      if (json.claim !== undefined) expect(json.claim, 'the number of the claim').toBe(task.claim);
    }
    const ids = (list: { id: number }[] = []) => list.map(({ id }) => id).sort((a, b) => a - b);
    expect(ids(json.next), 'what is next').toEqual(next.sort((a, b) => a - b));
    expect(ids(json.ready), 'what became ready').toEqual(ready.sort((a, b) => a - b));
    const again = /(#[\d, #–]+) (?:is|are) blocked again\./.exec(json.note ?? '')?.[1] ?? '';
    expect(numbersIn(again), 'what is blocked again').toEqual(blocked.sort((a, b) => a - b));
  }

  /** Checks that the tables and their new changes equal those of the model. */
  private checkTables({ tasks, projects, changes, counters, derived }: Tables, before: number): void {
    const nameOf = (entry: { entity: string; entity_id: number; reverts: number | null }) =>
      `${entry.reverts}/${entry.entity}/${entry.entity_id}`;
    const mine = new Map(this.model.log.slice(before).map((entry) => [nameOf(entry), entry]));
    expect(changes.map(nameOf).sort(), 'what was changed').toEqual([...mine.keys()].sort());
    // The order of changes within a write is not specified.
    const ordered = changes.map((change) => ({ ...mine.get(nameOf(change)), seq: change.seq }));
    expect(changes.map(unordered), 'what was recorded').toEqual(ordered.map((entry) => unordered(entry as never)));
    this.model.log.splice(before, changes.length, ...changes);
    expect([...tasks.values()], 'tasks').toEqual(byId(this.model.tasks));
    expect([...projects.values()], 'projects').toEqual(byId(this.model.projects));
    for (const task of tasks.values())
      expect(derived.get(task.id), `counts of #${task.id}`).toMatchObject({
        open_blockers: this.model.openBlockers(task),
        open_subtasks: this.model.openSubtasks(task),
      });
    expect(counters).toMatchObject({
      next_task: this.model.nextTask,
      next_project: this.model.nextProject,
      next_comment: this.model.nextComment,
      change_seq: this.model.log.length,
    });
  }

  /** Checks that what tools return equals the model. */
  async checkReads(): Promise<void> {
    const agent = this.clients[0] as Agent;
    const live = byId(this.model.tasks).filter((task) => task.deleted_at === null);
    const trash = byId(this.model.tasks).filter((task) => task.deleted_at !== null);
    expect(await pages(agent, { status: 'all' })).toEqual(live.map((task) => this.row(task)).reverse());
    expect((await pages(agent, { status: 'deleted' })).map(({ id }) => id)).toEqual(
      trash.map(({ id }) => id).reverse(),
    );
    const manual = live.filter((task) => isOpen(task) && !this.model.inArchivedProject(task));
    manual.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : a.id - b.id));
    expect((await pages(agent, { sort: 'manual' })).map(({ id }) => id)).toEqual(manual.map(({ id }) => id));
    for (const task of [...live.slice(-3), ...trash.slice(-1)]) {
      const { task: found } = await agent.ok('get_task', { id: task.id });
      const ids = (list: { id: number }[] = []) => list.map(({ id }) => id).sort((a, b) => a - b);
      expect(found).toMatchObject({ title: task.title, version: task.version });
      expect(found.description ?? null).toBe(task.description);
      expect(found.note ?? null).toBe(task.note);
      expect(ids(found.blocked_by)).toEqual(task.blocked_by);
      expect(ids(found.subtasks)).toEqual(
        this.model
          .children(task.id)
          .filter((each) => each.deleted_at === null)
          .map(({ id }) => id)
          .sort((a, b) => a - b),
      );
      expect((found.comments ?? []).map((each: { text: string }) => each.text)).toEqual(
        task.comments.slice(-10).map(({ text }) => text),
      );
    }
  }

  private row(task: Task): Args {
    const blockers = task.blocked_by.filter((id) => isOpen(this.model.task(id)));
    const now = this.world.now.toISOString();
    const claimed = isClaimed(task, now);
    return {
      id: task.id,
      title: task.title,
      project_archived: this.model.inArchivedProject(task) || undefined,
      status: task.status !== 'pending' ? task.status : claimed ? 'in_progress' : undefined,
      priority: task.priority ?? undefined,
      estimate_minutes: task.estimate_minutes ?? undefined,
      project: task.project === null ? undefined : this.model.projects.get(task.project)?.name,
      labels: task.labels.length > 0 ? task.labels : undefined,
      parent: task.parent ?? undefined,
      open_subtasks: this.model.openSubtasks(task) || undefined,
      blocked_by: blockers.length > 0 ? blockers : undefined,
      waits_with: this.model.waitsWith(task, now)?.id,
      claimed_by: (claimed && task.claimed_by) || undefined,
    };
  }
}

const unordered = ({ seq, ...entry }: { seq: number; before: Args; after: Args }) => entry;
const byId = <T extends { id: number }>(things: Map<number, T>): T[] =>
  [...things.values()].sort((a, b) => a.id - b.id);

/** Parses numbers such as `#3, #7–#12`. */
const numbersIn = (text: string): number[] =>
  [...text.matchAll(/#(\d+)(?:–#(\d+))?/g)].flatMap(([, first, last = first]) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i),
  );

/** Returns all tasks of a list, without dates, whose wording other tests check. */
async function pages(agent: Agent, filter: Args): Promise<Args[]> {
  const found: Args[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await agent.ok('list_tasks', { ...filter, limit: 7, ...(cursor && { cursor }) });
    for (const { due, start, repeats, completed, claimed_until, ...rest } of page.tasks) found.push(rest);
    cursor = page.next_cursor;
    if (!cursor) {
      expect(page.total).toBe(found.length);
      return found;
    }
  }
}
