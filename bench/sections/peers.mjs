// Compares Taskloom with other task servers: same client, same tasks, same run.
import { setTimeout } from 'node:timers/promises';
import floor from '../peers/floor.mjs';
import { newHome, p50, removeHomes, shown, start, sum, time, tokens } from '../peers/host.mjs';
import { ours, servers } from '../peers/index.mjs';
import { versions } from '../peers/install.mjs';
import { today } from '../peers/plan.mjs';

export const title = 'Comparison with other task servers';
export const about =
  'Times to add, get and list tasks by number of tasks, token costs of lists, cold start, and adds from two processes ' +
  'at once, over stdio with the 1.x client. The servers take turns: in each, a server adds a task, and answers calls of get ' +
  'for a second and of list for a second, one after another. Lists use the call of each server that comes closest to a page ' +
  'of 25 tasks. The do-nothing server runs on SDK 2, publishes Taskloom’s tools, and answers every call with a list of 25 ' +
  'titles: about the least time that a list takes on this SDK.';

const group = 25;
const operations = ['add', 'get', 'list'];
// How long a server answers calls of one operation in a turn, in milliseconds; it adds one task.
const turnTime = { add: 0, get: 1_000, list: 1_000 };
const minSpeedup = 10;
const adds = 400;
// Lets servers finish their background work after ten thousand tasks were added, in milliseconds.
const settleTime = 8_000;

const make = (count, started = group) =>
  Array.from({ length: count }, (_, i) => ({
    title: `Prepare step ${i + 1}`,
    description: 'What it is about, in one sentence of some length.',
    due: today,
    started: i < started,
  }));

async function ready(server, tasks, size = group) {
  const home = newHome();
  await server.seed(home, tasks, server.folder, size);
  return { home, spec: server.server(home, server.folder) };
}

/**
 * Returns the p50 of each operation of each server, over all calls (`get`) and over the first of each turn (`getFirst`).
 * The first turn warms up.
 */
async function speeds(all, count, turns, log) {
  const running = [];
  try {
    for (const server of all) {
      log(`${server.name} with ${count} tasks`);
      const { home, spec } = await ready(server, make(count));
      const { call, close } = await start(spec);
      running.push({ server, home, call, close, taken: { add: [], get: [], list: [] } });
    }
    await setTimeout(settleTime);
    for (let turn = -1; turn < turns; turn++) {
      log(`turn ${turn + 1} of ${turns}`);
      for (const { server, home, call, taken } of running) {
        let number = 0;
        const requests = {
          add: () => server.add({ title: `Added ${turn + 1}`, description: 'A new one.', due: today }, home),
          get: () => server.get(number, `Prepare step ${number}`, home),
          list: () => server.list(group, home),
        };
        for (const operation of operations) {
          const times = [];
          do {
            number = 1 + (((turn + 1) * 37 + times.length * 11) % count);
            const request = requests[operation]();
            let answer;
            times.push(
              await time(async () => {
                answer = await call(request);
              }),
            );
            if (turn < 0 && times.length === 1) assertAnswer(server, operation, answer.text, number);
          } while (sum(times) < turnTime[operation]);
          if (turn >= 0) taken[operation].push(times);
        }
      }
    }
    return running.map(({ server, taken }) => ({
      name: server.name,
      ...Object.fromEntries(
        operations.flatMap((operation) => [
          [operation, p50(taken[operation].flat())],
          [`${operation}First`, p50(taken[operation].map(([first]) => first))],
        ]),
      ),
    }));
  } finally {
    await Promise.all(running.map(({ close }) => close()));
    for (const { server, home } of running) server.stop?.(home);
    removeHomes();
  }
}

/** Checks that a server did what it was asked: a fast refusal must not count as a fast answer. */
function assertAnswer({ name }, operation, text, number) {
  const listed = new Set(text.match(/(Prepare step|Added) \d+/g)).size;
  const holds = {
    add: () => text !== '' && !/error|not found/i.test(text),
    get: () => text.includes(`Prepare step ${number}`),
    list: () => listed === group,
  };
  if (!holds[operation]()) throw new Error(`${name}, ${operation}: ${listed} listed, ${text.slice(0, 300)}`);
}

/** Returns a table row with the tokens of a list of 50 tasks, and of the list of tools. */
async function sizes(server) {
  const { home, spec } = await ready(server, make(50, 50), 50);
  const { call, close, tools } = await start(spec);
  try {
    const list = await call(server.list(50, home));
    const offered = (await tools()).map(shown);
    const json = list.data ? tokens(list.data) : '–';
    return [server.name, tokens(list.text), json, offered.length, sum(offered.map((tool) => tokens(tool)))];
  } finally {
    await close();
    server.stop?.(home);
  }
}

async function starts(all, rounds, log) {
  log('cold starts');
  const taken = new Map(all.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const server of all) {
      const { spec } = await ready(server, server === all[0] ? [] : make(1));
      let running;
      taken.get(server.name).push(
        await time(async () => {
          running = await start(spec);
          await running.tools();
        }),
      );
      await running.close();
    }
  return [...taken].map(([name, values]) => [name, p50(values)]);
}

