import { describe, expect, it } from 'vitest';
import { createTally, type Tally } from './checker.ts';
import { writeName } from './items.ts';
import { ReplyChecker } from './reply-checker.ts';
import { createRequest, type Request } from './request.ts';

const VALUE_BYTES = 40;

function nameOf(id: number): string {
  const name = Buffer.alloc(16);
  writeName(name, 0, id);
  return name.toString('latin1');
}

function item(id: number, data = nameOf(id).padEnd(VALUE_BYTES, '\r\nEND\r\n')): string {
  return `VALUE k:${nameOf(id)} 0 ${data.length}\r\n${data}\r\n`;
}

function get(...ids: number[]): Request {
  return { kind: 'get', ids: Int32Array.from(ids), count: ids.length, startedAt: 0 };
}

function set(): Request {
  return { ...createRequest(1), kind: 'set', count: 1 };
}

interface Outcome {
  readonly tally: Tally;
  readonly answered: readonly Request[];
  readonly outstanding: number;
}

/** Answers `requests` with `text`, in pieces of `pieceBytes`. */
function check(requests: readonly Request[], text: string, pieceBytes = text.length, checkValues = true): Outcome {
  const tally = createTally();
  const answered: Request[] = [];
  const checker = new ReplyChecker({ keyPrefix: 'k:', valueBytes: VALUE_BYTES, checkValues }, tally, (request) => answered.push(request));
  for (const request of requests) checker.expect(request);
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += pieceBytes) checker.push(bytes.subarray(at, at + pieceBytes));
  return { tally, answered, outstanding: checker.outstanding };
}

describe('ReplyChecker', () => {
  const requests = [get(1), set(), get(2, 3, 4, 5), get(6)];
  const text = `${item(1)}END\r\nSTORED\r\n${item(3)}${item(4)}END\r\nEND\r\n`;

  it.each([1, 2, 7, 100, text.length])('counts hits, misses and stores in answers cut into pieces of %d bytes', (pieceBytes) => {
    const { tally, answered, outstanding } = check(requests, text, pieceBytes);
    expect(tally).toEqual({ hits: 3, misses: 3, stored: 1, wrong: 0, firstWrong: undefined });
    expect(answered).toEqual(requests);
    expect(outstanding).toBe(0);
  });

  it('keeps nothing of the bytes it was given', () => {
    const tally = createTally();
    const checker = new ReplyChecker({ keyPrefix: 'k:', valueBytes: VALUE_BYTES, checkValues: true }, tally, () => undefined);
    checker.expect(get(1));
    const shared = Buffer.alloc(10);
    const reply = Buffer.from(`${item(1)}END\r\n`, 'latin1');
    for (let at = 0; at < reply.length; at += shared.length) checker.push(shared.subarray(0, reply.copy(shared, 0, at, at + shared.length)));
    expect(tally.hits).toBe(1);
    expect(tally.wrong).toBe(0);
  });

  it.each([
    ['the value of another item', item(1, nameOf(2).padEnd(VALUE_BYTES))],
    ['an item that was not asked for', item(2)],
    ['a value of another length', item(1, nameOf(1))],
    ['a value without its line end', item(1).replace(/..$/s, 'xx')],
    ['other flags', item(1).replace(' 0 ', ' 1 ')],
  ])('counts %s as wrong', (_, answer) => {
    const { tally, outstanding } = check([get(1)], `${answer}END\r\n`);
    expect(tally.wrong).toBe(1);
    expect(tally.hits).toBe(0);
    expect(tally.firstWrong).toContain('VALUE');
    expect(outstanding).toBe(0);
  });

  it.each([
    ['get', get(1), 'SERVER_ERROR out of memory\r\n'],
    ['set', set(), 'NOT_STORED\r\n'],
    ['set', set(), 'ERROR\r\n'],
  ])('counts an error in answer to a %s as wrong and goes on', (_, request, answer) => {
    const { tally, outstanding } = check([request, set()], `${answer}STORED\r\n`);
    expect(tally).toMatchObject({ wrong: 1, stored: 1, firstWrong: expect.stringContaining(answer.trim()) as string });
    expect(outstanding).toBe(0);
  });

  it('takes any value of the right length when values are not checked', () => {
    expect(check([get(1)], `${item(1, 'x'.repeat(VALUE_BYTES))}END\r\n`, undefined, false).tally).toMatchObject({ hits: 1, wrong: 0 });
  });

  it.each([
    ['an answer without a request', [], 'STORED\r\n', /without a request/],
    ['an item line that cannot be read', [get(1)], 'VALUE nonsense\r\n', /cannot be read/],
    ['bytes without a line end', [get(1)], 'x'.repeat(2000), /no line end/],
  ])('throws at %s', (_, asked, answer, message) => {
    expect(() => check(asked, answer)).toThrow(message);
  });
});
