import {
  type Args,
  accepted,
  type Draft,
  findOrCreateProject,
  isClaimed,
  isOpen,
  isOpenStatus,
  key,
  type Model,
  type Moment,
  type Prediction,
  refused,
  sortedLabels,
  titleOf,
} from './model.js';
import { type Entry, isClaiming, NEVER_CLAIMED, type Tables, type Task } from './tables.js';
import { readWhen } from './time-zone.js';

interface Guard {
  expected_version?: number;
  expect_title?: string;
  claim?: number;
}

/** Fields that conflict as a group. */
const TOGETHER: Record<string, string> = { completed_at: 'status', repeats: 'status' };
const GUARDED = [
  'title',
  'description',
  'status',
  'priority',
  'due',
  'start',
  'repeats',
  'estimate_minutes',
  'project',
  'parent',
  'completed_at',
  'deleted_at',
] as const;

/** Returns the refusal code if the expected version or title does not match. */
function guardRefusal(model: Model, was: Task, is: Task, { expected_version: expected, expect_title }: Guard) {
  if (expect_title !== undefined && titleOf(expect_title) !== titleOf(was.title)) return 'conflict';
  if (expected === undefined || expected === was.version) return undefined;
  if (expected > was.version) return 'invalid';
  const group = (field: string) => TOGETHER[field] ?? field;
  const mine = GUARDED.filter((field) => JSON.stringify(was[field]) !== JSON.stringify(is[field])).map(group);
  if (mine.includes('deleted_at')) return 'conflict';
  const theirs = model.log
    .filter((entry) => entry.entity === 'task' && entry.entity_id === was.id)
    .filter((entry) => entry.version > expected && entry.op !== 'comment' && !isClaiming(entry.op))
    .flatMap((entry) => Object.keys({ ...entry.before, ...entry.after }).map(group));
  return mine.some((field) => theirs.includes(field)) ? 'conflict' : undefined;
}

/** What lists got since the version that the caller knows: clearing them leaves it. */
function unseen<T>(model: Model, task: Task, field: string, items: T[], { expected_version: expected }: Guard): T[] {
  if (expected === undefined) return [];
  const same = (one: unknown, other: unknown) => key(String(one)) === key(String(other));
  let had = [...items];
  const since = model.log.filter(
    ({ entity, entity_id, version, op }) =>
      entity === 'task' && entity_id === task.id && version > expected && !isClaiming(op),
  );
  for (const { before, after } of since.reverse()) {
    const [lost, got] = [before, after].map((side) => (side[field] ?? []) as T[]) as [T[], T[]];
    had = [...had.filter((each) => !got.some((other) => same(each, other))), ...lost];
  }
  return items.filter((each) => !had.some((other) => same(each, other)));
}

/** The caller who gives the number of the current claim writes under the name of its holder. */
function asHolder(model: Model, [id]: number[], { claim }: Guard, moment: Moment): Moment {
  const task = model.tasks.get(id as number);
  return claim !== undefined && task?.claim === claim && task.claimed_by
    ? { ...moment, client: moment.by, by: task.claimed_by }
    : moment;
}

const tooMany = (ids: number[], guard: Guard) =>
  new Set(ids).size > 1 && Object.values(guard).some((each) => each !== undefined);

/** Returns the refusal code if the claim number is not that of the last claim. */
export function claimRefusal(task: Task, claim: number | undefined): 'invalid' | 'conflict' | undefined {
  if (claim === undefined || claim === task.claim) return undefined;
  return task.claim === null || claim > task.claim ? 'invalid' : 'conflict';
}

/** Returns the tasks that a write made ready or blocked again, without those that it changed. */
export function readinessChanges(model: Model, before: Draft, entries: Entry[], moment: Moment) {
  const changed = new Set(entries.flatMap(({ entity, entity_id }) => (entity === 'task' ? entity_id : [])));
  const others = [...before.tasks.values()].filter(({ id }) => !changed.has(id));
  const waits = (task: Task) => model.openBlockers(task) > 0;
  const waited = (task: Task) => before.openBlockers(task) > 0;
  // Tasks that are no longer blocked, and their sub-tasks.
  const freed = (task: Task) => isOpen(task) && !changed.has(task.id) && waited(task) && !waits(task);
  const ready = others.filter(
    (task) =>
      !model.inArchivedProject(task) &&
      model.free(model.task(task.id), moment.now) &&
      (!before.unblocked(task) || model.above(model.task(task.id)).some(({ id }) => freed(before.task(id)))),
  );
  const blocked = others.filter((task) => isOpen(task) && !waited(task) && waits(task));
  return { ready: ready.map(({ id }) => id), blocked: blocked.map(({ id }) => id) };
}

