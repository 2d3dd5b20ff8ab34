import type { Claimed } from '../domain/claim.js';
import type { Commented } from '../domain/comment.js';
import { formatWhen, sayUntil } from '../domain/dates/clock.js';
import { capped, MAX_COUNT_EACH } from '../domain/lists/list.js';
import type { Outcome } from '../domain/outcome.js';
import type { Task } from '../domain/task.js';
import type { Undone } from '../domain/undo/undo.js';
import type { Edited, Merged, ProjectOutcome } from '../domain/update-project.js';
import { sayCall } from '../errors.js';
import { fitToBudget, MAX_BUDGET } from './budget.js';
import { stepsText } from './changes-in-words.js';
import { detailAnswer } from './details.js';
import { grouped, MAX_NAMED, numbers } from './groups.js';
import { unknownOf } from './news.js';
import { blockedNotes, carriedOnNotes, lapsedNotes, moreReadyNotes, outcomeNotes } from './notes.js';
import { failedJson, failedLines } from './refusals.js';
import {
  type Answer,
  counted,
  datesOf,
  line,
  lineParts,
  nextDatesLine,
  quoted,
  type RenderContext,
  rowJson,
  taskJson,
  tasksWord,
  withoutEmpty,
} from './shapes.js';

/** Answers `add_comment`. */
export function commentAnswer({ task, lapsed }: Commented, context: RenderContext): Answer {
  const { id, title } = task;
  const note = lapsedNotes(lapsed ? [task] : [], context).join(' ');
  return {
    json: withoutEmpty({ task: { id, title }, note: note || null }),
    text: [`Commented on #${id} ${quoted(title)}`, ...(note ? [note] : [])].join('\n'),
  };
}

/** Maximum number of tasks that the answer to a write lists: a task may have very many sub-tasks. */
const MAX_LISTED = 100;

/** Maximum number of tasks listed that changed only along with those that a write named: the same became of all of them. */
const MAX_ALONG = 20;