/** Adds from two processes to one directory at once. Returns a table row: adds sent, acknowledged, and found afterwards. */
async function race(server, log) {
  log(`${server.name}: two processes add at once`);
  const { home, spec } = await ready(server, make(1));
  const two = [await start(spec), await start(spec)];
  let acknowledged = 0;
  await Promise.all(
    two.map(async ({ call }, who) => {
      for (let i = 0; i < adds / 2; i++) {
        const name = `Raced ${who}x${i}x`;
        const asked = server.add({ title: name, description: 'One of many.', due: today, alone: true }, home);
        // Some servers report a failure as a success, without the task.
        await call(asked).then(
          ({ text }) => {
            if (text.includes(name) || text.includes('Successfully added')) acknowledged++;
          },
          () => {},
        );
      }
    }),
  );
  await Promise.all(two.map(({ close }) => close()));
  let kept = 0;
  const after = await start(spec);
  try {
    kept = new Set((await server.all(after.call, home)).match(/Raced \dx\d+x/g)).size;
  } catch {
    // The server can no longer read the file that both processes wrote.
  }
  await after.close();
  server.stop?.(home);
  return [server.name, adds, acknowledged, kept];
}

export async function run({ quick, log }) {
  const [all, size, unable] = [[], [], []];
  for (const server of await servers(log))
    try {
      size.push(await sizes(server));
      all.push(server);
    } catch (error) {
      if (server.name === ours.name) throw error;
      unable.push(`${server.name}: ${error.message.slice(0, 200)}`);
      log(`excluded: ${unable.at(-1)}`);
    }
  const counts = [100, 1_000, 10_000];
  const bySize = new Map();
  try {
    for (const count of counts) bySize.set(count, await speeds([...all, floor], count, quick ? 2 : 10, log));
    const cold = await starts(all, quick ? 3 : 7, log);
    const raced = [];
    for (const server of all) raced.push(await race(server, log));

    const largest = counts.at(-1);
    const [mine, ...others] = bySize.get(largest);
    const minimum = others.pop();
    const fastest = (operation) => others.sort((a, b) => a[operation] - b[operation])[0];
    const headroom = (operation) =>
      others.length > 0
        ? `At ${largest} tasks, the fastest peer takes ${round(fastest(operation)[operation] / minimum[operation])} times as long as the do-nothing server.`
        : '';
    const calls = `Calls: ${all.map(({ name, lists }) => `${name}: ${lists}`).join('; ')}.`;
    const measured = bySize.get(largest).map(({ name }) => name);
    const round = (ms) => Number(ms.toPrecision(3));
    return {
      tables: [
        ...operations.map((operation) => ({
          title: `${operation}, p50 in ms`,
          columns: ['server', ...counts.map((count) => `${count} tasks`)],
          rows: measured.map((name, i) => [name, ...counts.map((count) => round(bySize.get(count)[i][operation]))]),
          note: [headroom(operation), ...(operation === 'list' ? [calls] : [])].join(' ').trim(),
        })),
        {
          title: `The first call of each turn at ${largest} tasks, p50 in ms`,
          columns: ['server', 'get', 'list'],
          rows: bySize.get(largest).map(({ name, getFirst, listFirst }) => [name, round(getFirst), round(listFirst)]),
          note: 'A get comes soon after the turns of the other servers, whose data the processor’s caches hold; a list after a second of get.',
        },
        {
          title: 'Tokens (o200k)',
          columns: ['server', 'list of 50, text', 'list of 50, JSON', 'tools', 'tokens of the list of tools'],
          rows: size,
          note: 'For tools: names, descriptions and input schemas.',
        },
        {
          title: 'Cold start to tools/list, p50 in ms',
          columns: ['server', 'ms'],
          rows: cold.map(([n, ms]) => [n, round(ms)]),
        },
        {
          title: 'Adds from two processes on one directory',
          columns: ['server', 'sent', 'acknowledged', 'found afterwards'],
          rows: raced,
          note: 'Each process sends half of the adds, one after another. Where none is found, the file has become unreadable.',
        },
        {
          title: 'Servers compared',
          columns: ['server', 'package', 'version'],
          rows: all.map(({ name, package: of }) => [name, of ?? 'this repository', versions[of] ?? '–']),
          ...(unable.length > 0 && { note: `Excluded: ${unable.join('; ')}` }),
        },
      ],
      charts: ['get', 'list', 'add'].map((operation) => ({
        name: `peers-${operation}`,
        title: `${operation}, p50 by number of tasks`,
        unit: 'ms',
        kind: 'lines',
        log: true,
        x: counts,
        series: measured.map((name, i) => ({
          name,
          values: counts.map((count) => round(bySize.get(count)[i][operation])),
        })),
      })),
      checks: [
        ...(others.length > 0 ? ['list', 'get'] : []).map((operation) => {
          const best = fastest(operation);
          return {
            what: `${operation} at ${largest} tasks: the fastest peer (${best.name}) ÷ ${ours.name}`,
            value: round(best[operation] / mine[operation]),
            limit: minSpeedup,
            atLeast: true,
          };
        }),
        {
          what: 'acknowledged adds of two processes that Taskloom lost',
          value: raced[0][2] - raced[0][3],
          limit: 0,
        },
      ],
    };
  } finally {
    removeHomes();
  }
}