/** Plans the change of each task, repeatedly, until no failure causes another, and commits the rest. */
function changeEach(
  model: Model,
  ids: number[],
  moment: Moment,
  draftOf: () => Draft,
  plan: (draft: Draft, task: Task, asked: Set<number>) => { refuse?: Set<string>; task?: Task; along?: Task[] },
  finish: (draft: Draft, good: number[]) => void = () => {},
): Prediction {
  const left = new Set(ids);
  const failed = new Map<number | string, Set<string>>();
  for (;;) {
    const draft = draftOf();
    const plans = new Map<number, Task[]>();
    const round = new Map<number, Set<string>>();
    for (const id of left) {
      const task = model.tasks.get(id);
      const {
        refuse,
        task: after,
        along = [],
      } = task ? plan(draft, structuredClone(task), left) : { refuse: new Set(['not_found']) };
      if (refuse && refuse.size > 0) round.set(id, refuse);
      else plans.set(id, [after as Task, ...along]);
    }
    for (const [, ...along] of plans.values()) for (const task of along) draft.tasks.set(task.id, task);
    for (const [task] of plans.values()) if (task) draft.tasks.set(task.id, task);
    for (const [id, tasks] of plans) {
      // A task that changes along with another but was also requested is checked by itself.
      const own = tasks.filter((task) => task.id === id || !plans.has(task.id));
      const code = own.map((task) => draft.broken(model.tasks.get(task.id), draft.task(task.id))).find(Boolean);
      if (code) round.set(id, new Set([code]));
    }
    for (const [id, codes] of round) {
      failed.set(id, codes);
      left.delete(id);
    }
    if (round.size > 0 && left.size > 0) continue;
    if (left.size === 0) return refused(...[...failed.values()].flatMap((codes) => [...codes]));
    finish(draft, [...left]);
    const before = model.draft();
    const entries = model.commit(draft, moment);
    return accepted({ failed, good: [...left], ...readinessChanges(model, before, entries, moment) });
  }
}

const intersect = (some: unknown[] = [], others: unknown[] = []) => some.some((each) => others.includes(each));

