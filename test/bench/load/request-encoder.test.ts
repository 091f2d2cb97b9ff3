import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { writeName } from './items.ts';
import { RequestEncoder } from './request-encoder.ts';
import type { LoadSpec } from './load-spec.ts';
import type { Request } from './request.ts';
import { RequestSource } from './request-source.ts';
import { createRequest } from './request.ts';

const spec: LoadSpec = {
  port: 0,
  mode: 'steady',
  connections: 1,
  inFlight: 1,
  getShare: 1,
  keysPerGet: 2,
  visitGets: 0,
  keyPrefix: 'k:',
  items: 100,
  zipfExponent: 0,
  valueBytes: 1000,
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

describe('RequestEncoder', () => {
  it('writes gets of several keys, one request after the other', () => {
    const bytes = new RequestEncoder(spec).encode([request('get', 1, 2), request('get', 3), request('get', 4)], 2);
    expect(bytes.toString('latin1')).toBe(`get k:${nameOf(1)} k:${nameOf(2)}\r\nget k:${nameOf(3)}\r\n`);
  });

  it('writes sets whose value begins with the name of the item and compresses to about half', () => {
    const text = new RequestEncoder(spec).encode([request('set', 9)], 1).toString('latin1');
    const head = `set k:${nameOf(9)} 0 0 1000\r\n`;
    expect(text.slice(0, head.length)).toBe(head);
    const value = text.slice(head.length, -2);
    expect(value).toHaveLength(1000);
    expect(value.slice(0, 16)).toBe(nameOf(9));
    expect(text.endsWith('\r\n')).toBe(true);
    const compressed = deflateRawSync(Buffer.from(value, 'latin1')).length;
    expect(compressed).toBeGreaterThan(400);
    expect(compressed).toBeLessThan(700);
  });

  it('draws the time to live from its range', () => {
    const encoder = new RequestEncoder({ ...spec, timeToLive: [1, 60] });
    const drawn = Array.from({ length: 500 }, () => Number(/ 0 (\d+) /.exec(encoder.encode([request('set', 1)], 1).toString('latin1'))?.[1]));
    expect([Math.min(...drawn), Math.max(...drawn)]).toEqual([1, 60]);
  });
});

describe('RequestSource', () => {
  it('fills every item once', () => {
    const source = new RequestSource({ ...spec, mode: 'fill', items: 3 });
    const next = createRequest(1);
    const ids: (number | undefined)[] = [];
    while (source.next(next)) ids.push(next.ids[0]);
    expect(ids).toEqual([0, 1, 2]);
    expect(next.kind).toBe('set');
  });

  it('mixes gets and sets in the share that is asked for', () => {
    const source = new RequestSource({ ...spec, getShare: 0.9 });
    const next = createRequest(2);
    let gets = 0;
    for (let count = 0; count < 10_000; count += 1) {
      source.next(next);
      expect(next.count).toBe(next.kind === 'get' ? 2 : 1);
      if (next.kind === 'get') gets += 1;
    }
    expect(gets / 10_000).toBeCloseTo(0.9, 1);
  });
});
