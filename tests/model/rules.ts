import { claimTask, releaseTask } from './claims.js';
import {
  type Args,
  accepted,
  findOrCreateProject,
  isOpen,
  type Model,
  type Moment,
  type Prediction,
  refused,
  sortedLabels,
} from './model.js';
import { NEVER_CLAIMED, type Tables, type Task } from './tables.js';
import { readWhen } from './time-zone.js';
import { undo } from './undo.js';
import { remove, update } from './update.js';

/** Returns what a call must answer by the rules, and applies it to the model. */
export function predict(model: Model, tool: string, args: Args, moment: Moment, seen: Tables): Prediction {
  const { expected_version, expect_title, claim, ids, ...patch } = args;
  const guard = { expected_version, expect_title, claim };
  switch (tool) {
    case 'add_task':
      return add(model, [args as New], false, moment, seen);
    case 'add_tasks':
      return add(model, args.tasks, true, moment, seen);
    case 'update_task':
      return update(model, ids, patch, guard, moment, seen, () => ({}), true);
    case 'complete_task':
      return update(model, ids, { status: 'completed' }, guard, moment, seen);
    case 'delete_task':
      return remove(model, ids, guard, moment, seen);
    case 'claim_task':
      return claimTask(model, args, moment);
    case 'release_task':
      return releaseTask(model, args as Parameters<typeof releaseTask>[1], moment, seen);
    case 'add_comment':
      return comment(model, args.id, args.text, moment);
    case 'update_project':
      return changeProject(model, args as ProjectPatch, moment);
    case 'undo':
      return undo(model, args, moment);
    default:
      throw new Error(`no rules for ${tool}`);
  }
}

interface New extends Args {
  title: string;
}

function add(model: Model, inputs: New[], plan: boolean, { now, by }: Moment, seen: Tables): Prediction {
  const draft = model.draft();
  const refs = new Map(inputs.map(({ ref }, i) => [ref as string, model.nextTask + i]));
  const given = inputs.flatMap(({ ref }) => ref ?? []);
  if (plan && given.length > new Set(given).size) return refused('invalid');
  const named = inputs.flatMap(({ parent, blocked_by = [] }) => [parent, ...blocked_by]);
  if (named.some((name) => typeof name === 'string' && !refs.has(name))) return refused('invalid');
  const idOf = (name: number | string) => (typeof name === 'string' ? (refs.get(name) as number) : name);

  const wrong = new Set<string>();
  const made = inputs.map((input, i): Task => {
    const id = model.nextTask + i;
    const home = input.project === undefined ? undefined : findOrCreateProject(draft, input.project);
    if (input.project !== undefined && !home) wrong.add('conflict');
    const adopted = input.repeats === undefined ? undefined : seen.tasks.get(id);
    const task: Task = {
      id,
      title: input.title,
      description: input.description ?? null,
      status: 'pending',
      priority: input.priority ?? null,
      due: adopted ? adopted.due : input.due === undefined ? null : readWhen(input.due),
      start: input.start === undefined ? null : readWhen(input.start),
      repeats: adopted?.repeats ?? null,
      estimate_minutes: input.estimate_minutes ?? null,
      project: home?.id ?? null,
      parent: input.parent === undefined ? null : idOf(input.parent),
      series: null,
      rank: seen.tasks.get(id)?.rank ?? '',
      completed_at: null,
      deleted_at: null,
      labels: sortedLabels(input.labels ?? []),
      blocked_by: [...new Set<number>((input.blocked_by ?? []).map(idOf))].sort((a, b) => a - b),
      comments: [],
      ...NEVER_CLAIMED,
      version: 1,
      created_at: now,
      created_by: by,
      updated_at: now,
      updated_by: by,
    };
    draft.tasks.set(id, task);
    return task;
  });
  for (const task of made)
    for (const id of [...task.blocked_by, ...(task.parent === null ? [] : [task.parent])]) {
      const other = draft.tasks.get(id);
      if (!other) wrong.add('not_found');
      else if (other.deleted_at !== null) wrong.add('conflict');
    }
  if (wrong.has('not_found')) return refused(...wrong);
  for (const task of made) {
    if (draft.circles(task.id)) wrong.add('conflict');
    if (task.parent !== null && !isOpen(draft.task(task.parent))) wrong.add('conflict');
    if (draft.depth(task.id) > 5) wrong.add('invalid');
    if (task.parent !== null && draft.inArchivedProject(draft.task(task.parent))) wrong.add('conflict');
  }
  if (wrong.size > 0) return refused(...wrong);
  for (const task of made)
    for (let at = task.parent; at !== null && task.project === null; ) {
      const above = draft.task(at);
      task.project = above.project;
      at = made.includes(above) ? above.parent : null;
    }
  model.commit(draft, { now, by });
  return accepted({ good: made.map(({ id }) => id) });
}

function comment(model: Model, id: number, text: string, moment: Moment): Prediction {
  const draft = model.draft();
  const task = draft.tasks.get(id);
  if (!task) return refused('not_found');
  if (task.deleted_at !== null) return refused('conflict');
  task.comments.push({ id: model.nextComment++, text, at: moment.now, by: moment.by });
  model.commit(draft, moment);
  return accepted({ good: [id] });
}

interface ProjectPatch {
  project: string;
  name?: string;
  archived?: boolean;
  merge_into?: string;
}

function changeProject(
  model: Model,
  { project, name, archived, merge_into }: ProjectPatch,
  moment: Moment,
): Prediction {
  const renames = name !== undefined || archived !== undefined;
  if ((merge_into !== undefined) === renames) return refused('invalid');
  const draft = model.draft();
  const subject = draft.named(project);
  if (!subject) return refused('not_found');
  if (merge_into !== undefined) {
    const into = draft.named(merge_into);
    if (!into) return refused('not_found');
    if (into === subject || into.archived_at !== null) return refused('conflict');
    subject.merged_into = into.id;
    for (const task of draft.tasks.values()) if (task.project === subject.id) task.project = into.id;
  } else {
    const holder = name === undefined ? undefined : draft.named(name);
    if (holder && holder !== subject) return refused('conflict');
    subject.name = name ?? subject.name;
    if (archived !== undefined) subject.archived_at = archived ? (subject.archived_at ?? moment.now) : null;
  }
  model.commit(draft, moment);
  return accepted();
}
