// Shows what an agent calls and what it gets back: a short session of a real client and server, on an in-memory database.
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const bold = (text) => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[22m` : text);

/** Returns the date so many days from now, as YYYY-MM-DD. */
const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

const session = [
  ['add_task', { title: 'Buy milk', due: inDays(2), priority: 'high', project: 'Home', labels: ['errand'] }],
  ['add_task', { title: 'Book the dentist', due: inDays(9) }],
  ['list_tasks', { sort: 'due' }],
  ['complete_task', { id: 1 }],
  ['list_tasks', {}],
  ['get_task', { id: 7 }],
];

const client = new Client({ name: 'try', version: '1.0.0' });
await client.connect(
  new StdioClientTransport({
    command: process.execPath,
    args: [fileURLToPath(new URL('../dist/main.js', import.meta.url))],
    env: { ...process.env, TASKLOOM_DATABASE_URL: 'memory://', TASKLOOM_USER: 'local', TASKLOOM_LOG_LEVEL: 'error' },
  }),
);
try {
  const { tools } = await client.listTools();
  console.log(`Tools that an agent sees: ${tools.map((tool) => tool.name).join(', ')}\n`);
  for (const [name, args] of session) {
    console.log(bold(`> ${name} ${JSON.stringify(args)}`));
    const { content } = await client.callTool({ name, arguments: args });
    console.log(`${content.map((block) => block.text).join('\n')}\n`);
  }
  console.log('Nothing was saved: the database was in memory. To keep tasks, see the README.');
} finally {
  await client.close();
}
