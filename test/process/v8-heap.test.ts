import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { heapFlags } from '../../src/cli/v8-heap.ts';

const MODULE = join(import.meta.dirname, '../../dist/src/cli/v8-heap.js');

/** MB that V8 takes at most for new and for old objects in a process that makes many, each of which lives for a while. */
function peaks(memory: number): { newSpace: number; oldSpace: number } {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { boundHeap } from ${JSON.stringify(MODULE)};
    boundHeap(${memory});
    const size = (name) => getHeapSpaceStatistics().find(({ space_name }) => space_name === name).space_size / 2 ** 20;
    const most = { newSpace: 0, oldSpace: 0 };
    let alive = [];
    for (let i = 0; i < 60_000; i++) {
      alive.push(Array.from({ length: 50 }, (_, k) => ({ k })));
      if (alive.length === 6000) alive = alive.slice(3000);
      if (i % 1000 !== 0) continue;
      most.newSpace = Math.max(most.newSpace, size('new_space'));
      most.oldSpace = Math.max(most.oldSpace, size('old_space'));
    }
    console.log(JSON.stringify(most));`;
  const text = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } });
  return JSON.parse(text) as { newSpace: number; oldSpace: number };
}

describe("V8's heap", () => {
  it('stays smaller where the memory for caching is small', () => {
    const [bound, free] = [peaks(64), peaks(192)];
    expect(bound.newSpace).toBeLessThan(free.newSpace);
    expect(bound.newSpace + bound.oldSpace).toBeLessThan((free.newSpace + free.oldSpace) * 0.67);
  });

  it('is as large as whoever started Node said', () => {
    expect(heapFlags(64, '')).toHaveLength(2);
    expect(heapFlags(64, '--max_semi_space_size=8')).toEqual(['--heap-growing-percent=10']);
    expect(heapFlags(64, '--max-semi-space-size=8 --heap-growing-percent=50')).toEqual([]);
    expect(heapFlags(512, '')).toEqual(['--no-concurrent-marking']);
    expect(heapFlags(512, '--concurrent_marking')).toEqual([]);
  });

  it('is left to V8 where there is plenty', () => {
    expect(heapFlags(191, '')).toHaveLength(2);
    expect(heapFlags(192, '')).toEqual([]);
    expect(heapFlags(511, '')).toEqual([]);
  });
});
