import { describe, expect, test } from 'vitest';
import { connect, type Environment, environment, INITIALIZE, Peer, run, seeded, start } from '../support/process.js';

const BOM = '\uFEFF';
const line = (message: object) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;
const shake = (protocolVersion = INITIALIZE.protocolVersion) =>
  line({ id: 1, method: 'initialize', params: { ...INITIALIZE, protocolVersion } });
const list = (id: unknown) => line({ id, method: 'tools/list' });

/** What a process answers to its input, apart from the handshake under id 1, and what it logs. */
async function answersTo(input: string | Buffer, env: Environment = environment()) {
  const { code, stdout, stderr } = await run([], env, input);
  expect(code, stderr).toBe(0);
  const messages = stdout
    .split('\n')
    .slice(0, -1)
    .map((text) => JSON.parse(text));
  return { answers: messages.filter(({ id }) => id !== 1), stderr };
}

const error = (code: number, id: unknown, message: RegExp) => ({
  jsonrpc: '2.0',
  id,
  error: { code, message: expect.stringMatching(message) },
});
const PARSE_ERROR = error(-32700, null, /^Parse error: [^\n]+$/);
const invalidRequest = (id: unknown) => error(-32600, id, /^Invalid Request: [^\n]+$/);

describe('a message', () => {
  test('is read after a byte order mark, and before CR LF; empty lines are passed over', async () => {
    const { answers, stderr } = await answersTo(`${BOM}${shake()}\r\n \n\n${BOM}${list(2).trimEnd()}\r\n\n`);
    expect(answers).toMatchObject([{ id: 2, result: {} }]);
    expect(stderr).toBe('');
  });

  test('is answered if the input ends before its line', async () => {
    const { answers } = await answersTo(shake() + list(2).trimEnd());
    expect(answers).toMatchObject([{ id: 2, result: {} }]);
  });

  test('that comes in pieces is put together again', async () => {
    const peer = new Peer(start([], environment()));
    for (const byte of Buffer.from(line({ id: 'größe', method: 'initialize', params: INITIALIZE }))) {
      peer.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await peer.until((messages) => messages.length > 0)).toMatchObject([{ id: 'größe', result: {} }]);
    await peer.close();
  });

  test('that gets longer than one may be, on its way to the owner, reaches the tool', async () => {
    const peer = await connect(seeded());
    const title = Array(500_000).fill('1e20'); // each is written again as 100000000000000000000
    peer.write(
      `{"jsonrpc":"2.0","id":"long","method":"tools/call","params":{"name":"add_task","arguments":{"title":[${title}]}}}\n`,
    );
    const [, answer] = await peer.until((messages) => messages.length === 2);
    expect(answer.result.structuredContent.error).toMatchObject({ code: 'invalid' });
    await peer.close();
  });
});

describe('a line that is no message', () => {
  test.each([
    ['text', 'Hello'],
    ['half a message', list(7).slice(0, 20)],
    ['a message in UTF-16', Buffer.from(list(7).trimEnd(), 'utf16le')],
  ])('but %s is answered as no JSON, also if the input ends with it', async (_, text) => {
    const bytes = Buffer.from(text);
    const { answers } = await answersTo(Buffer.concat([Buffer.from(shake()), bytes, Buffer.from('\n'), bytes]));
    expect(answers).toEqual([PARSE_ERROR, PARSE_ERROR]);
  });

  test.each([
    ['has an id that can be read is answered under it', 7, 'a'],
    ['has none is answered without', null, null],
  ])('but JSON that %s', async (_, id, other) => {
    const lines = id
      ? [
          '{"id":7,"method":"tools/list"}',
          '{"jsonrpc":"1.0","id":7,"method":"tools/list"}',
          '{"jsonrpc":"2.0","id":7,"method":"tools/list","params":null}',
          '{"jsonrpc":"2.0","id":7,"method":"tools/list","params":[]}',
          '{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":1}}',
          '{"jsonrpc":"2.0","id":7,"method":"tools/list","more":1}',
          '{"jsonrpc":"2.0","id":7,"method":"tools/list","result":{}}',
          '{"jsonrpc":"2.0","id":7,"method":7}',
          '{"jsonrpc":"2.0","id":7}',
          '{"id":"a","method":"tools/list"}',
        ]
      : [
          '{"jsonrpc":"2.0","id":7.5,"method":"tools/list"}',
          '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/list"}',
          '{"jsonrpc":"2.0","id":null,"method":"tools/list"}',
          '{"jsonrpc":"2.0","id":{},"method":"tools/list"}',
          '{"jsonrpc":"2.0","method":"notifications/initialized","params":[]}',
          '{}',
          '7',
          '"text"',
          'null',
          '{"jsonrpc":"2.0","method":7}',
        ];
    const { answers } = await answersTo(`${shake()}${lines.join('\n')}\n${list(2)}`);
    expect(answers).toEqual([
      ...lines.slice(1).map(() => invalidRequest(id)),
      invalidRequest(other),
      expect.objectContaining({ id: 2, result: expect.anything() }),
    ]);
  });

  test('but might be an answer gets none', async () => {
    const lines = [
      '{"jsonrpc":"2.0","id":7,"result":null}',
      '{"id":7,"result":{}}',
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"What?"}}',
      '{"jsonrpc":"2.0","id":1.5,"error":7}',
    ];
    expect(await answersTo(`${shake()}${lines.join('\n')}\n`)).toEqual({ answers: [], stderr: '' });
  });

  test('is logged once a minute, without what it says', async () => {
    const { stderr } = await answersTo('sesame\n{"sesame":1}\n'.repeat(20));
    expect(stderr).toMatch(/^\{"level":40,[^\n]*"code":-32700[^\n]*\}\n$/);
    expect(stderr).not.toContain('sesame');
  });
});

describe('a batch', () => {
  const batch = (...lines: string[]) => `[${lines.map((text) => text.trim()).join(',')}]\n`;

  test.each(['2025-03-26', '2024-11-05'])('is answered message by message in version %s', async (version) => {
    const initialized = line({ method: 'notifications/initialized' });
    const call = line({ id: 'call', method: 'tools/call', params: { name: 'add_task', arguments: { title: 'One' } } });
    const input = shake(version) + batch(initialized, list(2), call, list(3)).trimEnd();
    const { answers } = await answersTo(input, seeded());
    expect(answers.map(({ id }) => String(id)).sort()).toEqual(['2', '3', 'call']);
    expect(answers.every(({ result }) => result && !result.isError)).toBe(true);
  });

  test('may have invalid messages in it, each of which is answered', async () => {
    const input = batch('7', list(2), batch(list(5)), '{"id":3,"method":"ping"}', '{"id":4,"result":{}}');
    const { answers } = await answersTo(shake('2025-03-26') + input);
    expect(answers).toEqual([
      invalidRequest(null),
      invalidRequest(null),
      invalidRequest(3),
      expect.objectContaining({ id: 2, result: expect.anything() }),
    ]);
  });

  test.each([
    ['in version 2025-06-18', shake('2025-06-18') + batch(list(2))],
    ['in a version that nobody knows', shake('1999-01-01') + batch(list(2))],
    ['before the handshake', batch(list(2)) + shake('2025-03-26')],
    ['if it is empty', `${shake('2025-03-26')}[]\n`],
    ['of more than a hundred messages', shake('2025-03-26') + batch(...Array(101).fill(list(2)))],
  ])('is refused as a whole %s', async (_, input) => {
    expect((await answersTo(input)).answers).toEqual([invalidRequest(null)]);
  });
});
