import { mkdirSync, writeFileSync } from 'node:fs';
import { program } from './install.mjs';
import { done, mistake, notes, plan, postponed, task, viewed } from './plan.mjs';

const package_ = 'task-master-ai';
const numbers = (keys) => keys.map((key) => task[key].number).join(',');
const row = ({ title, description, due, started }, index) => ({
  id: `${index + 1}`,
  title,
  description: `${description} Due ${due}.`,
  details: '',
  testStrategy: '',
  status: started ? 'in-progress' : 'pending',
  dependencies: [],
  priority: 'medium',
  subtasks: [],
});
/** Creates a project with telemetry off, and with these tasks. */
function project(home, tasks) {
  mkdirSync(`${home}/.taskmaster/tasks`, { recursive: true });
  const config = { models: {}, global: { anonymousTelemetry: false, logLevel: 'error', defaultTag: 'master' } };
  writeFileSync(`${home}/.taskmaster/config.json`, JSON.stringify(config));
  writeFileSync(
    `${home}/.taskmaster/tasks/tasks.json`,
    JSON.stringify({ master: { tasks: tasks.map(row), metadata: {} } }, undefined, 2),
  );
}
// Without a model of its own it cannot change the text of a task, but it can change its metadata.
const setMetadata = (key, metadata, projectRoot) => [
  'update_task',
  { id: `${task[key].number}`, metadata: JSON.stringify(metadata), projectRoot },
];

export default {
  name: 'task-master-ai',
  package: package_,
  lists: 'get_tasks for the 25 in progress (no pages; without a status, it returns everything)',
  server: (home, folder, forDay) => ({
    args: [program(folder, package_, 'task-master-ai')],
    env: {
      // The smallest named set that can add a task; for the day, only the tools that it uses.
      TASK_MASTER_TOOLS: forDay ? 'get_tasks,get_task,set_task_status,add_task,update_task' : 'standard',
      TASK_MASTER_ALLOW_METADATA_UPDATES: 'true',
    },
    cwd: home,
  }),
  seed: project,
  add: ({ title, description, due }, projectRoot) => [
    'add_task',
    { title, description: `${description} Due ${due}.`, projectRoot },
  ],
  get: (number, _, projectRoot) => ['get_task', { id: `${number}`, projectRoot }],
  list: (_, projectRoot) => ['get_tasks', { status: 'in-progress', projectRoot }],
  all: async (call, projectRoot) => (await call(['get_tasks', { projectRoot }])).text,

  day: {
    async plan(call, projectRoot) {
      // A task must exist before others can depend on it.
      for (const { title, description, due, priority, after } of plan)
        await call([
          'add_task',
          {
            title,
            description: `${description} Due ${due}.`,
            priority,
            ...(after.length > 0 && { dependencies: numbers(after) }),
            projectRoot,
          },
        ]);
    },
    morning: (call, projectRoot) => call(['get_tasks', { status: 'pending', projectRoot }]),
    look: (call, projectRoot) => call(['get_task', { id: numbers(viewed), projectRoot }]),
    async reschedule(call, projectRoot) {
      for (const { keys, due } of postponed) for (const key of keys) await call(setMetadata(key, { due }, projectRoot));
    },
    async work(call, projectRoot) {
      await call(['set_task_status', { id: numbers(done), status: 'in-progress', projectRoot }]);
      for (const key of done) await call(setMetadata(key, { note: notes[key] }, projectRoot));
      await call(['set_task_status', { id: numbers(done), status: 'done', projectRoot }]);
    },
    async mistake(call, projectRoot) {
      await call(setMetadata(mistake.key, { due: mistake.due }, projectRoot));
      await call(setMetadata(mistake.key, { due: task[mistake.key].due }, projectRoot));
    },
    review: (call, projectRoot) => call(['get_tasks', { projectRoot }]),
  },
  async endState(call, projectRoot) {
    const { tasks } = JSON.parse((await call(['get_tasks', { projectRoot }])).text).data;
    return Object.fromEntries(
      tasks.map((it) => [
        it.title,
        {
          done: it.status === 'done',
          due: it.metadata?.due ?? /Due (\S+)\.$/.exec(it.description)?.[1],
          text: JSON.stringify(it),
          waits: it.dependencies.length,
        },
      ]),
    );
  },
};
