import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { stdioClient1 } from '../lib/clients.mjs';
import { onCleanup } from '../lib/harness.mjs';
import { environment, MAIN, seed } from '../lib/taskloom.mjs';

export const title = 'Token costs';
export const about =
  'Tokens in the o200k_base encoding. Hosts put the names, descriptions and input schemas of all tools into every conversation; some also add the output schemas. Every answer is sent twice, as text and as JSON; a host shows the model one of them.';

const tokens = (value) => encode(typeof value === 'string' ? value : JSON.stringify(value)).length;
const bytes = (value) => Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value));

export async function run() {
  const start = async () => {
    const opened = await stdioClient1([MAIN], environment({ TASKLOOM_DATABASE_URL: 'memory://' }));
    onCleanup(opened.close);
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
  const perTask = {
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
  const answerRow = (name, args, { content, structuredContent }) => [
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
    answers.push(answerRow(name, args, answer));
  }
  const released = { id: 12, claim, note: 'The photograph is on its way.' };
  answers.push(answerRow('release_task', released, await client.call('release_task', released)));

  return {
    tables: [
      {
        title: 'Answers, with 200 tasks',
        columns: ['tool', 'arguments', 'text, bytes', 'text, tokens', 'JSON, bytes', 'JSON, tokens'],
        rows: answers,
      },
      {
        title: 'List of tools',
        columns: ['tool', 'tokens: name, description, input schema', 'tokens: output schema', 'bytes in total'],
        rows: [
          ...rows.map(({ name, input, output, bytes }) => [name, input, output, bytes]),
          ['all', sum('input'), sum('output'), sum('bytes')],
        ],
      },
      {
        title: 'A list of 20 tasks with due date, priority, project and label',
        columns: ['what', 'tokens'],
        rows: [
          ['each task without its title, text', perTask.text.toFixed(1)],
          ['each task without its title, JSON', perTask.json.toFixed(1)],
          ['the first line of the text', tokens(`${head}\n`)],
        ],
      },
    ],
    checks: [
      { what: 'tokens: names, descriptions, input schemas of all tools', value: sum('input'), limit: 3000 },
      { what: 'tokens: with output schemas', value: sum('input') + sum('output'), limit: 5000 },
      { what: 'tokens: a listed task without its title, text', value: perTask.text, limit: 18 },
    ],
  };
}
