import {
  type Args,
  accepted,
  isClaimed,
  isOpen,
  key,
  type Model,
  type Moment,
  type Prediction,
  refused,
} from './model.js';
import { dueSort } from './replay.js';
import type { Tables, Task } from './tables.js';
import { claimRefusal, update } from './update.js';

const PRIORITIES = ['urgent', 'high', 'medium', 'low'];

/** Claims a task by id, or the next ready one. */
export function claimTask(model: Model, args: Args, moment: Moment): Prediction {
  const { id, claim, minutes = 30, agent, project, labels, priority } = args;
  const filtered = project !== undefined || labels !== undefined || priority !== undefined;
  if ((id !== undefined && filtered) || (id === undefined && claim !== undefined)) return refused('invalid');
  const draft = model.draft();
  const home = project === undefined ? undefined : draft.named(project);
  if (project !== undefined && !home) return refused('not_found');
  const isArchived = (task: Task) => task.project !== null && draft.projects.get(task.project)?.archived_at !== null;
  const free = (task: Task) => draft.free(task, moment.now);
  const ready = [...draft.tasks.values()].filter(
    (task) =>
      (task.status === 'pending' || task.claimed_by !== null) &&
      free(task) &&
      (home ? task.project === home.id : !isArchived(task)) &&
      (labels ?? []).every((label: string) => task.labels.some((each) => key(each) === key(label))) &&
      (priority === undefined || task.priority === priority),
  );
  const place = ({ priority }: Task) => (priority === null ? PRIORITIES.length : PRIORITIES.indexOf(priority));
  const due = (task: Task) => (task.due === null ? Number.POSITIVE_INFINITY : Date.parse(dueSort(task.due)));
  ready.sort((a, b) => place(a) - place(b) || (due(a) === due(b) ? 0 : due(a) - due(b)) || a.id - b.id);
  const task = id === undefined ? ready[0] : draft.tasks.get(id);
  if (!task) return refused('not_found');

  const code = claimRefusal(task, claim);
  if (code) return refused(code);
  if (!isOpen(task)) return refused('conflict');
  if (claim === undefined ? !free(task) : task.claimed_by === null) return refused('conflict');
  Object.assign(task, {
    claimed_by: agent ?? (claim === undefined ? moment.by : task.claimed_by),
    claimed_until: new Date(
      Math.max(
        Date.parse(moment.now) + minutes * 60_000,
        claim === undefined ? 0 : Date.parse(String(task.claimed_until)),
      ),
    ).toISOString(),
    claim: claim ?? model.log.length + 1,
  });
  model.commit(draft, { ...moment, client: moment.by, by: agent ?? moment.by });
  return accepted({ good: [task.id] });
}

/** Releases a task, with an optional note and status. */
export function releaseTask(
  model: Model,
  { id, claim, note, status }: { id: number; claim?: number; note?: string; status?: string },
  moment: Moment,
  seen: Tables,
): Prediction {
  return update(model, [id], { status }, claim === undefined ? {} : { claim }, moment, seen, (task) => {
    if (task.deleted_at !== null) return undefined;
    if (claim === undefined && (isClaimed(task, moment.now) || !isOpen(task))) return undefined;
    const handedOn = status === undefined && task.status === 'in_progress' && task.claimed_by !== null;
    return {
      claimed_by: null,
      claimed_until: null,
      ...(handedOn && { status: 'pending' }),
      ...(note !== undefined && { note }),
    };
  });
}
