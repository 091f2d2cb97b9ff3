import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Command, Op } from '../../src/cache/command.ts';
import { HotKeys } from '../../src/server/hot-keys.ts';
import { SpaceSaving } from '../../src/server/space-saving.ts';

describe('SpaceSaving', () => {
  it('counts exactly while there is room', () => {
    const counted = new SpaceSaving(4);
    for (const key of ['a', 'b', 'b', 'c', 'b', 'c']) counted.add(key, 2);
    expect(counted.top(2)).toEqual([
      { key: 'b', weight: 6, error: 0 },
      { key: 'c', weight: 4, error: 0 },
    ]);
  });

  it('has every key above its share, never counts too little, and too much by the error at most', () => {
    const stream = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 5 })), { maxLength: 400 });
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 12 }), (stream, capacity) => {
        const counted = new SpaceSaving(capacity);
        const real = new Map<string, number>();
        let total = 0;
        for (const [n, weight] of stream) {
          counted.add(`k${n}`, weight);
          real.set(`k${n}`, (real.get(`k${n}`) ?? 0) + weight);
          total += weight;
        }
        const top = new Map(counted.top(capacity).map((each) => [each.key, each]));
        expect(top.size).toBe(Math.min(capacity, real.size));
        for (const [key, weight] of real) {
          if (weight > total / capacity) expect(top.has(key)).toBe(true);
          const each = top.get(key);
          if (each === undefined) continue;
          expect(each.weight).toBeGreaterThanOrEqual(weight);
          expect(each.weight - each.error).toBeLessThanOrEqual(weight);
        }
      }),
    );
  });

  it('forgets by halves', () => {
    const counted = new SpaceSaving(2);
    counted.add('old', 10);
    counted.halve();
    counted.add('new', 6);
    expect(counted.top(2).map(({ key, weight }) => `${key} ${weight}`)).toEqual(['new 6', 'old 5']);
    counted.clear();
    expect(counted.top(2)).toEqual([]);
  });
});

/** A command that names keys. */
function command(op: Op, keys: readonly string[], length = 0): Command {
  const command = new Command();
  command.op = op;
  command.buffer = Buffer.from(keys.join(' '), 'latin1');
  command.length = length;
  command.keyCount = keys.length;
  let at = 0;
  keys.forEach((key, i) => {
    command.keyStarts[i] = at;
    command.keyEnds[i] = at + key.length;
    at += key.length + 1;
  });
  return command;
}

describe('HotKeys', () => {
  const sizes = new Map<string, number>();
  let now = 0;
  let looked = 0;
  const switched: boolean[] = [];
  let hot: HotKeys;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    sizes.clear();
    switched.length = 0;
    now = 0;
    looked = 0;
    const lengthOf = (_bytes: Buffer, _start: number, _end: number, key: string): number | undefined => {
      looked++;
      return sizes.get(key);
    };
    const random = (() => {
      let seed = 1;
      return () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    })();
    hot = new HotKeys(lengthOf, (isOn) => switched.push(isOn), () => now, random);
  });

  afterEach(() => {
    hot.stop();
    vi.useRealTimers();
  });

  /** Lines of the reply that begin with a word. */
  function lines(word: string): string[] {
    return hot.ask().split('\r\n').filter((line) => line.startsWith(`${word} `));
  }

  it('is off until somebody asks, and again 60 seconds after the last asking', () => {
    expect(switched).toEqual([]);
    expect(hot.ask()).toBe('END\r\n');
    expect(switched).toEqual([true]);
    hot.note(command(Op.get, ['k']));
    vi.advanceTimersByTime(59_000);
    expect(lines('HOT')).toEqual(['HOT k 1 0']);
    vi.advanceTimersByTime(59_000);
    expect(switched).toEqual([true]);
    vi.advanceTimersByTime(1000);
    expect(switched).toEqual([true, false]);
    expect(hot.ask()).toBe('END\r\n');
  });

  it('counts every key of every command while there are few', () => {
    hot.ask();
    for (let i = 0; i < 200; i++) {
      now += 10;
      hot.note(command(Op.get, ['hot', 'a b', `cold${i}`]));
      hot.note(command(Op.version, []));
    }
    const [first, second] = lines('HOT');
    expect(first).toBe('HOT a%20b 200 0');
    expect(second).toBe('HOT hot 200 0');
  });

  it('looks at no more than some 4000 keys a second, and still tells how often the hot ones came', () => {
    hot.ask();
    const perMs = 200;
    for (let ms = 0; ms < 1000; ms++) {
      for (let i = 0; i < perMs; i++) {
        now = ms + i / perMs;
        // Hot ones in turn with others: a regular gap could meet only one of the two.
        hot.note(command(Op.get, [i % 2 === 0 ? 'hot' : `cold${ms * perMs + i}`]));
      }
    }
    expect(looked).toBeGreaterThan(2000);
    expect(looked).toBeLessThan(6000);
    const [name, count] = lines('HOT')[0]!.split(' ').slice(1);
    expect(name).toBe('hot');
    expect(Number(count)).toBeGreaterThan(85_000);
    expect(Number(count)).toBeLessThan(115_000);
  });

  it('looks at each key again when a burst is over', () => {
    hot.ask();
    for (let i = 0; i < 100_000; i++) {
      now = i / 1000;
      hot.note(command(Op.get, ['burst']));
    }
    now += 5000;
    hot.ask();
    now += 5000;
    hot.ask();
    for (let i = 0; i < 50; i++) {
      now += 10;
      hot.note(command(Op.get, ['later']));
    }
    const later = lines('HOT').find((line) => line.startsWith('HOT later '));
    expect(Number(later?.split(' ')[2])).toBeGreaterThan(40);
  });

  it('lets what was hot fade', () => {
    hot.ask();
    for (let i = 0; i < 100; i++) hot.note(command(Op.get, ['old']));
    const before = Number(lines('HOT')[0]!.split(' ')[2]);
    now += 31_000;
    const [line] = lines('HOT');
    expect(Number(line!.split(' ')[2])).toBe(Math.round(before / 2));
  });

  it('lists the largest values, each key once with its newest size, and forgets those not seen for a minute', () => {
    hot.ask();
    for (let i = 1; i <= 30; i++) {
      now += 10;
      sizes.set(`k${i}`, i * 100);
      hot.note(command(Op.get, [`k${i}`]));
    }
    sizes.set('k30', 50);
    now += 10;
    hot.note(command(Op.set, ['k30'], 50));
    const big = lines('BIG');
    expect(big).toHaveLength(20);
    expect(big[0]).toBe('BIG k29 2900');
    expect(big.at(-1)).toBe('BIG k30 50');
    for (let i = 0; i < 8; i++) {
      now += 10_000;
      hot.note(command(Op.get, ['k5']));
      hot.ask();
    }
    expect(lines('BIG')).toEqual(['BIG k5 500']);
  });

  it('sees a large value that is stored although its turn has not come', () => {
    hot.ask();
    for (let i = 0; i < 200; i++) {
      sizes.set(`k${i}`, 100);
      hot.note(command(Op.get, [`k${i}`]));
    }
    sizes.set('large', 1_000_000);
    hot.note(command(Op.set, ['large'], 1_000_000));
    expect(lines('BIG')[0]).toBe('BIG large 1000000');
  });
});
