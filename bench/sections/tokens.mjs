import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { stdioClient1 } from '../lib/clients.mjs';
import { afterwards } from '../lib/harness.mjs';
import { environment, MAIN, seed } from '../lib/taskloom.mjs';

export const title = 'What it costs a model to read';
export const about =
  'Tokens by the o200k_base vocabulary. Hosts put names, descriptions and input schemas of all tools before every conversation, some also the output schemas. Every answer comes twice, as text and as JSON, of which a host shows a model one.';

const tokens = (value) => encode(typeof value === 'string' ? value : JSON.stringify(value)).length;
const bytes = (value) => Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value));

export async function run() {
  const start = async () => {
    const opened = await stdioClient1([MAIN], environment({ TASKLOOM_DATABASE_URL: 'memory://' }));
    afterwards(opened.close);
    return opened;
  };
  const listed = await start();
  const { tools } = await listed.client.listTools();
  const row = ({ name, title, description, annotations, inputSchema, outputSchema }) => ({
    name,
    input: tokens({ name, description, inputSchema }),
    output: tokens(outputSchema),
    bytes: bytes({ name, title, description, annotations, inputSchema, outputSchema }),
  });
  const rows = tools.map(row);
  const sum = (key) => rows.reduce((total, each) => total + each[key], 0);

  const taskTitle = 'Renew the passport';
  for (let i = 0; i < 20; i++)
    await listed.call('add_task', {
      title: taskTitle,
      due: '2027-03-24',
      priority: 'high',
      project: 'Home',
      labels: ['errand'],
    });
  const list = await listed.call('list_tasks');
  const [head, ...lines] = list.content[0].text.split('\n');
  const beyond = {
    text: (tokens(lines.join('\n')) + 1) / 20 - tokens(taskTitle),
    json: tokens(list.structuredContent) / 20 - tokens(taskTitle),
  };

  const client = await start();
  await seed(client, 200);
  const answers = [];
  const typical = [
    ['add_task', { title: 'Renew the passport', due: '2027-03-24', priority: 'high', project: 'Home' }],
    [
      'add_tasks',
      { tasks: Array.from({ length: 10 }, (_, i) => ({ title: `Step ${i} of the plan`, project: 'Home' })) },
    ],
    ['list_tasks', {}],
    ['list_tasks', { text: 'passport', status: 'all' }],
    ['get_task', { ids: ['12'] }],
    ['get_task', { ids: ['12', '13', '14'] }],
    ['update_task', { ids: ['12'], title: 'Renew both passports', priority: 'urgent' }],
    ['add_comment', { id: 12, text: 'The form is filled in; it lacks a photograph.' }],
    ['claim_task', { id: 12 }],
    ['complete_task', { ids: ['13'] }],
    ['delete_task', { ids: ['14'] }],
    ['undo', { last: 1 }],
    ['list_projects', {}],
    ['update_project', { project: 'Home', name: 'House' }],
    ['what_changed', {}],
    ['get_overview', {}],
  ];
  const tell = (name, args, { content, structuredContent }) => [
    name,
    JSON.stringify(args)
      .slice(0, 60)
      .replace(/(?<=.{60})$/, '…'),
    bytes(content[0].text),
    tokens(content[0].text),
    bytes(structuredContent),
    tokens(structuredContent),
  ];
  let claim;
  for (const [name, args] of typical) {
    const answer = await client.call(name, args);
    claim ??= answer.structuredContent.claim;
    answers.push(tell(name, args, answer));
  }
  const released = { id: 12, claim, note: 'The photograph is on its way.' };
  answers.push(tell('release_task', released, await client.call('release_task', released)));

  return {
    tables: [
      {
        title: 'Answers, of 200 tasks',
        columns: ['tool', 'arguments', 'text, bytes', 'text, tokens', 'JSON, bytes', 'JSON, tokens'],
        rows: answers,
      },
      {
        title: 'Tools as they are listed',
        columns: ['tool', 'tokens: name, description, input schema', 'tokens: output schema', 'bytes of all'],
        rows: [
          ...rows.map(({ name, input, output, bytes }) => [name, input, output, bytes]),
          ['all', sum('input'), sum('output'), sum('bytes')],
        ],
      },
      {
        title: 'A list of 20 tasks with date, priority, project and label',
        columns: ['what', 'tokens'],
        rows: [
          ['a task beyond its title, text', beyond.text.toFixed(1)],
          ['a task beyond its title, JSON', beyond.json.toFixed(1)],
          ['the first line of the text', tokens(`${head}\n`)],
        ],
      },
    ],
    checks: [
      { what: 'tokens: names, descriptions, input schemas of all tools', value: sum('input'), limit: 3000 },
      { what: 'tokens: with output schemas', value: sum('input') + sum('output'), limit: 5000 },
      { what: 'tokens: a listed task beyond its title, text', value: beyond.text, limit: 18 },
    ],
  };
}
