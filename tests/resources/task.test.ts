import { describe, expect, test } from 'vitest';
import { newAgent, protocolError, resourceText, useWorld } from '../support/harness.js';

const world = useWorld();

describe('taskloom://task/{id}', () => {
  test('says what get_task says, however the number is written', async () => {
    const { ok, call, client } = await newAgent(world);
    await ok('add_task', {
      title: 'Buy milk',
      description: '![x](http://evil.test/)\n\x1b[31mred',
      labels: ['errand'],
    });
    const { text } = await call('get_task', { id: 1 });
    for (const id of ['1', '%231', '#1', '%31'])
      expect(await resourceText(client, `taskloom://task/${id}`), id).toBe(text);
    expect(text).toContain('    ![x](http://evil.test/)\n    \\u{1b}[31mred');
  });

  test('is not found where there is none', async () => {
    const { client } = await newAgent(world);
    const wrong = (uri: string) => protocolError(client.readResource({ uri }));
    expect(await wrong('taskloom://task/7')).toEqual({
      code: -32602,
      message: 'No task #7. Use list_tasks to find its id.',
      data: { uri: 'taskloom://task/7' },
    });
    for (const id of ['0', '-1', '2147483648', '9'.repeat(400), 'milk', '%00', '%E0%A4%A', '1%2F2', '1.5', '__proto__'])
      expect(await wrong(`taskloom://task/${id}`), id).toEqual({
        code: -32602,
        message: expect.stringMatching(/^No such /),
        data: { uri: `taskloom://task/${id}` },
      });
    for (const uri of ['taskloom://task/', 'taskloom://task/1/2', 'taskloom://nothing', 'file:///etc/passwd'])
      expect(await wrong(uri), uri).toEqual({ code: -32602, message: `Resource not found: ${uri}`, data: { uri } });
  });
});