export function update(
  model: Model,
  ids: number[],
  patch: Args,
  guard: Guard,
  called: Moment,
  seen: Tables,
  /** Returns further changes of a task, or undefined to refuse it. */
  extra: (task: Task) => Partial<Task> | undefined = () => ({}),
  /** Whether the status that it has restores a task. */
  restores = false,
): Prediction {
  const moment = asHolder(model, ids, guard, called);
  const clear = new Set<string>(patch.clear ?? []);
  const place = patch.before ?? patch.after;
  if (Object.keys(patch).length === 0 || [...clear].some((field) => patch[field] !== undefined))
    return refused('invalid');
  if ((patch.before !== undefined && patch.after !== undefined) || tooMany(ids, guard)) return refused('invalid');
  if (intersect(patch.add_labels?.map(key), patch.remove_labels?.map(key))) return refused('invalid');
  if (intersect(patch.add_blocked_by, patch.remove_blocked_by)) return refused('invalid');

  const wrong = new Set<string>();
  const home = patch.project === undefined ? undefined : findOrCreateProject(model.draft(), patch.project);
  if (patch.project !== undefined && !home) wrong.add('conflict');
  for (const id of [patch.parent, place, ...(patch.add_blocked_by ?? [])].filter((id) => id !== undefined)) {
    const task = model.tasks.get(id);
    if (!task) wrong.add('not_found');
    else if (task.deleted_at !== null) wrong.add('conflict');
  }
  if (ids.includes(place)) wrong.add('conflict');
  if (wrong.size > 0) return refused(...wrong);

  let next: number[] = [];
  let last: Task[] = [];
  let newId = 0;
  const draftOf = () => {
    next = [];
    last = [];
    newId = model.nextTask;
    const draft = model.draft();
    if (guard.claim !== undefined) for (const id of ids) draft.held.add(id);
    if (patch.project !== undefined) findOrCreateProject(draft, patch.project);
    return draft;
  };
  const result = changeEach(
    model,
    ids,
    moment,
    draftOf,
    (_draft, task, asked) => {
      const refuse = new Set<string>();
      const over = claimRefusal(task, guard.claim);
      if (over) return { refuse: new Set([over]) };
      const restored = patch.status === 'pending' || (restores && patch.status === task.status);
      if (task.deleted_at !== null && !restored) return { refuse: new Set(['conflict']) };
      if (patch.parent === task.id || model.below(task.id).some(({ id }) => id === patch.parent))
        refuse.add('conflict');
      const more = extra(task);
      if (!more) return { refuse: new Set(['conflict']) };
      // Setting the status back to pending also releases the claim. Beginning by hand ends a claim that has expired.
      const begins = patch.status === 'in_progress' && !isClaimed(task, moment.now) && guard.claim === undefined;
      const freed = (patch.status === 'pending' || begins) &&
        task.claimed_by !== null && {
          claimed_by: null,
          claimed_until: null,
          claim: guard.claim ?? model.log.length + 1,
        };
      const already = patch.status === 'in_progress' && isClaimed(task, moment.now) && { status: task.status };
      const after = { ...patched(model, task, patch, guard, home?.id, moment, seen), ...more, ...freed, ...already };
      if (patch.parent !== undefined && patch.parent !== task.parent) {
        const parent = model.task(patch.parent);
        if (model.inArchivedProject(parent) || (isOpen(after) && !isOpen(parent))) refuse.add('conflict');
      }
      // A recurrence rule given in the call determines the due date.
      if (patch.repeats === undefined && after.repeats && !after.due) refuse.add('invalid');
      const was = model.task(task.id);
      const code = guardRefusal(model, was, after, guard);
      if (code) refuse.add(code);
      if (refuse.size > 0) return { refuse };
      if (was.deleted_at !== null) {
        const together = model.below(task.id).filter((sub) => sub.deleted_at === was.deleted_at);
        const goes = (sub: Task) => (sub.project === was.project ? after.project : sub.project);
        return {
          task: after,
          along: together.map((sub) => ({ ...structuredClone(sub), deleted_at: null, project: goes(sub) })),
        };
      }
      const along = model
        .below(task.id)
        .filter((sub) => after.project !== was.project && sub.project === was.project && sub.deleted_at === null)
        .map((sub) => ({ ...structuredClone(sub), project: after.project }));
      if (!(isOpenStatus(was.status) && !isOpenStatus(after.status)) || !after.repeats) return { task: after, along };
      const closed = { ...after, repeats: null };
      if (was.parent !== null && asked.has(was.parent)) {
        last.push({
          ...after,
          repeats: patch.repeats === undefined ? after.repeats : seen.tasks.get(task.id)?.repeats,
        });
        return { task: closed, along };
      }
      const copies = following(model, after, along, moment, seen, () => newId++);
      next.push(copies[0]?.id as number);
      return { task: closed, along: [...along, ...copies] };
    },
    (draft, good) => {
      // One that is closed with its parent keeps its rule, unless what follows a task above it has a copy.
      const followed = next.map((id) => draft.task(id).series);
      for (const task of last)
        if (!model.above(task).some((above) => followed.includes(above.series ?? above.id)))
          draft.task(task.id).repeats = task.repeats;
      if (place !== undefined) checkPlacement(model, draft, ids, good, place, patch.before !== undefined, seen);
    },
  );
  return { ...result, next: result.codes ? [] : next };
}

function patched(
  model: Model,
  task: Task,
  patch: Args,
  guard: Guard,
  home: number | undefined,
  { now }: Moment,
  seen: Tables,
): Task {
  const clear = new Set<string>(patch.clear ?? []);
  const status = patch.status ?? task.status;
  const to = <T>(field: string, value: T | undefined, was: T) => value ?? (clear.has(field) ? (null as T) : was);
  const when = (field: 'due' | 'start') => to(field, patch[field] && readWhen(patch[field]), task[field]);
  // Other tests check the meaning of recurrence rules; here the server's result is used.
  const row = seen.tasks.get(task.id);
  const closed = !isOpenStatus(status) && isOpenStatus(task.status);
  const rule = closed ? {} : row?.repeats;
  const left = <T>(field: string, items: T[]) => (clear.has(field) ? unseen(model, task, field, items, guard) : items);
  const keep = left('labels', task.labels);
  const spelled = (label: string) => task.labels.find((each) => key(each) === key(label)) ?? label;
  const gone = new Set<string>((patch.remove_labels ?? []).map(key));
  const blockers = [...left('blocked_by', task.blocked_by), ...(patch.add_blocked_by ?? [])];
  return {
    ...task,
    title: patch.title ?? task.title,
    description: to('description', patch.description, task.description),
    status,
    completed_at: status !== 'completed' ? null : task.status === 'completed' ? task.completed_at : now,
    deleted_at: null,
    priority: to('priority', patch.priority, task.priority),
    due: patch.repeats === undefined ? when('due') : (row?.due ?? null),
    start: when('start'),
    repeats: patch.repeats === undefined ? to('repeats', undefined, task.repeats) : (rule ?? null),
    estimate_minutes: to('estimate_minutes', patch.estimate_minutes, task.estimate_minutes),
    project: to('project', home, task.project),
    parent: to('parent', patch.parent, task.parent),
    labels: sortedLabels([...keep, ...(patch.add_labels ?? [])].map(spelled)).filter((label) => !gone.has(key(label))),
    blocked_by: [...new Set(blockers)]
      .filter((id) => !(patch.remove_blocked_by ?? []).includes(id))
      .sort((a, b) => a - b),
  };
}

