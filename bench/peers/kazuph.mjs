import { writeFileSync } from 'node:fs';
import { program } from './install.mjs';
import { done, mistake, notes, plan, postponed, task, viewed } from './plan.mjs';

const package_ = '@kazuph/mcp-taskmanager';
const file = (home) => `${home}/tasks.json`;
const requestId = 'req-1';
const id = (key) => `task-${task[key].number}`;
// Has no fields for dates, priorities and dependencies, so they go into the description.
const describe = (each, due = each.due) =>
  [
    each.description,
    `Due ${due}, ${each.priority}.`,
    each.after.length > 0 && `After ${each.after.map(id).join(', ')}.`,
  ]
    .filter(Boolean)
    .join(' ');
const put = (key, due) => ['update_task', { requestId, taskId: id(key), description: describe(task[key], due) }];

export default {
  name: 'kazuph taskmanager',
  package: package_,
  lists: 'get_next_task for a request of 25 tasks (it lists the tasks of that request; no other call lists tasks)',
  server: (home, folder) => ({
    args: [program(folder, package_, 'mcp-taskmanager')],
    env: { TASK_MANAGER_FILE_PATH: file(home) },
    cwd: home,
  }),
  seed(home, tasks, _, group = 25) {
    const requests = [];
    for (let i = 0; i < tasks.length; i += group)
      requests.push({
        requestId: `req-${requests.length + 1}`,
        originalRequest: 'A request',
        splitDetails: 'A request',
        tasks: tasks.slice(i, i + group).map(({ title, description, due }, n) => ({
          id: `task-${i + n + 1}`,
          title,
          description: `${description} Due ${due}.`,
          done: false,
          approved: false,
          completedDetails: '',
        })),
        completed: false,
      });
    writeFileSync(file(home), JSON.stringify({ requests }, undefined, 2));
  },
  // Adds to the second request, so that the first, which is listed, keeps its 25 tasks; if there is only one, to that.
  add: ({ title, description, due, alone }) => [
    'add_tasks_to_request',
    { requestId: alone ? 'req-1' : 'req-2', tasks: [{ title, description: `${description} Due ${due}.` }] },
  ],
  get: (number) => ['open_task_details', { taskId: `task-${number}` }],
  list: () => ['get_next_task', { requestId }],
  all: async (call) => (await call(['get_next_task', { requestId }])).text,

  day: {
    plan: (call) =>
      call([
        'request_planning',
        {
          originalRequest: 'Version 2',
          tasks: plan.map((each) => ({ title: each.title, description: describe(each) })),
        },
      ]),
    morning: (call) => call(['get_next_task', { requestId }]),
    async look(call) {
      for (const key of viewed) await call(['open_task_details', { taskId: id(key) }]);
    },
    async reschedule(call) {
      for (const { keys, due } of postponed) for (const key of keys) await call(put(key, due));
    },
    // Has no status for a started task.
    async work(call) {
      for (const key of done)
        await call(['mark_task_done', { requestId, taskId: id(key), completedDetails: notes[key] }]);
    },
    async mistake(call) {
      await call(put(mistake.key, mistake.due));
      await call(put(mistake.key));
    },
    review: (call) => call(['get_next_task', { requestId }]),
  },
  async endState(call) {
    const all = {};
    for (const { key, title } of plan) {
      const { task: it } = JSON.parse((await call(['open_task_details', { taskId: id(key) }])).text);
      all[title] = {
        done: it.done,
        due: /Due ([\d-]+)/.exec(it.description)?.[1],
        text: it.completedDetails,
        waits: /After (.*)\./.exec(it.description)?.[1].split(', ').length ?? 0,
      };
    }
    return all;
  },
};
