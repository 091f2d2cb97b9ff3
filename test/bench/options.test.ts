import { describe, expect, it } from 'vitest';
import { type BenchOptions, parseOptions, revisionName, UsageError } from './options.ts';
import { usage } from './usage.ts';
import { workloads } from './workloads.ts';

const namesOf = (options: BenchOptions | undefined): string[] => options!.workloads.map(({ name }) => name);

describe('parseOptions()', () => {
  it('takes all workloads that are not heavy, and memcached as the reference, by default', () => {
    expect(parseOptions([])).toMatchObject({ reference: 'memcached', connections: 50, peers: [], servers: undefined, items: 100_000, itemsGiven: false, memory: 1024 });
    expect(namesOf(parseOptions([]))).toEqual(workloads.filter(({ isHeavy }) => isHeavy !== true).map(({ name }) => name));
    expect(namesOf(parseOptions([]))).not.toContain('restart');
  });

  it('takes everything with --all, in growing stores too', () => {
    const names = namesOf(parseOptions(['--all', '--trace', 'file']));
    expect(names).toEqual(expect.arrayContaining([...workloads.map(({ name }) => name), 'scale-get-10000', 'scale-set-10000000', 'trace']));
  });

  it('takes --scale and --trace alone, or beside workloads that are named', () => {
    expect(namesOf(parseOptions(['--scale', '10,20']))).toEqual(['scale-get-10', 'scale-set-10', 'scale-get-20', 'scale-set-20']);
    expect(namesOf(parseOptions(['--trace', 'file']))).toEqual(['trace']);
    expect(namesOf(parseOptions(['--trace', 'file', '--workloads', 'get-1k']))).toEqual(['get-1k', 'trace']);
  });

  it('compares a revision with the tree alone, unless others are asked for', () => {
    expect(parseOptions(['--compare', 'origin/main'])).toMatchObject({ servers: ['tugela', 'tugela@origin-main'], reference: 'tugela@origin-main' });
    expect(parseOptions(['--compare', 'v1', '--reference', 'memcached'])).toMatchObject({ servers: ['tugela', 'tugela@v1', 'memcached'], reference: 'memcached' });
    expect(parseOptions(['--compare', 'v1', '--servers', 'floor'])).toMatchObject({ servers: ['floor'] });
    expect(revisionName('HEAD~2')).toBe('tugela@HEAD-2');
  });

  it('measures hit rates of the RAM tier when asked to', () => {
    expect(parseOptions(['--ram'])?.ram).toBe(true);
    expect(parseOptions([])?.ram).toBe(false);
  });

  it('takes how large the values of --eviction are', () => {
    expect(parseOptions(['--eviction'])).toMatchObject({ eviction: true, valueBytes: 1000 });
    expect(parseOptions(['--eviction', '--value', '100'])?.valueBytes).toBe(100);
    expect(() => parseOptions(['--eviction', '--value', '0'])).toThrow(UsageError);
  });

  it('has an open load at half of the capacity, or at the rate that is asked for', () => {
    expect(parseOptions([])?.rate).toBeUndefined();
    expect(parseOptions(['--rate', '1500'])?.rate).toBe(1500);
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

  it.each([[['--workloads', 'nonsense']], [['--rounds', '0']], [['--rounds', '1.5']], [['--seconds', 'x']], [['--peer', 'a']], [['--peer', 'a=b']], [['--nonsense']], [['extra']], [['--scale', '0']], [['--rate', '-1']], [['--items', '1e9']], [['--memory', '0.5']]])(
    'refuses %j',
    (args) => {
      expect(() => parseOptions(args)).toThrow(UsageError);
    },
  );
});

describe('workloads', () => {
  it('are all in the help', () => {
    for (const { name, title } of workloads) expect(usage).toMatch(new RegExp(`^  ${name} +${title.replace('.', '\\.')}$`, 'm'));
  });

  it('have names of their own', () => {
    expect(new Set(workloads.map(({ name }) => name)).size).toBe(workloads.length);
  });
});
