import { writeFileSync } from 'node:fs';
import { environment, floorArgs } from '../lib/taskloom.mjs';

const file = (home) => `${home}/answer.json`;
const call = () => ['get_task', { ids: ['1'] }];

/** A do-nothing server with Taskloom's tools, which answers every call with the same list of tasks. */
export default {
  name: 'do-nothing server',
  server: (home) => ({ args: floorArgs('2', 'stdio', file(home)), env: environment(), cwd: home }),
  seed(home, tasks, _folder, size) {
    const listed = tasks.slice(0, size).map(({ title }, index) => ({ id: index + 1, title }));
    const text = listed.map(({ id, title }) => `#${id} ${title}`).join('\n');
    writeFileSync(
      file(home),
      JSON.stringify({ content: [{ type: 'text', text }], structuredContent: { tasks: listed } }),
    );
  },
  add: call,
  get: call,
  list: call,
};
