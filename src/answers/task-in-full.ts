import { formatStamp, sayStamp } from '../domain/dates/clock.js';
import {
  type HistoryEntry,
  MANY_SHOWN,
  type PlacedComment,
  type Related,
  SHOWN,
  type TaskDetail,
} from '../domain/get.js';
import type { Comment } from '../domain/record.js';
import { handleOf } from '../domain/write.js';
import { describeStep, stepText } from './changes-in-words.js';
import {
  datesOf,
  indented,
  line,
  nextDatesLine,
  quoted,
  type RenderContext,
  sayStamps,
  spaced,
  stamps,
  taskJson,
  withoutEmpty,
} from './shapes.js';

const relatedJson = ({ id, title, status }: Related) => ({ id, title, ...(status !== 'pending' && { status }) });

const commentJson = ({ text, by, at }: Comment, { timezone }: RenderContext) => ({
  text,
  by,
  at: formatStamp(at, timezone),
});

const historyEntryJson = (entry: HistoryEntry, context: RenderContext) =>
  withoutEmpty({
    ...describeStep(entry, context),
    by: entry.by,
    at: formatStamp(entry.at, context.timezone),
    undo: entry.batch && handleOf(entry.batch),
  });

function historyEntryLine(entry: HistoryEntry, context: RenderContext): string {
  const { at, by, batch } = entry;
  const handle = batch ? ` (${handleOf(batch)})` : '';
  return `  ${sayStamp(at, context)}, ${by}: ${stepText(entry, context)}${handle}`;
}

/** Renders a task in full as JSON. */
const detailJson = (task: TaskDetail, context: RenderContext) =>
  withoutEmpty({
    ...taskJson(task, context),
    next: datesOf(task, context),
    description: task.description,
    note: task.note,
    open_subtasks: null,
    subtasks: task.subtasks.map(relatedJson),
    subtasks_total: task.subtaskCount > task.subtasks.length ? task.subtaskCount : null,
    blocked_by: task.blockers.map(relatedJson),
    blocks: task.blocks.map(relatedJson),
    blocks_total: task.blockCount > task.blocks.length ? task.blockCount : null,
    comments: task.comments.map((comment) => commentJson(comment, context)),
    comments_total: task.commentCount > task.comments.length ? task.commentCount : null,
    comments_before: earlierThan(task.comments),
    history: task.history.map((entry) => historyEntryJson(entry, context)),
    ...stamps(task, context),
    created_by: task.createdBy,
  });

const relatedLine = ({ id, title, status }: Related) =>
  `  #${id} ${quoted(title)}${status === 'pending' ? '' : ` · ${spaced(status)}`}`;

/** Returns the value of `comments_before` for the comments before those shown, if there are any. */
const earlierThan = ([first]: PlacedComment[]): number | undefined => (first && first.place > 1 ? first.id : undefined);

/** Heads the comments of a task: says which of them are shown, unless all are. */
function commentsTitle({ comments, commentCount }: TaskDetail): string {
  const [first, last] = [comments[0], comments.at(-1)];
  if (!first || !last || comments.length === commentCount) return 'Comments';
  const earlier = first.place > 1 ? ` (earlier ones: get_task with comments_before ${first.id})` : '';
  const shown = first === last ? `${first.place}` : `${first.place}–${last.place}`;
  return `Comments ${shown} of ${commentCount}${earlier}`;
}

/** Renders a task in full, as several lines. */
function detailText(task: TaskDetail, context: RenderContext): string {
  const stamp = (instant: Date) => sayStamp(instant, context);
  const section = (title: string, lines: string[]) => (lines.length > 0 ? [`  ${title}:`, ...lines] : []);
  const part = (title: string, shown: number, all: number, rest: string) =>
    all > shown ? `${title} (${shown} of ${all}; ${rest})` : title;
  const { subtasks, subtaskCount, blocks, blockCount, comments } = task;
  return [
    line({ ...task, openSubtasks: 0, waitsFor: [], waitsWith: null }, context), // all are listed below
    `  version ${task.version} · ${sayStamps(task, context, ` by ${task.createdBy}`)}`,
    ...nextDatesLine(task, context),
    ...(task.description ? [indented(task.description)] : []),
    ...(task.note ? ['  Note left on release:', indented(task.note)] : []),
    ...section(
      part('Sub-tasks', subtasks.length, subtaskCount, `list_tasks parent ${task.id} for the rest`),
      subtasks.map(relatedLine),
    ),
    ...section('Blocked by', task.blockers.map(relatedLine)),
    ...(task.waitsWith ? [`  Waits with its ancestor #${task.waitsWith}.`] : []),
    ...section(
      part(
        'Blocks',
        blocks.length,
        blockCount,
        blocks.length < MANY_SHOWN.related ? 'more from get_task with a larger max_tokens' : 'the rest is not shown',
      ),
      blocks.map(relatedLine),
    ),
    ...section(
      commentsTitle(task),
      comments.flatMap(({ text, by, at }) => [`  ${stamp(at)}, ${by}:`, indented(text)]),
    ),
    ...section(
      task.history.length < SHOWN.history ? 'History' : `History (the latest ${task.history.length})`,
      task.history.map((entry) => historyEntryLine(entry, context)),
    ),
  ].join('\n');
}

/** Renders a task in full, for both channels. */
export const inFull = (task: TaskDetail, context: RenderContext) => ({
  json: detailJson(task, context),
  lines: [detailText(task, context)],
});
