import { type Gathered, gather } from './gather.js';
import { settle } from './settle.js';
import { inTrash, noTask, type Task } from './task.js';
import type { Change } from './write.js';

/** Adds a comment to a task, whatever its status; its version stays. */
export function addComment(id: number, text: string): Change<Gathered, Task> {
  return {
    read: (tx) => gather(tx, { ids: [id] }),
    decide(state, moment) {
      const task = state.tasks.get(id);
      if (!task) throw noTask(id);
      if (task.deletedAt) throw inTrash(task);
      const comment = { id: moment.nextComment, text, at: moment.now, by: moment.by };
      const commented = { added: [comment], removed: [] };
      return { ...settle(state.tasks, [{ after: task, commented }], moment), outcome: task };
    },
  };
}
