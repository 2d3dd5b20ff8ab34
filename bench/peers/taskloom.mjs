import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { environment, start } from './host.mjs';
import { done, mistake, notes, parent, plan, postponed, subtasks, task, viewed } from './plan.mjs';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const own = (home) => ({ TASKLOOM_HOME: `${home}/tasks`, TASKLOOM_LOG_LEVEL: 'error' });
const numbers = (keys) => keys.map((key) => task[key].number);

/** Returns all tasks of a list, page by page. */
async function pages(call, filter) {
  const all = [];
  for (let cursor; ; ) {
    const { data } = await call([
      'list_tasks',
      { ...filter, limit: 100, max_tokens: 20_000, ...(cursor && { cursor }) },
    ]);
    all.push(...data.tasks);
    cursor = data.next_cursor;
    if (!cursor) return all;
  }
}

export default {
  name: 'Taskloom',
  lists: 'list_tasks (the newest open tasks, and their total)',
  server: (home) => ({ args: [main], env: own(home), cwd: home }),
  stop: (home) =>
    execFileSync(process.execPath, [main, 'owner', '--stop'], { env: environment(home, own(home)), stdio: 'ignore' }),
  async seed(home, tasks) {
    const server = await start(this.server(home));
    for (let i = 0; i < tasks.length; i += 100) {
      const batch = tasks.slice(i, i + 100).map(({ title, description, due }) => ({ title, description, due }));
      await server.call(['add_tasks', { tasks: batch }]);
    }
    await server.close();
  },
  add: ({ title, description, due }) => ['add_task', { title, description, due }],
  get: (number) => ['get_task', { ids: [number] }],
  list: (group) => ['list_tasks', group === 25 ? {} : { limit: group, max_tokens: 10_000 }],
  all: async (call) => JSON.stringify(await pages(call, {})),

  day: {
    plan: (call) =>
      call([
        'add_tasks',
        {
          tasks: plan.map(({ key, title, description, due, priority, after }) => {
            const others = after.filter((other) => key !== parent || !subtasks.includes(other));
            return {
              ref: key,
              title,
              description,
              due,
              priority,
              ...(subtasks.includes(key) && { parent }),
              ...(others.length > 0 && { blocked_by: others }),
            };
          }),
        },
      ]),
    morning: (call) => call(['list_tasks', { due: 'today' }]),
    look: (call) => call(['get_task', { ids: numbers(viewed) }]),
    async reschedule(call) {
      for (const { keys, due } of postponed) await call(['update_task', { ids: numbers(keys), due }]);
    },
    async work(call) {
      await call(['update_task', { ids: numbers(done), status: 'in_progress' }]);
      for (const key of done) await call(['add_comment', { id: task[key].number, text: notes[key] }]);
      await call(['complete_task', { ids: numbers(done) }]);
    },
    async mistake(call) {
      const { data } = await call(['update_task', { ids: numbers([mistake.key]), due: mistake.due }]);
      await call(['undo', { undo: data.undo }]);
    },
    async review(call) {
      await call(['list_tasks', { status: 'completed', completed_since: 'today' }]);
      await call(['list_tasks', { sort: 'due' }]);
    },
  },
  async endState(call) {
    const { data } = await call(['get_task', { ids: plan.map(({ number }) => number), max_tokens: 20_000 }]);
    return Object.fromEntries(
      data.tasks.map((it) => [
        it.title,
        {
          done: it.status === 'completed',
          due: it.due,
          text: JSON.stringify(it),
          waits: (it.blocked_by?.length ?? 0) + (it.subtasks?.length ?? 0),
        },
      ]),
    );
  },
};
