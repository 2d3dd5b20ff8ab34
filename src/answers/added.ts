import { isDeepStrictEqual } from 'node:util';
import type { Added, NewTask } from '../domain/add.js';
import { formatWhen } from '../domain/dates/clock.js';
import type { Task } from '../domain/task.js';
import { MAX_NAMED } from './groups.js';
import { type Settable, unknownOf } from './news.js';
import { closedBlockerNotes, moreNamesakesNotes, similarNameNotes, suspectDateNotes, twinNotes } from './notes.js';
import {
  type Answer,
  datesOf,
  line,
  nextDatesLine,
  quoted,
  type RenderContext,
  rowJson,
  taskJson,
  tasksWord,
  withoutEmpty,
} from './shapes.js';

/** Answers `add_task`. */
export function addedAnswer(
  { tasks: [first], similar, similarNames, closedBlockers }: Added,
  context: RenderContext,
): Answer {
  const task = first as Task;
  const note = [
    ...suspectDateNotes([task], context),
    ...closedBlockerNotes(closedBlockers),
    ...similarNameNotes(similarNames),
  ].join(' ');
  return {
    json: withoutEmpty({
      task: withoutEmpty({ ...taskJson(task, context), next: datesOf(task, context) }),
      similar,
      note: note || null,
    }),
    text: [
      `Added ${line(task, context)}`,
      ...nextDatesLine(task, context),
      ...(note ? [note] : []),
      ...similarLines(similar, 'Similar open tasks'),
    ].join('\n'),
  };
}

const similarLines = (similar: Added['similar'], heading: string): string[] =>
  similar.length > 0
    ? [`${heading}:`, ...similar.slice(0, MAX_NAMED).map(({ id, title }) => `  #${id} ${quoted(title)}`)]
    : [];

const AS_GIVEN = 'Other fields are as given.';

/**
 * Answers `add_tasks`: ids by ref (else by title), and the fields that differ from what was given.
 *
 * @param sent the tasks as they were sent
 */
export function plannedAnswer(
  { tasks, refs, similar, similarNames, closedBlockers }: Added,
  context: RenderContext,
  given: Given[],
  sent: Record<string, unknown>[],
): Answer {
  const added = tasks.map((task, i) => ({
    task,
    news: unknownOf({ ...task, waitsFor: [], openSubtasks: 0 }, asGiven(task, given[i], sent[i], context)),
    ref: refs?.get(task.id),
  }));
  const doubts = [
    ...suspectDateNotes(tasks, context),
    ...closedBlockerNotes(closedBlockers),
    ...similarNameNotes(similarNames),
    ...twinNotes(tasks),
    ...moreNamesakesNotes(similar),
  ].join(' ');
  return {
    json: {
      tasks: added.map(({ task, news, ref }) => {
        const { id, title, ...rest } = rowJson(news, context);
        return withoutEmpty({
          id,
          ...(ref === undefined ? { title } : { ref }),
          ...rest,
          next: datesOf(task, context),
        });
      }),
      total: tasks.length,
      ...(similar.length > 0 && { similar: similar.slice(0, MAX_NAMED) }),
      note: [AS_GIVEN, doubts].filter(Boolean).join(' '),
    },
    text: [
      `Added ${tasksWord(tasks.length)}`,
      ...added.flatMap(({ task, news, ref = task.title }) => [
        line({ ...news, title: ref }, context),
        ...nextDatesLine(task, context),
      ]),
      AS_GIVEN,
      ...(doubts ? [doubts] : []),
      ...similarLines(similar, 'Open tasks with the same titles'),
    ].join('\n'),
  };
}

type Given = Omit<NewTask, 'parent' | 'blocked_by'>;

/** Returns what the caller knows of a new task: the fields stored exactly as given. */
function asGiven(
  task: Task,
  said: Given | undefined,
  sent: Record<string, unknown> | undefined,
  { timezone }: RenderContext,
): Settable {
  const same = (field: 'due' | 'start') => {
    const when = task[field];
    return when && formatWhen(when, timezone) === said?.[field] ? when : null;
  };
  const labels = said?.labels ?? [];
  const priority = String(sent?.priority).trim().toLowerCase();
  return {
    ...task,
    priority: priority === task.priority ? priority : null,
    due: same('due'),
    start: same('start'),
    repeats: null,
    project: said?.project ?? (task.parentId === null ? null : task.project), // a sub-task is in its parent's
    labels: isDeepStrictEqual(new Set(labels), new Set(task.labels)) ? task.labels : labels, // in any order
  };
}
