import { ancestors } from '../family.js';
import type { Plan } from '../judge.js';
import type { Task } from '../task.js';
import type { WriteContext } from '../write.js';
import { areOfOneSeries, hasNext, nextInSeries, skippedAfter } from './series.js';

/** Closes the tasks of one call. Closing a repeating task creates the next of its series; the last one keeps its rule. */
export class SeriesClosings {
  /** The next tasks of the repeating tasks that were closed. */
  readonly next: Task[] = [];
  /** Repeating tasks that were closed, with how many dates of their series were past already. */
  readonly skipped: [task: Task, count: number][] = [];
  /** Repeating tasks that were closed without a next one, with their rule, and whether the rule has a next occurrence. */
  readonly #last: [task: Task, goesOn: boolean][] = [];
  #nextId: number;

  constructor(
    private readonly tasks: ReadonlyMap<number, Task>,
    private readonly context: WriteContext,
  ) {
    this.#nextId = context.nextTask;
  }

  /**
   * Returns the plan of a task that is being closed.
   *
   * @param closing the task with its rule and the other changes of the call
   * @param along the tasks that change along with it
   * @param withParent whether the task above it is closed too: its next task will have a copy of this one
   */
  close(closing: Task, along: Task[], withParent: boolean): Plan {
    const closed = { ...closing, repeats: null }; // the rule moves on to the next task of the series
    const skipped = withParent ? 0 : skippedAfter(closing, this.context);
    if (skipped > 0) this.skipped.push([closed, skipped]);
    const family = new Map([...this.tasks, ...along.map((each) => [each.id, each] as const)]);
    const following = withParent ? undefined : nextInSeries(closing, family, this.context, () => this.#nextId++);
    if (following) this.next.push(following.task);
    else if (closing.repeats) this.#last.push([closing, hasNext(closing, this.context)]);
    return [closed, ...along, ...(following ? [following.task, ...following.subtasks] : [])];
  }

  /** Repeating tasks that were closed after which their rule has no occurrence. They keep it. */
  get ended(): Task[] {
    return this.#lastWith(false);
  }

  /** Repeating tasks that were closed together with the one above them, and so are not followed. They keep their rule. */
  get endedWithParent(): Task[] {
    return this.#lastWith(true);
  }

  /** Leaves out those with a copy in the next task of one above them: that has the rule. */
  #lastWith(goesOn: boolean): Task[] {
    const isCopied = (task: Task) =>
      ancestors(this.tasks, task).some((above) => this.next.some((each) => areOfOneSeries(above, each)));
    return this.#last.flatMap(([task, has]) => (has === goesOn && !isCopied(task) ? [task] : []));
  }
}
