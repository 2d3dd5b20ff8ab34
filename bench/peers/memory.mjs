import { writeFileSync } from 'node:fs';
import { program } from './install.mjs';
import { done, mistake, notes, plan, postponed, task, today, viewed } from './plan.mjs';

const package_ = '@modelcontextprotocol/server-memory';
const file = (home) => `${home}/memory.jsonl`;
const entity = (title, ...observations) => ({ name: title, entityType: 'task', observations });
const titles = (keys) => keys.map((key) => task[key].title);
/** Replaces observations by others. */
async function replace(call, changes) {
  await call([
    'delete_observations',
    { deletions: changes.map(([entityName, old]) => ({ entityName, observations: [old] })) },
  ]);
  await call([
    'add_observations',
    { observations: changes.map(([entityName, , ...contents]) => ({ entityName, contents })) },
  ]);
}

export default {
  name: 'server-memory',
  package: package_,
  lists: 'search_nodes for the 25 in progress (no pages; read_graph returns everything)',
  server: (home, folder) => ({
    args: [program(folder, package_, 'mcp-server-memory')],
    env: { MEMORY_FILE_PATH: file(home) },
    cwd: home,
  }),
  seed(home, tasks) {
    const lines = tasks.map(({ title, description, due, started }) => ({
      type: 'entity',
      ...entity(title, description, `due ${due}`, started ? 'in progress' : 'open'),
    }));
    writeFileSync(file(home), lines.map((line) => JSON.stringify(line)).join('\n'));
  },
  add: ({ title, description, due }) => [
    'create_entities',
    { entities: [entity(title, description, `due ${due}`, 'open')] },
  ],
  get: (_, title) => ['open_nodes', { names: [title] }],
  list: () => ['search_nodes', { query: 'in progress' }],
  all: async (call) => (await call(['read_graph', {}])).text,

  day: {
    async plan(call) {
      await call([
        'create_entities',
        {
          entities: plan.map(({ title, description, due, priority }) =>
            entity(title, description, `due ${due}`, `priority ${priority}`),
          ),
        },
      ]);
      await call([
        'create_relations',
        {
          relations: plan.flatMap(({ title, after }) =>
            after.map((other) => ({ from: title, to: task[other].title, relationType: 'depends on' })),
          ),
        },
      ]);
    },
    morning: (call) => call(['search_nodes', { query: `due ${today}` }]),
    look: (call) => call(['open_nodes', { names: titles(viewed) }]),
    reschedule: (call) =>
      replace(
        call,
        postponed.flatMap(({ keys, due }) =>
          keys.map((key) => [task[key].title, `due ${task[key].due}`, `due ${due}`]),
        ),
      ),
    async work(call) {
      const observations = titles(done).map((entityName) => ({ entityName, contents: ['in progress'] }));
      await call(['add_observations', { observations }]);
      await replace(
        call,
        done.map((key) => [task[key].title, 'in progress', `done ${today}`, notes[key]]),
      );
    },
    async mistake(call) {
      const { title, due } = task[mistake.key];
      await replace(call, [[title, `due ${due}`, `due ${mistake.due}`]]);
      await replace(call, [[title, `due ${mistake.due}`, `due ${due}`]]);
    },
    review: (call) => call(['read_graph', {}]),
  },
  async endState(call) {
    const graph = JSON.parse((await call(['read_graph', {}])).text);
    return Object.fromEntries(
      graph.entities.map(({ name, observations }) => [
        name,
        {
          done: observations.includes(`done ${today}`),
          due: observations.find((line) => line.startsWith('due '))?.slice(4),
          text: observations.join('\n'),
          waits: graph.relations.filter(({ from }) => from === name).length,
        },
      ]),
    );
  },
};
