import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { figuresJson } from '../../src/top/figures-json.ts';
import { type Figures, figuresOf } from '../../src/top/figures.ts';
import { parseHotKeys, type Sample } from '../../src/top/sample.ts';
import { type Display, type Keyboard, Screen } from '../../src/top/screen.ts';
import { render } from '../../src/top/view.ts';

function sample(change: Partial<Sample> & { stats?: ReadonlyMap<string, string> } = {}): Sample {
  return { atMs: 0, probeMs: 0.5, stats: new Map(), storage: new Map(), prefixes: new Map(), index: undefined, hot: undefined, ...change };
}

function stats(values: Record<string, number | string>): Map<string, string> {
  return new Map(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

describe('figuresOf()', () => {
  it('makes rates of counters, and a hit rate of the interval', () => {
    const before = sample({ stats: stats({ cmd_get: 100, get_hits: 90, get_misses: 10, cmd_set: 5 }), storage: stats({ batches: 3 }) });
    const after = sample({ atMs: 2000, stats: stats({ cmd_get: 140, get_hits: 100, get_misses: 40, cmd_set: 15 }), storage: stats({ batches: 13 }) });
    const figures = figuresOf(before, after);
    expect(figures).toMatchObject({ intervalSeconds: 2, getsPerSecond: 20, setsPerSecond: 5, opsPerSecond: 25, batchesPerSecond: 5 });
    expect(figures.hitRate).toBe(0.25);
    expect(figures.hitRateTotal).toBeCloseTo(100 / 140);
  });

  it('has no hit rate when nothing was asked for, and no negative rates after stats reset', () => {
    const figures = figuresOf(sample({ stats: stats({ cmd_get: 100 }) }), sample({ atMs: 1000, stats: stats({ cmd_get: 3 }) }));
    expect(figures).toMatchObject({ getsPerSecond: 0, hitRate: null, hitRateTotal: null });
  });

  it('tells for how long the oldest expired item waits, if it may ask', () => {
    const index = { entries: 1, now: 100, busyMs: 0 };
    expect(figuresOf(sample(), sample({ index: { ...index, oldestDeadline: 70 } })).overdueSeconds).toBe(30);
    expect(figuresOf(sample(), sample({ index: { ...index, oldestDeadline: 170 } })).overdueSeconds).toBe(0);
    expect(figuresOf(sample(), sample({ index: { ...index, oldestDeadline: 0 } })).overdueSeconds).toBe(0);
    expect(figuresOf(sample(), sample())).toMatchObject({ overdueSeconds: null, hotKeys: null });
  });
});

/** `stats prefixes` of quotas, each with what is used of 1000 bytes and how many items were evicted. */
function prefixes(quotas: Record<string, readonly [used: number, evictions: number]>): Map<string, string> {
  return stats(Object.fromEntries(Object.entries(quotas).flatMap(([name, [used, evictions]]) => [
    [`quota:${name}:limit`, 1000],
    [`quota:${name}:bytes`, used],
    [`quota:${name}:evictions`, evictions],
  ])));
}

describe('the quotas of figuresOf()', () => {
  it('says how full each is and what was evicted there, the fullest first', () => {
    const before = sample({ prefixes: prefixes({ 'a%3A': [900, 4], b: [100, 50] }) });
    const after = sample({ atMs: 2000, prefixes: new Map([...prefixes({ b: [100, 0], 'a%3A': [950, 10] }), ['prefix:c:gets', '5'], ['prefixes_seen', '1']]) });
    expect(figuresOf(before, after).quotas).toEqual([
      { prefix: Buffer.from('a:'), usedBytes: 950, limitBytes: 1000, evictions: 10, evictionsPerSecond: 3 },
      // After stats reset.
      { prefix: Buffer.from('b'), usedBytes: 100, limitBytes: 1000, evictions: 0, evictionsPerSecond: 0 },
    ]);
  });

  it('goes by shares, not bytes, and leaves out all but ten', () => {
    const small = stats({ 'quota:small:limit': 10, 'quota:small:bytes': 10, 'quota:small:evictions': 0 });
    const many = prefixes(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`q${i}`, [i, 0]])));
    const names = figuresOf(sample(), sample({ atMs: 1000, prefixes: new Map([...many, ...small]) })).quotas.map(({ prefix }) => prefix.toString());
    expect(names).toEqual(['small', ...Array.from({ length: 9 }, (_, i) => `q${29 - i}`)]);
  });
});

describe('parseHotKeys()', () => {
  it('reads both lists', () => {
    const { keys, big } = parseHotKeys(['HOT a%20b 12 3', 'BIG c 400', 'END']);
    expect(keys).toEqual([{ key: Buffer.from('a b'), count: 12, error: 3 }]);
    expect(big).toEqual([{ key: Buffer.from('c'), size: 400 }]);
  });

  it.each(['HOT a', 'HOT a x 1', 'BIG a', 'COLD a 1'])('refuses %j', (line) => {
    expect(() => parseHotKeys([line, 'END'])).toThrow('Unexpected');
  });
});

const shown: Figures = figuresOf(
  sample(),
  sample({
    atMs: 1000,
    stats: stats({ version: '1.6', uptime: 4000, cmd_get: 1_234_567, curr_connections: 3, max_connections: 1024 }),
    storage: stats({ writable: 1, ram_used_bytes: 5_000_000, disk_bytes: 123_456_789 }),
    hot: {
      keys: Array.from({ length: 20 }, (_, i) => ({ key: Buffer.from(`hot ${i}`), count: 100 - i, error: 0 })),
      big: Array.from({ length: 20 }, (_, i) => ({ key: Buffer.from(`big${i}`), size: 1_000_000 - i })),
    },
  }),
);

