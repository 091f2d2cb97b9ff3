import { describe, expect, it } from 'vitest';
import { readLevelTables } from '../../src/store/level-tables.ts';

describe('readLevelTables()', () => {
  it('reads levels, sizes and keys, and leaves out tables without items', () => {
    const text = [
      '--- level 0 ---',
      String.raw` 17:123['ia\x00\xff' @ 44 : 1 .. 'ib c' @ 9 : 0]`,
      '--- level 1 ---',
      ` 18:200['mstate' @ 44 : 1 .. 't1' @ 9 : 0]`,
      ` 19:300['ib' @ 44 : 1 .. 'mstate' @ 9 : 0]`,
      ` 20:400['a' @ 44 : 1 .. 'ix' @ 9 : 0]`,
      '--- level 2 ---',
      '',
    ].join('\n');
    expect(readLevelTables(text)).toEqual([
      { level: 0, bytes: 123, from: 'a\0\u00ff', to: 'b c' },
      { level: 1, bytes: 300, from: 'b', to: '\u00ff'.repeat(251) },
      { level: 1, bytes: 400, from: '', to: 'x' },
    ]);
  });

  it('passes over what it cannot read', () => {
    expect(readLevelTables('--- level 0 ---\n 1:2[(bad)x .. (bad)y]\nnonsense')).toEqual([]);
  });
});
