import { describe, expect, it } from 'vitest';
import { parseOptions, UsageError } from './options.ts';
import { workloads } from './workloads.ts';

describe('parseOptions()', () => {
  it('takes all workloads and memcached as the reference by default', () => {
    expect(parseOptions([])).toMatchObject({ workloads, reference: 'memcached', connections: 50, peers: [] });
  });

  it('takes workloads in the order they are named', () => {
    expect(parseOptions(['--workloads', 'set-1k,get-1k'])?.workloads.map(({ name }) => name)).toEqual(['set-1k', 'get-1k']);
  });

  it('splits a peer at the first equals sign', () => {
    expect(parseOptions(['--peer', 'other=server --port={port}'])?.peers).toEqual([{ name: 'other', command: 'server --port={port}' }]);
  });

  it('is undefined when help is asked for', () => {
    expect(parseOptions(['--help'])).toBeUndefined();
  });

  it.each([[['--workloads', 'nonsense']], [['--rounds', '0']], [['--rounds', '1.5']], [['--seconds', 'x']], [['--peer', 'a']], [['--peer', 'a=b']], [['--nonsense']], [['extra']]])(
    'refuses %j',
    (args) => {
      expect(() => parseOptions(args)).toThrow(UsageError);
    },
  );
});

describe('workloads', () => {
  it('have names of their own', () => {
    expect(new Set(workloads.map(({ name }) => name)).size).toBe(workloads.length);
  });
});
