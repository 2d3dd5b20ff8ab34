import fc from 'fast-check';
import { type Args, isGone, isOpen, type Model } from './model.js';

/** First id of another user's tasks. */
export const FOREIGN = 5000;
/** First of the ids that no task has. */
const MISSING = 900;

/** The initial tasks of every run: parents with sub-tasks, a blocked task, and a repeating one. */
export const INITIAL_TASKS = [
  { ref: 'house', title: 'House', project: 'Home', labels: ['deep'] },
  { ref: 'roof', title: 'Roof', parent: 'house', due: '2026-11-24' },
  { title: 'Tiles', parent: 'roof', priority: 'high', project: 'Work' },
  { title: 'Tree', blocked_by: ['roof'], project: 'Garden' },
  { ref: 'water', title: 'Water', due: '2026-11-22', repeats: 'every day', project: 'Garden' },
  { title: 'Fill the can', parent: 'water', start: '2026-11-21' },
  { title: 'Letter' },
];

/**
 * How a call is sent: once, as a dry run first, or with a request id and then again: right after (`again`), at the same time
 * (`twins`), much later (`later`), or with other arguments (`changed`).
 */
const MODES = ['once', 'once', 'once', 'dry', 'again', 'twins', 'later', 'changed'] as const;

/** A random call. Numbers stand for tasks, which `resolve` chooses from those that exist when the call is made. */
export interface Action {
  who: 0 | 1;
  mode: (typeof MODES)[number];
  tool: string;
  args: Args;
  /** Whether the call also states the task's version, title or claim, and whether that is correct. */
  guard?: 'version' | 'stale' | 'future' | 'title' | 'mistitle' | 'claim' | 'late' | undefined;
}

/** Mostly undefined, since most calls have few arguments. */
const maybe = <T>(arbitrary: fc.Arbitrary<T>, weight = 1) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight, arbitrary });

const pick = fc.nat(9999);
const picks = (maxLength: number) => fc.array(pick, { minLength: 1, maxLength });
const words = ['milk', 'Bob', 'roof', 'rent', 'garden', 'letter', 'a "quoted" thing', '50% & <more>', 'Ünïcode ✓'];
const title = fc
  .tuple(fc.constantFrom('Buy', 'Call', 'Fix', 'Pay'), fc.constantFrom(...words))
  .map((each) => each.join(' '));
const PROJECTS = ['Home', 'home', 'Work', 'WORK', 'Garden', 'House'];
const project = fc.constantFrom(...PROJECTS);
const someLabels = fc.uniqueArray(fc.constantFrom('errand', 'Errand', 'phone', 'PHONE', 'deep', 'now'), {
  minLength: 1,
  maxLength: 3,
});
const when = fc.constantFrom(
  '2026-11-20',
  '2026-11-24',
  '2027-07-14',
  '2026-11-22T14:00',
  '2026-12-01T09:30',
  '2027-06-30T23:59',
);
const description = fc.constantFrom('short', 'two\nlines', '**bold** `code`\n\n- a\n- b');
const priority = fc.constantFrom('urgent', 'high', 'medium', 'low');
const minutes = fc.constantFrom(5, 30, 90);

const fields = {
  description: maybe(description),
  priority: maybe(priority),
  due: maybe(when),
  start: maybe(when),
  estimate_minutes: maybe(minutes),
  project: maybe(project, 2),
};

const addTask = fc.record({ ...taskOf(), parent: maybe(pick, 3), blocked_by: maybe(picks(2), 2) });
function taskOf() {
  return { title, ...fields, repeats: maybe(fc.constantFrom('every day', 'every week')), labels: maybe(someLabels, 2) };
}

/** In a plan, most references are to the plan's own tasks, and most of those to earlier ones. */
const addTasks = fc.record({
  tasks: fc.array(
    fc.record({
      ref: maybe(fc.nat(9), 20),
      ...taskOf(),
      inside: maybe(fc.nat(19), 4),
      parent: maybe(pick),
      after: maybe(fc.array(fc.nat(19), { minLength: 1, maxLength: 2 }), 2),
      blocked_by: maybe(picks(1)),
    }),
    { minLength: 1, maxLength: 5 },
  ),
});

