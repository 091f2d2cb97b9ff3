import { describe, expect, it } from 'vitest';
import { fillSeconds, valueKind } from '../../src/store/value-kind.ts';
import { bytesOf } from '../support/build-item.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const DAY = 86_400;

describe('valueKind()', () => {
  it('keeps together what dies within twice the time, and what never does', () => {
    const kinds = [1, 8, 9, 15, 16, 30, 31, 45, 46, 60, 61, 900, 901, 12 * DAY, 12 * DAY + 1, 365 * DAY].map((ttl) => valueKind(1000, 1000 + ttl));
    expect(kinds).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 8, 9, 9]);
    expect(valueKind(1000, 0)).toBe(10);
  });
});

describe('fillSeconds()', () => {
  it('is a small part of the time that the values live', () => {
    for (const ttl of [15, 30, 60, 900, DAY, 10 * DAY, 30 * DAY]) expect(fillSeconds(valueKind(1000, 1000 + ttl)) / ttl).toBeLessThanOrEqual(0.15);
    expect(fillSeconds(valueKind(1000, 1001))).toBe(1);
    expect(fillSeconds(valueKind(1000, 0))).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a segment of the value log', () => {
  it('takes no more values of those that live for seconds when it is some seconds old, unless it is small', async () => {
    const open = await OpenCache.open(tempDirectory());
    const segments = async (key: string, length: number, exptime: number): Promise<number> => {
      await open.set(key, bytesOf(length, 1), exptime);
      return open.store.values.stats().segments;
    };
    expect(await segments('a', 600_000, 60)).toBe(1);
    open.clock.advance(100);
    expect(await segments('b', 600_000, 60)).toBe(1);
    expect(await segments('c', 50_000, 60)).toBe(2);
    expect(await segments('d', 1_000_000, 60)).toBe(2);
    open.clock.advance(3);
    expect(await segments('e', 1000, 60)).toBe(3);
    expect(await segments('f', 1_000_000, 0)).toBe(4);
    open.clock.advance(365 * DAY);
    expect(await segments('g', 1_000_000, 0)).toBe(4);
    await open.close();
  });
});
