import { describe, expect, it } from 'vitest';
import { groupWorkloads } from './groups.ts';
import { scaleWorkloads, traceWorkload, workloads } from './workloads.ts';

const options = { items: 100_000, itemsGiven: false, connections: 50, memory: 1024 };
const named = (...names: string[]) => names.map((name) => workloads.find((workload) => workload.name === name)!);

describe('groupWorkloads()', () => {
  it('has workloads of one size of value share their servers', () => {
    const groups = groupWorkloads(named('get-100', 'get-1k', 'get-1k-c1000', 'get-100k', 'set-1k'), options);
    expect(groups.map((group) => group.workloads.map(({ name }) => name))).toEqual([['get-100'], ['get-1k', 'get-1k-c1000', 'set-1k'], ['get-100k']]);
    expect(groups.map(({ items }) => items)).toEqual([100_000, 100_000, 2000]);
  });

  it('starts servers for the most connections that one of their workloads has', () => {
    expect(groupWorkloads(named('get-1k', 'get-1k-c1000'), options)[0]?.connections).toBeGreaterThan(1000);
    expect(groupWorkloads(named('get-1k'), options)[0]?.connections).toBeLessThan(1000);
  });

  it('leaves the restart alone', () => {
    expect(groupWorkloads(named('restart', 'get-1k'), { ...options, items: 1_000_000 })).toHaveLength(2);
  });

  it('gives room for all items to servers that have them in memory alone', () => {
    const [group] = groupWorkloads(named('big-get'), options);
    expect(group).toMatchObject({ memoryMb: 64, items: 1_500_000 });
    expect(group?.wholeMb).toBeGreaterThan(1800);
  });

  it('gives what the command line says to servers of workloads that are not about memory', () => {
    const groups = groupWorkloads([...named('get-1k', 'big-get'), ...scaleWorkloads([10])], { ...options, memory: 4096 });
    expect(groups.map(({ memoryMb }) => memoryMb)).toEqual([4096, 64, 4096]);
  });

  it('takes the items of the command line for all but what is about items', () => {
    const groups = groupWorkloads([...named('get-1k', 'big-get'), ...scaleWorkloads([10]), traceWorkload('file')], { ...options, items: 7, itemsGiven: true });
    expect(groups.map(({ items }) => items)).toEqual([7, 7, 10, 0]);
  });
});
