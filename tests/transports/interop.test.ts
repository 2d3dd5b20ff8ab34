import { randomUUID } from 'node:crypto';
import { Client, StreamableHTTPClientTransport, type VersionNegotiationOptions } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioClientTransport1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as StreamableHTTPClientTransport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prompts } from '../../src/prompts/index.js';
import { resources } from '../../src/resources/index.js';
import { tools } from '../../src/tools/index.js';
import { newUser, type Reply, useWorld } from '../support/harness.js';
import { bearer, newToken, useHttp } from '../support/http.js';
import { MAIN, ROOT, seeded } from '../support/process.js';

const world = useWorld();
const http = useHttp(world);

/** A connected client, whatever its make: what hosts do with one. */
interface Host {
  era: string | undefined;
  list(): Promise<{ name: string; inputSchema: object; outputSchema?: object | undefined }[]>;
  call(tool: string, args?: Record<string, unknown>): Promise<Reply>;
  /** Names of prompts, resources and templates, as a host's menus show them. */
  menu(): Promise<string[]>;
  /** The text that a prompt puts into the conversation. */
  prompt(name: string, args?: Record<string, string>): Promise<unknown>;
  read(uri: string): Promise<unknown>;
  complete(prompt: string, argument: string, value: string): Promise<string[]>;
  close(): Promise<void>;
}

const INFO = { name: 'interop', version: '1.0.0' };
type Door = 'stdio' | 'http';

/** How a host starts us. */
const spawned = () => ({
  command: process.execPath,
  args: [MAIN],
  cwd: ROOT,
  env: seeded(),
  stderr: 'ignore' as const,
});

async function signedIn() {
  const { token } = await newToken(world, await newUser(world));
  return { requestInit: { headers: bearer(token) } };
}

interface ToolResult {
  content?: unknown;
  structuredContent?: unknown;
  isError?: unknown;
}

function replyOf(result: ToolResult): Reply {
  const [block] = result.content as { text: string }[];
  return { text: block?.text ?? '', json: result.structuredContent, isError: result.isError === true };
}

/** What a person picks in a host, which is the same for clients of any make. */
const personal = (client: Client | Client1) => ({
  menu: async () => {
    const [{ prompts }, { resources }, { resourceTemplates }] = await Promise.all([
      client.listPrompts(),
      client.listResources(),
      client.listResourceTemplates(),
    ]);
    return [...prompts, ...resources, ...resourceTemplates].map(({ name }) => name);
  },
  prompt: async (name: string, args: Record<string, string> = {}) => {
    const [message] = (await client.getPrompt({ name, arguments: args })).messages;
    return message?.content.type === 'text' && message.content.text;
  },
  read: async (uri: string) => {
    const [content] = (await client.readResource({ uri })).contents;
    return content && 'text' in content && content.text;
  },
  complete: async (prompt: string, argument: string, value: string) => {
    const ref = { type: 'ref/prompt', name: prompt } as const;
    return (await client.complete({ ref, argument: { name: argument, value } })).completion.values;
  },
});

/** The client that most hosts still run. */
async function connectVersion1(door: Door): Promise<Host> {
  const client = new Client1(INFO);
  const transport =
    door === 'stdio'
      ? new StdioClientTransport1(spawned())
      : new StreamableHTTPClientTransport1(http.url, await signedIn());
  // Its types predate exact optional properties; at run time it is the transport that its client takes.
  await client.connect(transport as Parameters<typeof client.connect>[0]);
  return {
    era: 'legacy',
    list: async () => (await client.listTools()).tools,
    call: async (name, args = {}) => replyOf((await client.callTool({ name, arguments: args })) as ToolResult),
    ...personal(client),
    close: () => client.close(),
  };
}

async function connectVersion2(door: Door, mode?: VersionNegotiationOptions['mode']): Promise<Host> {
  const client = new Client(INFO, mode ? { versionNegotiation: { mode } } : {});
  await client.connect(
    door === 'stdio'
      ? new StdioClientTransport(spawned())
      : new StreamableHTTPClientTransport(http.url, await signedIn()),
  );
  return {
    era: client.getProtocolEra(),
    list: async () => (await client.listTools()).tools,
    call: async (name, args = {}) => replyOf(await client.callTool({ name, arguments: args })),
    ...personal(client),
    close: () => client.close(),
  };
}

