import { describe, expect, it } from 'vitest';
import { GhostTable, ghostsFor } from '../../src/ram/ghost-table.ts';

const HASH = 0x9abcdef0;

describe('GhostTable', () => {
  it('knows a key that left until as many segments have followed as are said', () => {
    for (const followed of [0, 1, 31]) {
      const ghosts = new GhostTable(1024, 31);
      ghosts.add(HASH, 100);
      expect(ghosts.take(HASH, 100 + followed, 31)).toBe(true);
    }
    const ghosts = new GhostTable(1024, 31);
    ghosts.add(HASH, 100);
    expect(ghosts.take(HASH, 132, 31)).toBe(false);
  });

  it('forgets a key that it was asked for', () => {
    const ghosts = new GhostTable(1024, 31);
    ghosts.add(HASH, 0);
    expect(ghosts.take(HASH, 0, 31)).toBe(true);
    expect(ghosts.take(HASH, 0, 31)).toBe(false);
  });

  it.each([
    ['in the same cell', HASH ^ 0x400],
    ['in another cell', HASH ^ 1],
  ])('does not take another key for it, %s', (_where, other) => {
    const ghosts = new GhostTable(1024, 31);
    ghosts.add(HASH, 0);
    expect(ghosts.take(other >>> 0, 0, 31)).toBe(false);
    expect(ghosts.take(HASH, 0, 31)).toBe(true);
  });

  it('counts time in steps of several segments where there are many', () => {
    const segments = 4000;
    const ghosts = new GhostTable(2 ** 16, segments);
    ghosts.add(HASH, 0);
    ghosts.add(HASH ^ 1, 0);
    expect(ghosts.take(HASH, segments - 64, segments)).toBe(true);
    expect(ghosts.take(HASH ^ 1, segments + 64, segments)).toBe(false);
  });

  it('goes on when its count of steps begins anew', () => {
    const ghosts = new GhostTable(1024, 31);
    ghosts.add(HASH, 1020);
    expect(ghosts.take(HASH, 1030, 31)).toBe(true);
    ghosts.add(HASH, 1020);
    expect(ghosts.take(HASH, 1060, 31)).toBe(false);
  });

  it('has a power of two of cells, as many as slots or down to half as many', () => {
    expect([0, 16, 17, 256_682].map(ghostsFor)).toEqual([16, 16, 16, 131_072]);
  });
});