/** Returns the next task of a series with its sub-tasks, all open. Their dates are those that the server computed. */
function following(
  model: Model,
  closing: Task,
  along: Task[],
  { now, by }: Moment,
  seen: Tables,
  newId: () => number,
): Task[] {
  const moved = new Map(along.map((task) => [task.id, task]));
  const isOver = (task: Task, others: Task[]) =>
    !isOpenStatus(task.status) &&
    others.some((other) => other.id > task.id && other.series === (task.series ?? task.id));
  const living = (task: Task): Task[] => [
    moved.get(task.id) ?? task,
    ...model
      .children(task.id)
      .filter((child, _, all) => child.deleted_at === null && !isOver(child, all))
      .flatMap(living),
  ];
  const [, ...subtasks] = living(closing);
  const family = [closing, ...subtasks];
  const ids = new Map(family.map((task) => [task.id, newId()]));
  return family.map((task): Task => {
    const id = ids.get(task.id) as number;
    const row = seen.tasks.get(id);
    return {
      ...structuredClone(task),
      id,
      status: 'pending',
      due: row?.due ?? null,
      start: row?.start ?? null,
      repeats: task.repeats && row?.repeats,
      parent: task === closing ? task.parent : (ids.get(task.parent as number) as number),
      series: task === closing ? (task.series ?? task.id) : null,
      rank: row?.rank ?? '',
      blocked_by: task.blocked_by.flatMap((blocker) => ids.get(blocker) ?? []).sort((a, b) => a - b),
      comments: [],
      ...NEVER_CLAIMED,
      version: 1,
      created_at: now,
      created_by: by,
      updated_at: now,
      updated_by: by,
      completed_at: null,
      deleted_at: null,
    };
  });
}

/** Takes over the server's ranks, and checks them: tasks are where requested, and the others keep their order. */
function checkPlacement(
  model: Model,
  draft: Draft,
  ids: number[],
  good: number[],
  target: number,
  before: boolean,
  seen: Tables,
): void {
  const others = (tasks: Map<number, Task>) =>
    [...tasks.values()]
      .filter((task) => !ids.includes(task.id) && model.tasks.has(task.id))
      .filter((task) => isOpen(model.task(task.id)) || task.id === target)
      .sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : a.id - b.id));
  const order = others(model.tasks).map(({ id }) => id);
  order.splice(order.indexOf(target) + (before ? 0 : 1), 0, ...good);
  for (const task of draft.tasks.values()) task.rank = seen.tasks.get(task.id)?.rank ?? task.rank;
  const now = order
    .map((id) => draft.task(id))
    .sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : a.id - b.id));
  if (now.map(({ id }) => id).join() !== order.join())
    throw new Error(`placed in the order ${now.map(({ id }) => id)} instead of ${order}`);
}

export function remove(model: Model, ids: number[], guard: Guard, called: Moment, seen: Tables): Prediction {
  const moment = asHolder(model, ids, guard, called);
  if (tooMany(ids, guard)) return refused('invalid');
  const gone = (task: Task) => ({ ...structuredClone(task), deleted_at: task.deleted_at ?? moment.now });
  const draftOf = () => {
    const draft = model.draft();
    if (guard.claim !== undefined) for (const id of ids) draft.held.add(id);
    return draft;
  };
  const plan = (_draft: Draft, task: Task) => {
    const code = claimRefusal(task, guard.claim) ?? guardRefusal(model, task, gone(task), guard);
    return code ? { refuse: new Set([code]) } : { task: gone(task), along: model.below(task.id).map(gone) };
  };
  return changeEach(model, ids, moment, draftOf, plan, (draft) => inherit(model, draft, seen));
}

/** The rule of a task that goes is taken by the latest open one of its series, if none has it. */
function inherit(model: Model, draft: Draft, seen: Tables): void {
  const seriesOf = ({ id, series }: Task) => series ?? id;
  for (const was of [...model.tasks.values()].sort((a, b) => a.id - b.id)) {
    const deleted = draft.task(was.id);
    if (!was.repeats || !isOpen(was) || isOpen(deleted)) continue;
    const others = [...draft.tasks.values()].filter(
      (task) => isOpen(task) && task.due !== null && seriesOf(task) === seriesOf(was),
    );
    const heir = others.sort((a, b) => b.id - a.id)[0];
    if (!heir || others.some((task) => task.repeats)) continue;
    deleted.repeats = null;
    heir.repeats = seen.tasks.get(heir.id)?.repeats ?? 'a rule that the server did not hand on';
  }
}
