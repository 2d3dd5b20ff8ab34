// Token costs of an agent’s working day: the list of tools, what the model writes, and the answers that it reads.
import { newHome, removeHomes, shown, start, sum, tokens } from '../peers/host.mjs';
import { ours, servers } from '../peers/index.mjs';
import { checkDay } from '../peers/plan.mjs';

export const title = 'A working day';
export const about =
  'The same day on each server, with the calls of an expert user: plan 20 tasks, see what is due, look at three, ' +
  'postpone four, start and finish six with a note each, correct a mistake, review. At the end, the data that each ' +
  'server holds and its answers are checked.';

const steps = ['plan', 'morning', 'look', 'reschedule', 'work', 'mistake', 'review'];
const limit = 0.4;

/** Runs the day on one server. Counts, for each step, the calls and the tokens written, read as text and read as JSON. */
async function runDay(server) {
  const home = newHome();
  if (server.package) await server.seed(home, [], server.folder);
  const running = await start(server.server(home, server.folder, true));
  try {
    const tools = (await running.tools()).map(shown);
    const spent = {};
    const answers = {};
    for (const step of steps) {
      spent[step] = { calls: 0, written: 0, text: 0, json: 0 };
      answers[step] = '';
      const call = async ([name, given]) => {
        const answer = await running.call([name, given]);
        const at = spent[step];
        at.calls++;
        at.written += tokens(name) + tokens(given);
        at.text += tokens(answer.text);
        at.json += answer.data ? tokens(answer.data) : tokens(answer.text);
        answers[step] += answer.text;
        return answer;
      };
      await server.day[step](call, home);
    }
    checkDay(await server.endState(running.call, home), answers);
    return { name: server.name, list: sum(tools.map(tokens)), tools: tools.length, spent };
  } finally {
    await running.close();
    server.stop?.(home);
  }
}

export async function run({ log }) {
  const days = [];
  const unable = [];
  try {
    for (const server of await servers(log)) {
      log(`a day with ${server.name}`);
      try {
        days.push(await runDay(server));
      } catch (error) {
        if (server.name === ours.name) throw error;
        unable.push(`${server.name}: ${error.message.slice(0, 300)}`);
      }
    }
  } finally {
    removeHomes();
  }
  for (const line of unable) log(line);

  // A host may show text or JSON: Taskloom is judged by the costlier one, peers by the cheaper one.
  const read = (day, { text, json }) => (day.name === ours.name ? Math.max(text, json) : Math.min(text, json));
  const step = (day, name) => day.spent[name].written + read(day, day.spent[name]);
  const total = (day) => day.list + sum(steps.map((name) => step(day, name)));
  const all = (day, pick) => sum(steps.map((name) => day.spent[name][pick]));
  const [mine, ...peers] = days;
  const best = peers.sort((a, b) => total(a) - total(b))[0];
  const tables = [
    {
      title: 'Tokens per day (o200k)',
      columns: ['server', 'list of tools', ...steps, 'all', 'Taskloom ÷ server'],
      rows: days.map((day) => [
        day.name,
        day.list,
        ...steps.map((name) => step(day, name)),
        total(day),
        (total(mine) / total(day)).toFixed(2),
      ]),
      note:
        'The list of tools counts once. An answer counts as text or as JSON, whichever costs more for Taskloom and ' +
        `whichever costs less for the others.${unable.length > 0 ? ` Could not complete the day: ${unable.join('; ')}` : ''}`,
    },
    {
      title: 'Calls per day',
      columns: ['server', 'tools', ...steps, 'all'],
      rows: days.map((day) => [day.name, day.tools, ...steps.map((name) => day.spent[name].calls), all(day, 'calls')]),
    },
    {
      title: 'Tokens per day without the list of tools: written by the model, and read as text or as JSON',
      columns: ['server', 'written', 'read as text', 'read as JSON'],
      rows: days.map((day) => [day.name, all(day, 'written'), all(day, 'text'), all(day, 'json')]),
      note: 'For a server without structured answers, both numbers are the same.',
    },
    {
      title: 'Taskloom’s tokens by step',
      columns: ['step', 'calls', 'written', 'read as text', 'read as JSON'],
      rows: steps.map((name) => {
        const { calls, written, text, json } = mine.spent[name];
        return [name, calls, written, text, json];
      }),
    },
  ];
  return {
    tables,
    charts: [
      {
        name: 'day',
        title: 'Tokens of a working day',
        unit: 'tokens',
        kind: 'bars',
        x: days.map(({ name }) => name),
        series: [
          { name: 'list of tools', values: days.map(({ list }) => list) },
          { name: 'written', values: days.map((day) => all(day, 'written')) },
          { name: 'read', values: days.map((day) => sum(steps.map((name) => read(day, day.spent[name])))) },
        ],
      },
    ],
    checks: best
      ? [
          {
            what: `tokens per day: Taskloom ÷ the best peer (${best.name})`,
            value: Number((total(mine) / total(best)).toFixed(2)),
            limit,
          },
        ]
      : [],
  };
}
