import { readdirSync } from 'node:fs';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, test } from 'vitest';
import { prompts } from '../src/prompts/index.js';
import { resources } from '../src/resources/index.js';
import { tools } from '../src/tools/index.js';
import { newAgent, useWorld } from './support/harness.js';
import { completionReach, promptReach, reach, resourceReach } from './support/reach.js';

const world = useWorld();

const files = (folder: string, ending: string) =>
  readdirSync(new URL(folder, import.meta.url))
    .filter((file) => file.endsWith(ending) && !file.startsWith('index'))
    .map((file) => file.slice(0, -ending.length))
    .sort();
const names = tools.map((tool) => tool.name);
const published = async () => (await (await newAgent(world)).client.listTools()).tools;
/** What does more each time: the next task is claimed, the write before is undone, dates are shifted on. */
const MORE_EACH_TIME = ['claim_task', 'undo', 'update_task'];
const tokens = (value: unknown) => encode(JSON.stringify(value)).length;

describe('the catalogue', () => {
  test('has one file and one test for each tool, named alike', () => {
    const expected = names.map((name) => name.replaceAll('_', '-')).sort();
    expect(files('../src/tools/', '.ts')).toEqual(expected);
    expect(files('./tools/', '.test.ts')).toEqual(expected);
  });

  test('says for each tool how another user might try to reach a task with it', () => {
    expect(Object.keys(reach).sort()).toEqual([...names].sort());
  });

  test('is published as frozen: changing it is changing the public interface', async () => {
    expect(await published()).toMatchSnapshot();
  });

  test('has one file and one test for each prompt and resource, named alike', () => {
    const named = (all: readonly { name: string }[]) => all.map(({ name }) => name.replaceAll('_', '-')).sort();
    expect(files('../src/prompts/', '.ts')).toEqual(named(prompts));
    expect(files('./prompts/', '.test.ts')).toEqual(named(prompts));
    expect(files('../src/resources/', '.ts')).toEqual(named(resources));
    expect(files('./resources/', '.test.ts')).toEqual(named(resources));
  });

  test('says for each prompt, resource and completion how another user might try to reach a task with it', () => {
    const keys = (all: object) => Object.keys(all).sort();
    expect(keys(promptReach)).toEqual(prompts.map(({ name }) => name).sort());
    expect(keys(resourceReach)).toEqual(resources.map(({ name }) => name).sort());
    const completed = [
      ...prompts.flatMap(({ name, complete }) => keys(complete).map((argument) => `${name} ${argument}`)),
      ...resources.flatMap(({ uri, complete }) => keys(complete).map((variable) => `${uri} ${variable}`)),
    ];
    expect(keys(completionReach)).toEqual(completed.sort());
  });

  test('of prompts and resources is frozen too', async () => {
    const { client } = await newAgent(world);
    expect((await client.listPrompts()).prompts).toMatchSnapshot();
    expect((await client.listResources()).resources).toMatchSnapshot();
    expect((await client.listResourceTemplates()).resourceTemplates).toMatchSnapshot();
  });

  test('derives hints and scope from what a tool does', async () => {
    for (const { name, annotations } of await published()) {
      const effect = tools.find((tool) => tool.name === name)?.effect;
      expect(annotations, name).toEqual({
        readOnlyHint: effect === 'read',
        destructiveHint: effect === 'delete',
        idempotentHint: effect !== 'create' && !MORE_EACH_TIME.includes(name),
        openWorldHint: false,
      });
      expect(tools.find((tool) => tool.name === name)?.scope).toBe(effect === 'read' ? 'tasks:read' : 'tasks:write');
    }
  });

  test('every read takes max_tokens, every other tool request_id and dry_run', async () => {
    for (const { name, inputSchema } of await published()) {
      const fields = Object.keys(inputSchema.properties ?? {});
      const reads = tools.find((tool) => tool.name === name)?.effect === 'read';
      expect(fields.includes('request_id') && fields.includes('dry_run'), name).toBe(!reads);
      expect(fields.includes('max_tokens'), name).toBe(reads);
    }
  });

  test('publishes schemas that every host can read', async () => {
    for (const { name, inputSchema, outputSchema, title, description } of await published()) {
      expect(title && description, name).toBeTruthy();
      for (const schema of [inputSchema, outputSchema]) {
        expect(schema?.type, name).toBe('object');
        const text = JSON.stringify(schema);
        expect(text, name).not.toMatch(/"\$schema"|"\$ref"|"null"|"user_?id"/);
        expect(Object.keys(schema ?? {}), name).not.toEqual(
          expect.arrayContaining([expect.stringMatching(/^(oneOf|anyOf|allOf|not)$/)]),
        );
      }
      expect(outputSchema?.required ?? [], name).toEqual([]);
      expect(outputSchema?.additionalProperties ?? true, name).toBe(true);
    }
  });

  test('stays small: what a model reads of it before the first call', async () => {
    const list = await published();
    const input = list.map(({ name, description, inputSchema }) => tokens({ name, description, inputSchema }));
    const output = list.map(({ outputSchema }) => tokens(outputSchema));
    const sum = (counts: number[]) => counts.reduce((a, b) => a + b, 0);
    expect(sum(input)).toBeLessThanOrEqual(2800);
    expect(sum(input) + sum(output)).toBeLessThanOrEqual(4600);
    for (const count of output) expect(count).toBeLessThanOrEqual(100);
  });

  test('a listed task costs little more than its title', async () => {
    const ana = await newAgent(world);
    const title = 'Renew the passport';
    const count = 20;
    for (let i = 0; i < count; i++)
      await ana.ok('add_task', { title, due: '2026-11-24', priority: 'high', project: 'Home', labels: ['errand'] });
    const reply = await ana.call('list_tasks');
    const [head, ...lines] = reply.text.split('\n');
    const own = encode(title).length;
    expect(lines).toHaveLength(count);
    expect((encode(reply.text).length - encode(`${head}\n`).length) / count).toBeLessThanOrEqual(own + 18);
    expect(tokens(reply.json) / count).toBeLessThanOrEqual(own + 32);
  });
});