describe('render()', () => {
  it.each([
    [80, 24],
    [100, 50],
    [200, 60],
    [40, 10],
    [20, 3],
    [1, 1],
  ])('fits a screen of %i columns and %i rows', (columns, rows) => {
    const lines = render(shown, 'localhost:1', { columns, rows });
    expect(lines.length).toBeLessThanOrEqual(rows);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
  });

  it('shows figures, and both lists of keys also on a small screen', () => {
    const text = render(shown, 'localhost:1', { columns: 80, rows: 24 }).join('\n');
    for (const part of ['localhost:1  1.6  up 1 h 6 min', '1.23 M', '3/1024', '118 M', 'hot%200', 'big0']) expect(text).toContain(part);
    expect(text).not.toContain('REFUSED');
  });

  it('shows the fullest quotas between the figures and the keys, and leaves room for these', () => {
    const quota = { usedBytes: 970_000, limitBytes: 1_000_000, evictions: 5, evictionsPerSecond: 2.5 };
    const quotas = Array.from({ length: 10 }, (_, i) => ({ ...quota, prefix: Buffer.from(`wiki ${i}`) }));
    const lines = render({ ...shown, quotas }, 's', { columns: 80, rows: 24 });
    const first = lines.findIndex((line) => line.startsWith('quotas'));
    expect(lines[first + 1]).toMatch(/^ +97\.0 % +947 K\/977 K +2\.5 +wiki%200$/);
    expect(lines.filter((line) => line.includes('wiki'))).toHaveLength(3);
    expect(lines.filter((line) => /hot%20|big/.test(line)).length).toBeGreaterThan(3);
    expect(render({ ...shown, quotas }, 's', { columns: 100, rows: 60 }).filter((line) => line.includes('wiki'))).toHaveLength(10);
    expect(render(shown, 's', { columns: 80, rows: 24 }).join('\n')).not.toContain('quotas');
  });

  it('says when writes are refused, and when hot keys may not be asked for', () => {
    const text = render({ ...shown, isWritable: false, hotKeys: null }, 's', { columns: 80, rows: 24 }).join('\n');
    expect(text).toContain('WRITES ARE REFUSED');
    expect(text).toContain('control commands are not accepted');
  });
});

describe('figuresJson()', () => {
  it('is one line with the keys as text, or base64', () => {
    const text = figuresJson({ ...shown, hotKeys: [{ key: Buffer.from([0xff]), count: 2, error: 1 }], bigValues: null });
    expect(text.indexOf('\n')).toBe(text.length - 1);
    expect(JSON.parse(text)).toMatchObject({ hotKeys: [{ keyBase64: '/w==', count: 2, error: 1 }], bigValues: null, isWritable: true });
  });

  it('has prefixes of quotas in the same way', () => {
    const use = { usedBytes: 1, limitBytes: 2, evictions: 3, evictionsPerSecond: 4 };
    const text = figuresJson({ ...shown, quotas: [{ prefix: Buffer.from('a:'), ...use }, { prefix: Buffer.from([0xff]), ...use }] });
    expect(JSON.parse(text)).toMatchObject({ quotas: [{ prefix: 'a:', ...use }, { prefixBase64: '/w==', ...use }] });
  });
});

class FakeTerminal extends EventEmitter {
  isTTY = true;
  columns = 80;
  rows = 3;
  written = '';
  raw = false;
  write(text: string): boolean {
    this.written += text;
    return true;
  }
  setRawMode(raw: boolean): void {
    this.raw = raw;
  }
  resume(): void {}
  pause(): void {}
}

describe('Screen', () => {
  function open(): { terminal: FakeTerminal; screen: Screen; told: string[] } {
    const terminal = new FakeTerminal();
    const told: string[] = [];
    const screen = new Screen(terminal as unknown as Display, terminal as unknown as Keyboard, () => told.push('quit'), () => told.push('resize'));
    screen.open();
    return { terminal, screen, told };
  }

  it('draws no more lines than there are, without scrolling', () => {
    const { terminal, screen } = open();
    terminal.written = '';
    screen.draw(['a', 'b', 'c', 'd']);
    expect(terminal.written).toBe('\u001B[Ha\u001B[K\r\nb\u001B[K\r\nc\u001B[K\u001B[J');
  });

  it.each(['q', 'Q', '\u0003'])('is told to quit by %j', (key) => {
    const { terminal, told } = open();
    terminal.emit('data', Buffer.from('x'));
    expect(told).toEqual([]);
    terminal.emit('data', Buffer.from(key));
    expect(told).toEqual(['quit']);
  });

  it('tells of a new size', () => {
    const { terminal, screen, told } = open();
    terminal.rows = 10;
    terminal.emit('resize');
    expect(told).toEqual(['resize']);
    expect(screen.size).toEqual({ columns: 80, rows: 10 });
  });

  it('gives the terminal back as it was, once', () => {
    const { terminal, screen } = open();
    expect(terminal.raw).toBe(true);
    screen.close();
    screen.close();
    screen.draw(['late']);
    expect(terminal.raw).toBe(false);
    expect(terminal.written.endsWith('\u001B[?25h\u001B[?1049l')).toBe(true);
    expect(terminal.written.split('\u001B[?1049l')).toHaveLength(2);
    expect(terminal.listenerCount('data') + terminal.listenerCount('resize')).toBe(0);
  });
});