const readyRows = (ready: Task[]) => ready.slice(0, MAX_NAMED).map(({ id, title }) => ({ id, title }));
const readyLine = (ready: Task[]): string[] =>
  ready.length === 0
    ? []
    : [
        `Ready now: ${readyRows(ready)
          .map(({ id, title }) => `#${id} ${quoted(title)}`)
          .join(', ')}`,
      ];

/** Renders what is new of a task that changed like many others: not its title, its labels and what it waits for. */
const restOf = (task: Task, context: RenderContext, told?: string): string =>
  lineParts({ ...task, labels: [], openSubtasks: 0, waitsFor: [] }, context, told)
    .map((part) => ` · ${part}`)
    .join('');

/**
 * Describes what a write did to each task that its answer lists.
 *
 * @param words.verb past tense, such as `Updated`
 * @param words.told a status to omit
 * @param words.whole whether to show more of a task than what is new
 */
function describeRows(
  { tasks, before, unchanged, unclaimed, restored }: Outcome,
  context: RenderContext,
  { verb, told, whole }: { verb: string; told: string | undefined; whole: boolean },
) {
  const along = tasks.filter(({ id }) => !before.has(id));
  const listed = [...tasks.filter(({ id }) => before.has(id)), ...along.slice(0, MAX_ALONG)].slice(0, MAX_LISTED);
  return listed.map((task) => {
    const { id } = task;
    const was = before.get(id);
    const [same, back] = [unchanged.has(id), restored.has(id)];
    const did = same ? 'Unchanged' : back ? 'Restored' : unclaimed.includes(task) ? 'Updated' : verb;
    const news = was ? unknownOf(task, was) : task;
    const shown = whole || same ? task : news;
    const omitted = same ? undefined : told;
    const dated = !same && (news.due ?? news.repeats) !== null; // show how a changed rule or due date was understood
    const next = dated ? datesOf(task, context) : [];
    return {
      id,
      did,
      same,
      next,
      rest: same ? '' : restOf(shown, context, told),
      json: withoutEmpty({ ...rowJson(shown, context, 'compact', omitted), ...(back && { what: 'restored' }), next }),
      lines: [`${did} ${line(shown, context, omitted)}`, ...(dated ? nextDatesLine(task, context) : [])],
    };
  });
}

/**
 * Renders the tasks that a write was asked to change, and those that changed with them.
 *
 * @param verb past tense, such as `Updated`
 * @param asked the status asked for, not repeated per task if there are several
 */
export function outcomeAnswer(outcome: Outcome, context: RenderContext, verb: string, asked?: string): Answer {
  const { tasks, failed, ready, next: following } = outcome;
  const only = tasks.length === 1 && failed.length === 0 ? tasks[0] : undefined;
  const told = only ? verb.toLowerCase() : asked;
  const rows = describeRows(outcome, context, { verb, told, whole: only !== undefined });
  const { groups, others } = grouped(rows, ({ did, rest, next }) => (next.length > 0 ? undefined : did + rest));
  const summed = groups.map((group) => {
    const [{ did, rest }] = group as [(typeof group)[0]];
    return `${did} ${tasksWord(group.length)}, ${numbers(group.map(({ id }) => id))}${rest}.`;
  });
  const json = only
    ? { task: withoutEmpty({ ...taskJson(only, context), next: rows[0]?.next }) }
    : { tasks: others.map((row) => row.json), total: tasks.length, failed: failedJson(failed) };
  const notes = outcomeNotes(outcome, context).join(' ');
  return {
    json: withoutEmpty({
      ...json,
      ready: readyRows(ready),
      note: [...summed, notes].filter(Boolean).join(' ') || null,
      unchanged: rows.flatMap(({ id, same }) => (same ? [id] : [])),
      next: following.map(({ id, title, due }) => ({
        id,
        title,
        ...(due && { due: formatWhen(due, context.timezone) }),
      })),
    }),
    text: [
      ...summed,
      ...others.flatMap(({ lines }) => lines),
      ...(tasks.length > rows.length ? [`and ${tasks.length - rows.length} more`] : []),
      ...(notes ? [notes] : []),
      ...readyLine(ready),
      ...following.map((each) => `Next ${line(unknownOf(each, { ...each, due: null }), context)}`),
      ...failedLines(failed),
    ].join('\n'),
  };
}

/** Token budget for the details of a claimed task: leaves room for its description. */
const CLAIM_BUDGET = 4000;

/** Answers `claim_task`: the claim number, and the task in full unless an existing claim was extended. */
export function claimAnswer({ task, wasExpired, details }: Claimed, context: RenderContext): Answer {
  const { claim, claimedUntil } = task;
  const until = claimedUntil && sayUntil(claimedUntil, context);
  if (!details)
    return {
      json: { task: taskJson(task, context), claim },
      text: `${wasExpired ? 'Claimed again' : 'Still claimed'}, until ${until} · claim ${claim}\n${line(task, context)}`,
    };
  const { json, text } = fitToBudget(
    detailAnswer({ tasks: [{ ...details, history: [] }], failed: [] }, context),
    CLAIM_BUDGET,
    sayCall('get_task', { ids: [task.id], max_tokens: MAX_BUDGET }),
  );
  return { json: { ...json, claim }, text: `Claimed until ${until} · claim ${claim}\n${text}` };
}

/** Answers `undo`: the tasks and projects that were changed back. */
export function undoneAnswer(
  { tasks, projects, carriedOn, ready, blocked, failed, fewer }: Undone,
  context: RenderContext,
): Answer {
  const reverted = tasks.map(({ task: { id, title }, steps }) => ({ id, title, what: stepsText(steps, context) }));
  const { groups, others } = grouped(reverted, ({ what }) => what);
  const named = others.slice(0, MAX_LISTED);
  const notes = [
    ...groups.map((rows) => `${tasksWord(rows.length)}, ${numbers(rows.map(({ id }) => id))}: ${rows[0]?.what}.`),
    ...carriedOnNotes(carriedOn),
    ...blockedNotes(blocked),
    ...moreReadyNotes(ready),
    ...(fewer ? [`Of your last ${fewer.asked} writes, only ${fewer.found} could be undone.`] : []),
  ];
  const changedProjects = projects.map(({ project: { name }, steps }) => ({ name, what: stepsText(steps, context) }));
  return {
    json: withoutEmpty({
      tasks: named,
      total: tasks.length,
      projects: changedProjects,
      ready: readyRows(ready),
      note: notes.join(' ') || null,
      failed: failedJson(failed),
    }),
    text: [
      `Undone: ${[...(tasks.length > 0 ? [tasksWord(tasks.length)] : []), ...(projects.length > 0 ? [counted(projects.length, 'project')] : [])].join(' and ')} reverted`,
      ...named.map(({ id, title, what }) => `#${id} ${quoted(title)} · ${what}`),
      ...(others.length > MAX_LISTED ? [`and ${others.length - MAX_LISTED} more`] : []),
      ...changedProjects.map(({ name, what }) => `+${name} · ${what}`),
      ...notes,
      ...readyLine(ready),
      ...failedLines(failed),
    ].join('\n'),
  };
}

const MORE = 'More tasks remain. Repeat the call with a new request_id until the project is merged.';

/** Answers `update_project`. */
export const projectAnswer = (outcome: ProjectOutcome): Answer =>
  'into' in outcome ? mergedAnswer(outcome) : editedAnswer(outcome);

function mergedAnswer({ project: { name }, into }: Merged): Answer {
  const trashed = into.trashed > 0 ? `${into.trashed} in the trash` : undefined;
  const moved = `${tasksWord(into.moved)}${trashed ? `, and ${trashed},` : ''}`;
  return {
    json: withoutEmpty({
      project: { name, ...(!into.more && { merged_into: into.name }) },
      moved: into.moved,
      note: [trashed && `Moved ${trashed} too.`, into.more && MORE].filter(Boolean).join(' ') || null,
    }),
    text: into.more
      ? `Moved ${moved} from +${name} to +${into.name}. ${MORE}`
      : `Merged +${name} into +${into.name}: ${moved} moved`,
  };
}

function editedAnswer({ project: { name, archivedAt }, open = 0, unchanged }: Edited): Answer {
  const hidden = open > 0 ? capped(open, MAX_COUNT_EACH) : undefined;
  return {
    json: { project: { name, ...(archivedAt && { archived: true }), ...(hidden && { open: hidden }) } },
    text: `${unchanged ? 'Unchanged' : 'Updated'} +${name}${archivedAt ? ' · archived' : ''}${hidden ? `, and ${hidden} open ${open === 1 ? 'task' : 'tasks'} with it` : ''}`,
  };
}
