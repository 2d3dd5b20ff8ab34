import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { environment } from './host.mjs';
import { program } from './install.mjs';
import { done, mistake, notes, parent, plan, postponed, subtasks, task, viewed } from './plan.mjs';

const package_ = 'backlog.md';
const numbers = new Map();
const id = (key) => numbers.get(key);
const edit = (key, change) => ['task_edit', { id: id(key), ...change }];
const capital = (word) => word[0].toUpperCase() + word.slice(1);

export default {
  name: 'backlog.md',
  package: package_,
  lists: 'task_list with a limit of 25',
  server: (home, folder) => ({ args: [program(folder, package_, 'backlog'), 'mcp', 'start'], cwd: home }),
  seed(home, tasks, folder) {
    const options = { cwd: home, env: environment(home), stdio: 'ignore' };
    execFileSync('git', ['init', '-q'], options);
    const init = ['init', 'bench', '--defaults', '--integration-mode', 'none'];
    execFileSync(process.execPath, [program(folder, package_, 'backlog'), ...init], options);
    tasks.forEach(({ title, description, due, started }, index) => {
      writeFileSync(
        `${home}/backlog/tasks/task-${index + 1} - ${title.replaceAll(' ', '-')}.md`,
        [
          '---',
          `id: TASK-${index + 1}`,
          `title: ${title}`,
          `status: ${started ? 'In Progress' : 'To Do'}`,
          'assignee: []',
          `created_date: '${due} 09:00'`,
          `due_date: '${due}'`,
          'labels: []',
          'dependencies: []',
          `ordinal: ${(index + 1) * 1000}`,
          '---',
          '',
          '## Description',
          '',
          '<!-- SECTION:DESCRIPTION:BEGIN -->',
          description,
          '<!-- SECTION:DESCRIPTION:END -->',
          '',
        ].join('\n'),
      );
    });
  },
  add: ({ title, description, due }) => ['task_create', { title, description, dueDate: due }],
  get: (number) => ['task_view', { id: `task-${number}` }],
  list: (group) => ['task_list', { limit: group }],
  all: async (call) => (await call(['task_list', { limit: 1000 }])).text,

  day: {
    async plan(call) {
      // A sub-task is created with its parent, so the parent comes first.
      const order = [...plan].sort((a, b) => subtasks.includes(a.key) - subtasks.includes(b.key));
      for (const { key, title, description, due, priority, after } of order) {
        const others = after.filter((other) => key !== parent || !subtasks.includes(other));
        const { text } = await call([
          'task_create',
          {
            title,
            description,
            dueDate: due,
            priority: capital(priority),
            ...(subtasks.includes(key) && { parentTaskId: id(parent) }),
            ...(others.length > 0 && { dependencies: others.map(id) }),
          },
        ]);
        numbers.set(key, /Task (TASK-[\d.]+)/.exec(text)[1]);
      }
    },
    morning: (call) => call(['task_list', { ready: true }]),
    async look(call) {
      for (const key of viewed) await call(['task_view', { id: id(key) }]);
    },
    async reschedule(call) {
      for (const { keys, due } of postponed) for (const key of keys) await call(edit(key, { dueDate: due }));
    },
    async work(call) {
      for (const key of done) {
        await call(edit(key, { status: 'In Progress' }));
        await call(edit(key, { status: 'Done', notesAppend: [notes[key]] }));
      }
    },
    async mistake(call) {
      await call(edit(mistake.key, { dueDate: mistake.due }));
      await call(edit(mistake.key, { dueDate: task[mistake.key].due }));
    },
    review: (call) => call(['task_list', {}]),
  },
  async endState(call) {
    const all = {};
    for (const { key, title } of plan) {
      const { text } = await call(['task_view', { id: id(key) }]);
      // "Depends on (2 direct, 3 total)", and the sub-tasks of the task.
      const count = (pattern) => Number(pattern.exec(text)?.[1] ?? 0);
      all[title] = {
        done: /Status: .*Done/.test(text),
        due: /Due: (\S+)/.exec(text)?.[1],
        text,
        waits: count(/Depends on \((\d+) direct/) + count(/Subtasks \((\d+)\)/),
      };
    }
    return all;
  },
};