const CLEARABLE = [
  'description',
  'priority',
  'due',
  'start',
  'repeats',
  'estimate_minutes',
  'project',
  'parent',
  'labels',
  'blocked_by',
];
const updateTask = fc.record({
  ids: picks(3),
  title: maybe(title),
  ...fields,
  repeats: maybe(fc.constantFrom('every day', 'every week')),
  parent: maybe(pick, 2),
  status: maybe(fc.constantFrom('pending', 'in_progress', 'completed', 'cancelled', 'pending'), 4),
  add_labels: maybe(someLabels),
  remove_labels: maybe(someLabels),
  add_blocked_by: maybe(picks(2), 2),
  remove_blocked_by: maybe(picks(2)),
  before: maybe(pick),
  after: maybe(pick),
  clear: maybe(fc.uniqueArray(fc.constantFrom(...CLEARABLE), { minLength: 1, maxLength: 3 }), 2),
});

/** Which claim number is given: that of the last claim, an earlier one, or one that does not exist. */
const number = fc.constantFrom('own', 'own', 'own', 'old', 'none');
const agent = fc.constantFrom('night shift', 'worker 2');
const lasting = fc.constantFrom(1, 1, 30);
const claimTask = fc.oneof(
  { weight: 3, arbitrary: fc.record({ minutes: lasting, agent: maybe(agent) }) },
  {
    weight: 2,
    arbitrary: fc.record({ project: maybe(project, 2), labels: maybe(someLabels), priority: maybe(priority) }),
  },
  { weight: 3, arbitrary: fc.record({ id: pick, minutes: maybe(lasting, 5) }) },
  { weight: 3, arbitrary: fc.record({ id: pick, claim: number, minutes: maybe(lasting, 5), agent: maybe(agent) }) },
  { weight: 1, arbitrary: fc.record({ id: maybe(pick), claim: maybe(number), project: maybe(project) }) },
);
const releaseTask = fc.record({
  id: pick,
  claim: maybe(number, 20),
  note: maybe(description, 3),
  status: maybe(fc.constantFrom('pending', 'completed', 'cancelled'), 4),
});

const changeProject = fc.oneof(
  fc.record({ project: pick, name: project }),
  fc.record({ project: pick, archived: fc.constant(true) }),
  fc.record({ project: pick, archived: fc.constant(false) }),
  fc.record({ project: pick, merge_into: pick }),
  fc.record({ project: pick, merge_into: pick }),
  fc.record({ project: pick, name: maybe(project), archived: maybe(fc.boolean()), merge_into: maybe(pick) }),
);
const undo = fc.oneof(
  { weight: 6, arbitrary: fc.record({ write: pick }) },
  { weight: 4, arbitrary: fc.record({ last: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.constantFrom({ undo: 'u99999' }, { undo: 'soon' }, { undo: 'u1', last: 1 }, {}) },
);

const tool = (name: string, weight: number, args: fc.Arbitrary<object>) => ({
  weight,
  arbitrary: args.map((each) => ({ tool: name, args: each as Args })),
});
export const writes = [
  tool('add_task', 6, addTask),
  tool('add_tasks', 3, addTasks),
  tool('update_task', 12, updateTask),
  tool('complete_task', 4, fc.record({ ids: picks(3) })),
  tool('delete_task', 3, fc.record({ ids: picks(2) })),
  tool('claim_task', 8, claimTask),
  tool('release_task', 4, releaseTask),
  tool('add_comment', 2, fc.record({ id: pick, text: description })),
  tool('update_project', 4, changeProject),
];
export const undos = tool('undo', 6, undo);

export const actions = (
  calls: typeof writes,
  length: { minLength: number; maxLength: number },
): fc.Arbitrary<Action[]> =>
  fc.array(
    fc
      .tuple(
        fc.constantFrom<0 | 1>(0, 1),
        fc.constantFrom(...MODES),
        fc.oneof(...calls),
        maybe(fc.constantFrom('version', 'stale', 'future', 'title', 'mistitle', 'claim', 'claim', 'late'), 3),
      )
      .map(([who, mode, call, guard]) => ({ who, mode, ...call, guard: guard as Action['guard'] })),
    { ...length, size: 'max' },
  );

/** Removes undefined fields, which are not sent. */
const defined = <T extends object>(args: T): T =>
  Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined)) as T;

/** Chooses a task by number: mostly an open one, sometimes any, and sometimes a missing one or another user's. */
function choose(model: Model, n: number, not: number[] = []): number {
  const all = [...model.tasks.values()].filter((task) => n % 7 === 0 || !not.includes(task.id));
  const open = all.filter(isOpen);
  const kind = n % 100;
  const of = (tasks: typeof all) => tasks[Math.floor(n / 100) % tasks.length]?.id ?? MISSING;
  if (kind < 75 && open.length > 0) return of(open);
  if (kind < 97) return of(all);
  return kind < 98 ? MISSING + (n % 7) : FOREIGN + (n % 2);
}

