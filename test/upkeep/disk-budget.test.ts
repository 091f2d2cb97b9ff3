import { describe, expect, it } from 'vitest';
import { bytesOf, DiskBudget } from '../../src/upkeep/disk-budget.ts';

const MIB = 2 ** 20;

describe('DiskBudget', () => {
  it.each([128, 160, 300, 1024, 100 * 1024, 10 * 1024 * 1024])('keeps its marks in order for %i MiB', (mib) => {
    const { limit, low, begin, high, full, segmentBytes, writeBufferBytes, tableBytes } = new DiskBudget(mib * MIB);
    expect(limit).toBe(mib * MIB);
    expect([low, begin, high, full, limit].toSorted((a, b) => a - b)).toEqual([low, begin, high, full, limit]);
    expect(low).toBeGreaterThan(limit / 2);
    // Between refusing and the limit LevelDB has room for what it writes besides.
    expect(limit - full).toBeGreaterThanOrEqual(3 * writeBufferBytes + 12 * tableBytes);
    // A segment that is copied while it is evicted fits above the mark at which that begins.
    expect(full - high).toBeGreaterThanOrEqual(2 * segmentBytes);
  });

  it('divides small limits into many segments', () => {
    expect(new DiskBudget(128 * MIB).segmentBytes).toBe(2 * MIB);
    expect(new DiskBudget(100 * 1024 * MIB).segmentBytes).toBe(64 * MIB);
  });

  it('counts what was written since LevelDB was measured', () => {
    expect(bytesOf({ levelMeasured: 5, levelWritten: 7, values: 11 })).toBe(23);
  });
});