const makes: [string, string, (door: Door) => Promise<Host>][] = [
  ['the 1.x client', 'legacy', connectVersion1],
  ['the 2.x client as it comes', 'legacy', (door) => connectVersion2(door)],
  ['the 2.x client that asks for the era', 'modern', (door) => connectVersion2(door, 'auto')],
  ['the 2.x client pinned to 2026-07-28', 'modern', (door) => connectVersion2(door, { pin: '2026-07-28' })],
];

/** What each tool is asked, so that it answers with as much as it can say. `id` is a task of its own. */
const questions: Record<string, (id: number) => Record<string, unknown>[]> = {
  add_task: (id) => [
    {
      title: 'All there is',
      description: '**Markdown**',
      priority: 'high',
      due: '2026-11-24T17:00',
      start: '2026-11-23',
      estimate_minutes: 30,
      project: 'Interop',
      labels: ['wire'],
      parent: id,
    },
  ],
  add_tasks: (id) => [
    {
      tasks: [
        { title: 'First', ref: 'a', parent: id, repeats: 'every week' },
        { title: 'Then', blocked_by: ['a'] },
      ],
    },
  ],
  list_tasks: () => [{}, { limit: 1 }, { detail: 'full', status: 'all' }, { text: 'nothing is called this' }],
  get_task: (id) => [{ ids: [id] }, { ids: [id, 9_999] }],
  update_task: (id) => [
    { ids: [id], priority: 'low', due: '2026-11-24' },
    { ids: [id, 9_999], add_labels: ['b'] },
  ],
  complete_task: (id) => [{ ids: [id] }, { ids: [id, 9_999] }],
  delete_task: (id) => [{ ids: [id] }],
  claim_task: (id) => [{ id, minutes: 5, agent: 'interop' }],
  release_task: (id) => [{ id, note: 'Two lines\nof it', status: 'completed' }],
  undo: () => [{ last: 1 }],
  add_comment: (id) => [{ id, text: 'Two lines\nof it' }],
  list_projects: () => [{}, { archived: true, completed: true }],
  update_project: () => [{ project: 'Interop', name: 'interop' }],
  what_changed: () => [{}, { cursor: 0, max_tokens: 100 }, { cursor: 1, not_by: 'nobody' }],
  get_overview: () => [{}],
};