/** Chooses the name of a project by number: mostly an existing one. */
function chooseProject(model: Model, n: number): string {
  const names = [...model.projects.values()].filter((each) => !isGone(each)).map(({ name }) => name);
  return (
    (n % 8 === 0 ? undefined : names[Math.floor(n / 8) % names.length]) ?? (PROJECTS[n % PROJECTS.length] as string)
  );
}

/** Returns the call of an action in the current state. */
export function resolve(model: Model, { tool, args, guard }: Action): { tool: string; args: Args } {
  const one = (n: number) => choose(model, n);
  const many = (list: number[]) => [...new Set(list.map(one))];
  const { write, tasks, ...rest } = args;
  const resolved: Args = defined(rest);
  for (const field of ['ids', 'blocked_by', 'add_blocked_by', 'remove_blocked_by'])
    if (resolved[field]) resolved[field] = many(resolved[field]);
  const claimed = resolved.claim === undefined ? undefined : chooseClaim(model, resolved);
  for (const field of ['id', 'parent', 'before', 'after'])
    if (resolved[field] !== undefined) resolved[field] = choose(model, resolved[field], resolved.ids);
  Object.assign(resolved, claimed);
  for (const field of ['project', 'merge_into'])
    if (typeof resolved[field] === 'number') resolved[field] = chooseProject(model, resolved[field]);
  if (tasks) resolved.tasks = tasks.map((each: Args, i: number) => planned(each, i, tasks.length, one));
  if (write !== undefined) {
    const batches = [...new Set(model.log.map((entry) => entry.batch))];
    resolved.undo = `u${batches[batches.length - 1 - (write % Math.min(batches.length, 12))] ?? 1}`;
  }
  if (tool === 'update_task') {
    for (const field of resolved.clear ?? []) if (guard !== 'stale') delete resolved[field];
    if (resolved.before !== undefined && guard !== 'future') delete resolved.after;
  }
  if (guard && resolved.ids) Object.assign(resolved, guarded(model, resolved, guard));
  return { tool, args: defined(resolved) };
}

function planned({ ref, inside, after, ...rest }: Args, i: number, count: number, one: (n: number) => number): Args {
  const refOf = (n: number) => (n === 19 ? 'nobody' : `r${n < 17 ? n % Math.max(1, i) : n % count}`);
  const blockers = [...(after ?? []).map(refOf), ...(rest.blocked_by ?? []).map(one)];
  return defined({
    ...rest,
    // Sometimes two tasks have the same ref.
    ref: ref === 9 && i > 2 ? 'r0' : `r${i}`,
    parent: inside !== undefined && i > 0 ? refOf(inside) : rest.parent === undefined ? undefined : one(rest.parent),
    blocked_by: blockers.length > 0 ? [...new Set(blockers)] : undefined,
  });
}

/** Chooses a claim: mostly of a task that is claimed. */
function chooseClaim(model: Model, { id: n, claim: whose }: Args): Args {
  const claimed = [...model.tasks.values()].filter((task) => task.claim !== null && isOpen(task));
  const task = n === undefined ? undefined : claimed[n % claimed.length];
  if (n !== undefined && !task && n % 5 > 0) return { claim: undefined };
  const last = task?.claim ?? 5;
  const claim = whose === 'own' ? last : whose === 'old' ? Math.max(1, last - 1) : last + 1000;
  return { claim, ...(task && { id: task.id }) };
}

function guarded(model: Model, args: Args, guard: NonNullable<Action['guard']>): Args {
  // The model does not know the effect of a recurrence rule before the server has answered.
  if (guard !== 'mistitle') delete args.repeats;
  if (guard !== 'future') args.ids = args.ids.slice(0, 1);
  const task = model.tasks.get(args.ids[0]);
  if (!task) return {};
  switch (guard) {
    case 'version':
      return { expected_version: task.version };
    case 'stale':
      return { expected_version: Math.max(1, task.version - 1 - (task.id % 2)) };
    case 'future':
      return { expected_version: task.version + 1 };
    case 'title':
      return { expect_title: task.title.toUpperCase() };
    case 'claim':
      return { claim: task.claim ?? (task.id % 5 === 0 ? 1 : undefined) };
    case 'late':
      return { claim: Math.max(1, (task.claim ?? 2) - 1) };
    case 'mistitle':
      return { expect_title: 'Something else' };
  }
}
