import { writeFileSync } from 'node:fs';
import { program } from './install.mjs';
import { done, mistake, notes, plan, postponed, task, today, viewed } from './plan.mjs';

const package_ = 'mcp-shrimp-task-manager';
const uuid = (index) => `00000000-0000-4000-8000-${`${index}`.padStart(12, '0')}`;
const split = (tasks) => ['split_tasks', { updateMode: 'append', tasksRaw: JSON.stringify(tasks) }];
const ids = new Map();
// Has no fields for dates and priorities, so they go into the shortest field that can be changed.
const noted = ({ due, priority }) => `Due ${due}, ${priority}`;
const put = (key, due) => [
  'update_task',
  { taskId: ids.get(key), notes: noted({ due, priority: task[key].priority }) },
];

export default {
  name: 'shrimp-task-manager',
  package: package_,
  lists: 'list_tasks for the 25 in progress (no pages; without a status, it returns everything)',
  server: (home, folder) => ({
    args: [program(folder, package_, 'mcp-shrimp-task-manager')],
    env: { DATA_DIR: home, TEMPLATES_USE: 'en', ENABLE_GUI: 'false' },
    cwd: home,
  }),
  seed(home, all) {
    const tasks = all.map(({ title, description, due, started }, index) => ({
      id: uuid(index + 1),
      name: title,
      description,
      notes: `Due ${due}`,
      status: started ? 'in_progress' : 'pending',
      dependencies: [],
      createdAt: `${due}T09:00:00.000Z`,
      updatedAt: `${due}T09:00:00.000Z`,
      implementationGuide: '',
    }));
    writeFileSync(`${home}/tasks.json`, JSON.stringify({ tasks }, undefined, 2));
  },
  add: ({ title, description, due }) =>
    split([{ name: title, description, notes: `Due ${due}`, implementationGuide: '' }]),
  get: (number) => ['get_task_detail', { taskId: uuid(number) }],
  list: () => ['list_tasks', { status: 'in_progress' }],
  all: async (call) => (await call(['list_tasks', { status: 'all' }])).text,

  day: {
    async plan(call) {
      const { text } = await call(
        split(
          plan.map((each) => ({
            name: each.title,
            description: each.description,
            notes: noted(each),
            implementationGuide: '',
            ...(each.after.length > 0 && { dependencies: each.after.map((key) => task[key].title) }),
          })),
        ),
      );
      for (const { key, title } of plan)
        ids.set(key, new RegExp(`: ${title}\\n+\\*\\*ID:\\*\\* \`([^\`]+)`).exec(text)?.[1]);
    },
    morning: (call) => call(['query_task', { query: today, pageSize: 20 }]),
    async look(call) {
      for (const key of viewed) await call(['get_task_detail', { taskId: ids.get(key) }]);
    },
    async reschedule(call) {
      for (const { keys, due } of postponed) for (const key of keys) await call(put(key, due));
    },
    async work(call) {
      for (const key of done) {
        await call(['execute_task', { taskId: ids.get(key) }]);
        await call(['verify_task', { taskId: ids.get(key), summary: notes[key], score: 100 }]);
      }
    },
    async mistake(call) {
      await call(put(mistake.key, mistake.due));
      await call(put(mistake.key, task[mistake.key].due));
    },
    review: (call) => call(['list_tasks', { status: 'all' }]),
  },
  async endState(call) {
    const all = {};
    for (const { key, title } of plan) {
      const { text } = await call(['get_task_detail', { taskId: ids.get(key) }]);
      all[title] = {
        done: /Status:\*\* *completed/i.test(text),
        due: /Due (\d{4}-\d\d-\d\d)/.exec(text)?.[1],
        text,
        waits: /Dependencies:\*\*(.*)/.exec(text)?.[1].match(/[0-9a-f]{8}-/g)?.length ?? 0,
      };
    }
    return all;
  },
};