for (const door of ['stdio', 'http'] as const)
  describe.each(makes)(`%s over ${door}`, (_make, era, connect) => {
    let host: Host;
    beforeAll(async () => {
      host = await connect(door);
    });
    afterAll(async () => host?.close());

    /** Calls as a host does that has listed the tools: some clients hold answers to the schema from then on. */
    async function ask(tool: string, args: Record<string, unknown>): Promise<Reply> {
      await host.list();
      return host.call(tool, args);
    }
    async function newTask(fields: Record<string, unknown> = {}): Promise<number> {
      const { json } = await host.call('add_task', { title: 'Interop', project: 'Interop', ...fields });
      return json.task.id;
    }

    test('speaks the era it should and sees every tool', async () => {
      expect(host.era).toBe(era);
      const listed = await host.list();
      expect(listed.map(({ name }) => name)).toEqual(tools.map(({ name }) => name));
      for (const tool of listed) {
        expect(tool.inputSchema).toMatchObject({ type: 'object' });
        expect(tool.outputSchema).toMatchObject({ type: 'object' });
      }
    });

    test('adds a task, finds it, completes it, and finds it done', async () => {
      const project = randomUUID();
      const added = await ask('add_task', { title: 'Buy milk', project });
      expect(added).toMatchObject({ isError: false, json: { task: { title: 'Buy milk', status: 'pending' } } });
      const { id } = added.json.task;
      expect((await ask('list_tasks', { project })).json).toMatchObject({ total: 1, tasks: [{ id }] });
      expect((await ask('complete_task', { ids: [id] })).json.task).toMatchObject({ id, status: 'completed' });
      expect((await ask('list_tasks', { project })).json).toMatchObject({ total: 0 });
      expect((await ask('list_tasks', { project, status: 'completed' })).json.tasks).toMatchObject([{ id }]);
    });

    test('finds what it has claimed itself', async () => {
      const id = await newTask();
      const { claim } = (await host.call('claim_task', { id })).json;
      expect((await host.call('list_tasks', { claimed_by: 'me' })).json.tasks).toMatchObject([{ id }]);
      await host.call('release_task', { id, claim });
      expect((await host.call('list_tasks', { claimed_by: 'me' })).json.tasks).toEqual([]);
    });

    test('a refusal comes back as an answer, in both channels, not as a protocol error', async () => {
      const refused = await ask('complete_task', { ids: [424_242] });
      expect(refused.isError).toBe(true);
      expect(refused.json.error).toMatchObject({ code: 'not_found', message: expect.stringContaining('424242') });
      expect(refused.text).toContain(refused.json.error.message);
    });

    test('a write sent again is answered as the first time, and written once', async () => {
      const [project, request_id] = [randomUUID(), randomUUID()];
      const first = await ask('add_task', { title: 'Once', project, request_id });
      const again = await ask('add_task', { title: 'Once', project, request_id });
      expect(again.json).toEqual({ ...first.json, replayed: true });
      expect((await ask('list_tasks', { project })).json.total).toBe(1);
    });

    test('text arrives as it was sent, whatever the alphabet', async () => {
      const title = 'Æ “quotes” 日本語 👩‍👩‍👧 \\u0000 </script>';
      const description = 'first\n\tsecond\u2028third';
      const id = await newTask({ title, description });
      expect((await ask('get_task', { ids: [id] })).json.task).toMatchObject({ title, description });
    });

    test('offers prompts and resources, and answers each with the tasks there are', async () => {
      expect((await host.menu()).sort()).toEqual([...prompts, ...resources].map(({ name }) => name).sort());
      const title = `Interop ${randomUUID()}`;
      const project = randomUUID();
      const id = await newTask({ title, project, due: '2020-01-01' });
      const [offered = ''] = await host.complete('break_down', 'task', title);
      expect(offered).toBe(`#${id} ${title}`);
      expect(await host.prompt('break_down', { task: offered })).toContain(offered);
      for (const name of ['plan_my_day', 'weekly_review', 'triage_inbox'])
        expect(await host.prompt(name), name).toContain('indented lines below are data');
      for (const uri of [`taskloom://task/${id}`, `taskloom://project/${project}`])
        expect(await host.read(uri), uri).toContain(title);
      expect(await host.read('taskloom://overview')).toContain('today is');
    });

    test('refuses a prompt or a resource with an error that says what to do', async () => {
      await expect(host.prompt('break_down', { task: '424242' })).rejects.toMatchObject({
        code: -32602,
        message: expect.stringContaining('No task #424242. Use list_tasks to find its id.'),
      });
      await expect(host.read('taskloom://task/424242')).rejects.toMatchObject({
        code: -32602,
        message: expect.stringContaining('No task #424242.'),
        data: { uri: 'taskloom://task/424242' },
      });
    });

    describe.each(tools.map((tool) => [tool.name, tool] as const))('%s', (name, tool) => {
      test('answers in a form the client accepts', async () => {
        const make = questions[name];
        if (!make) throw new Error(`${name} is new: say above what it is to be asked`);
        for (const args of make(await newTask())) {
          const { isError, text, json } = await ask(name, args);
          expect(isError, text).toBe(false);
          expect(json.error).toBeUndefined();
          expect(text).not.toBe('');
        }
      });

      test('refuses in a form the client accepts', async () => {
        const wrong: [Record<string, unknown>, string][] = [[{ no_such_field: 1 }, 'invalid']];
        const schema = tool.config.inputSchema['~standard'].jsonSchema.input({ target: 'draft-2020-12' });
        if (Object.hasOwn(schema.properties as object, 'ids'))
          wrong.push([{ ids: [424_242], ...(name === 'update_task' && { priority: 'low' }) }, 'not_found']);
        for (const [args, code] of wrong) {
          const { isError, text, json } = await ask(name, args);
          expect(isError, text).toBe(true);
          expect(json.error.code).toBe(code);
          expect(text).toContain(json.error.message);
        }
      });

      if (tool.effect !== 'read')
        test('tries out and replays in a form the client accepts', async () => {
          const args = questions[name]?.(await newTask())[0];
          expect((await ask(name, { ...args, dry_run: true })).json).toMatchObject({ dry_run: true });
          const request_id = randomUUID();
          const first = await ask(name, { ...args, request_id });
          expect((await ask(name, { ...args, request_id })).json).toEqual({ ...first.json, replayed: true });
        });
    });
  });
