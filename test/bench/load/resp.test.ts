import { describe, expect, it } from 'vitest';
import { createTally, type Tally } from './checker.ts';
import { writeName } from './items.ts';
import type { LoadSpec } from './load-spec.ts';
import type { Request } from './request.ts';
import { RespChecker } from './resp-checker.ts';
import { RespEncoder } from './resp-encoder.ts';

const VALUE_BYTES = 40;

const spec: LoadSpec = {
  port: 0,
  protocol: 'resp',
  mode: 'steady',
  connections: 1,
  inFlight: 1,
  getShare: 1,
  keysPerGet: 1,
  visitGets: 0,
  keyPrefix: 'k:',
  items: 100,
  zipfExponent: 0,
  valueBytes: VALUE_BYTES,
  timeToLive: [0, 0],
  seed: 5,
  checkValues: true,
};

function nameOf(id: number): string {
  const name = Buffer.alloc(16);
  writeName(name, 0, id);
  return name.toString('latin1');
}

function request(kind: 'get' | 'set', ...ids: number[]): Request {
  return { kind, ids: Int32Array.from(ids), count: ids.length, startedAt: 0 };
}

function value(id: number, data = nameOf(id).padEnd(VALUE_BYTES, '\r\n$-1\r\n')): string {
  return `$${data.length}\r\n${data}\r\n`;
}

describe('RespEncoder', () => {
  it('writes a GET for one key', () => {
    const bytes = new RespEncoder(spec).encode([request('get', 1), request('get', 2), request('get', 3)], 2);
    expect(bytes.toString('latin1')).toBe(`*2\r\n$3\r\nGET\r\n$18\r\nk:${nameOf(1)}\r\n*2\r\n$3\r\nGET\r\n$18\r\nk:${nameOf(2)}\r\n`);
  });

  it('writes an MGET for several keys', () => {
    const bytes = new RespEncoder({ ...spec, keysPerGet: 2 }).encode([request('get', 1, 2)], 1);
    expect(bytes.toString('latin1')).toBe(`*3\r\n$4\r\nMGET\r\n$18\r\nk:${nameOf(1)}\r\n$18\r\nk:${nameOf(2)}\r\n`);
  });

  it('writes a SET, with EX only for items that expire', () => {
    const pattern = (tail: string): RegExp => new RegExp(`^\\*[35]\\r\\n\\$3\\r\\nSET\\r\\n\\$18\\r\\nk:${nameOf(1)}\\r\\n\\$40\\r\\n${nameOf(1)}[^]{24}\\r\\n${tail}$`);
    const write = (timeToLive: [number, number]): string => new RespEncoder({ ...spec, timeToLive }).encode([request('set', 1)], 1).toString('latin1');
    expect(write([0, 0])).toMatch(pattern(''));
    expect(write([0, 0])).toMatch(/^\*3/);
    expect(write([17, 17])).toMatch(pattern('\\$2\\r\\nEX\\r\\n\\$2\\r\\n17\\r\\n'));
    expect(write([17, 17])).toMatch(/^\*5/);
  });
});

function check(requests: readonly Request[], text: string, pieceBytes = text.length): { tally: Tally; answered: Request[]; outstanding: number } {
  const tally = createTally();
  const answered: Request[] = [];
  const checker = new RespChecker(spec, tally, (one) => answered.push(one));
  for (const one of requests) checker.expect(one);
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += pieceBytes) checker.push(bytes.subarray(at, at + pieceBytes));
  return { tally, answered, outstanding: checker.outstanding };
}

describe('RespChecker', () => {
  const requests = [request('get', 1), request('set', 1), request('get', 2, 3, 4), request('get', 5)];
  const text = `${value(1)}+OK\r\n*3\r\n${value(2)}$-1\r\n${value(4)}$-1\r\n`;

  it.each([1, 2, 7, 100, text.length])('counts hits, misses and stores in answers cut into pieces of %d bytes', (pieceBytes) => {
    const { tally, answered, outstanding } = check(requests, text, pieceBytes);
    expect(tally).toEqual({ hits: 3, misses: 2, stored: 1, wrong: 0, firstWrong: undefined });
    expect(answered).toEqual(requests);
    expect(outstanding).toBe(0);
  });

  it.each([
    ['the value of another item', request('get', 1), value(2)],
    ['a value of another length', request('get', 1), value(1, nameOf(1))],
    ['a value without its line end', request('get', 1), value(1).replace(/..$/s, 'xx')],
    ['an error in answer to a GET', request('get', 1), '-ERR no\r\n'],
    ['an error in answer to a SET', request('set', 1), '-OOM command not allowed\r\n'],
    ['an error in answer to an MGET', request('get', 1, 2), '-LOADING\r\n'],
  ])('counts %s as wrong and goes on', (_, asked, answer) => {
    const { tally, outstanding } = check([asked, request('set', 9)], `${answer}+OK\r\n`);
    expect(tally).toMatchObject({ wrong: 1, hits: 0, stored: 1 });
    expect(outstanding).toBe(0);
  });

  it.each([
    ['an answer without a request', [], '+OK\r\n', /without a request/],
    ['an array of another length', [request('get', 1, 2)], '*3\r\n', /cannot be read/],
    ['a length that is none', [request('get', 1)], '$x\r\n', /length/],
    ['bytes without a line end', [request('get', 1)], 'x'.repeat(2000), /no line end/],
  ])('throws at %s', (_, asked, answer, message) => {
    expect(() => check(asked, answer)).toThrow(message);
  });
});
