import { beforeEach, describe, expect, it } from 'vitest';
import { previewing } from '../../daemon/disposal.ts';
import { innerSweep } from '../../daemon/inner-sweep.ts';
import { LinkError } from '../../daemon/link-error.ts';
import { SweepStats } from '../../daemon/stats.ts';
import { Sweeper, type SweeperOptions, type SweepSettings } from '../../daemon/sweeper.ts';
import { AutoClock } from './auto-clock.ts';
import { captureLogger } from './capture-logger.ts';
import { FakeTarget } from './fake-target.ts';

const DAY = 86_400;
const never = new AbortController().signal;

let target: FakeTarget;
let clock: AutoClock;
let stats: SweepStats;

beforeEach(() => {
  target = new FakeTarget();
  clock = new AutoClock();
  stats = new SweepStats();
});

function sweeper(settings: Partial<SweepSettings> = {}, options: Partial<SweeperOptions> = {}): Sweeper {
  return new Sweeper({
    target,
    clock,
    stats,
    logger: captureLogger().logger,
    random: () => 0,
    settings: { batch: 1000, maxRate: 0, intervalMs: 5000, ...settings },
    ...options,
  });
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${String(n).padStart(4, '0')}`);
}

/** Fails the n-th call that begins so, once. */
function failOnce(begin: string, n: number, error: Error): void {
  let calls = 0;
  target.before = (call) => {
    if (call.startsWith(begin) && ++calls === n) throw error;
  };
}

const lost = new LinkError('connection_lost', 'gone');

describe('Sweeper.sweepOnce()', () => {
  it('deletes what is due and nothing else', async () => {
    for (let row = 0; row < 30; row++) target.store(names(`due${row}-`, 20), target.now - row);
    target.store(['later'], target.now + 60);
    target.store(['never'], 0);
    const summary = await sweeper().sweepOnce(never);
    expect(target.keyNames()).toEqual(['later', 'never']);
    expect(summary).toMatchObject({ scanned: 600, expired: 600, removed: 0, stale: 0, changed: 0, indexEntries: 1, lagSeconds: 0 });
    expect(summary.interrupted).toBe(false);
  });

  it('asks for nothing but the state when nothing is due', async () => {
    target.store(['later'], target.now + 60);
    await sweeper().sweepOnce(never);
    expect(target.calls).toEqual(['state']);
  });

  it('leaves alone what is rewritten or touched between list and reap', async () => {
    target.store(['rewritten', 'touched', 'same', 'rewritten-short'], target.now - 1);
    target.before = (call) => {
      if (!call.startsWith('reap')) return;
      target.before = () => undefined;
      target.store(['rewritten'], target.now + 60);
      target.touch('touched', 0);
      target.store(['rewritten-short'], target.now - 1);
    };
    const one = sweeper();
    expect(await one.sweepOnce(never)).toMatchObject({ expired: 1, stale: 2, changed: 1 });
    expect(target.keyNames()).toEqual(['rewritten', 'rewritten-short', 'touched']);
    // What was stored anew and is over already has a row of its own, which the next sweep meets.
    expect(await one.sweepOnce(never)).toMatchObject({ expired: 1, stale: 0, changed: 0 });
    expect(target.keyNames()).toEqual(['rewritten', 'touched']);
  });

  it('goes on where it was after a lost connection', async () => {
    for (let row = 0; row < 50; row++) target.store(names(`k${row}-`, 20), target.now - 100 + row);
    failOnce('due', 3, lost);
    const summary = await sweeper({ batch: 100 }).sweepOnce(never);
    expect(summary.expired).toBe(1000);
    expect(target.items.size).toBe(0);
    const dues = target.calls.filter((call) => call.startsWith('due'));
    expect(dues[3]).toBe(dues[2]);
    expect(dues.filter((call) => call.endsWith(' -'))).toHaveLength(1);
  });

  it('gives up after five failures in a row', async () => {
    target.store(['k'], target.now - 1);
    target.before = (call) => {
      if (call.startsWith('reap')) throw lost;
    };
    await expect(sweeper().sweepOnce(never)).rejects.toBe(lost);
    expect(target.calls.filter((call) => call.startsWith('reap'))).toHaveLength(5);
  });

  it('gives up at once when it is refused', async () => {
    target.before = () => {
      throw new LinkError('refused', 'no');
    };
    await expect(sweeper().sweepOnce(never)).rejects.toMatchObject({ code: 'refused' });
    expect(target.calls).toEqual(['state']);
  });

  it('finds a row that appeared behind its place', async () => {
    for (let row = 0; row < 20; row++) target.store(names(`k${row}-`, 50), target.now - 20 + row);
    const one = sweeper({ batch: 100 });
    await one.sweepOnce(never);
    target.store(['late'], target.now - 19);
    await one.sweepOnce(never);
    expect(target.keyNames()).toEqual([]);
  });

  it('ends although more becomes due all the time', async () => {
    target.store(names('a', 10), target.now);
    target.before = (call) => {
      if (!call.startsWith('due')) return;
      target.now++;
      target.store(names(`n${target.now}-`, 200), target.now);
    };
    const summary = await sweeper().sweepOnce(never);
    expect(summary.expired).toBeGreaterThanOrEqual(10);
  });

  it('begins at the start when another server process answers', async () => {
    const link = { reachable: true, reconnects: 0, incarnation: 1 };
    const one = sweeper({ batch: 100 }, { link });
    for (let row = 0; row < 20; row++) target.store(names(`k${row}-`, 50), target.now - 20 + row);
    await one.sweepOnce(never);
    link.incarnation = 2;
    target.store(['late'], target.now - 19);
    target.calls.length = 0;
    await one.sweepOnce(never);
    expect(target.calls.find((call) => call.startsWith('due'))).toMatch(/ -$/);
    expect(target.items.size).toBe(0);
  });

  it('never goes over the rate', async () => {
    for (let row = 0; row < 40; row++) target.store(names(`k${row}-`, 25), target.now - 1);
    const taken: { ms: number; entries: number }[] = [];
    const before = new Map<string, number>();
    target.before = (call) => {
      const size = target.items.size;
      const known = before.get('size') ?? size;
      if (known !== size) taken.push({ ms: clock.ms, entries: known - size });
      before.set('size', size);
      if (call === 'state') clock.ms++;
    };
    const startedMs = clock.ms;
    await sweeper({ maxRate: 500 }).sweepOnce(never);
    expect(target.items.size).toBe(0);
    // All but the last round's entries are paid for by pauses.
    expect(clock.ms - startedMs).toBeGreaterThanOrEqual(((1000 - 50) / 500) * 1000);
    expect(taken.every(({ entries }) => entries <= 50)).toBe(true);
  });

  it('slows down for a busy server', async () => {
    for (let row = 0; row < 100; row++) target.store(names(`k${row}-`, 10), target.now);
    target.busyMs = 100;
    await sweeper().sweepOnce(never);
    const limits = target.calls.flatMap((call) => (call.startsWith('due') ? [Number(call.split(' ')[1])] : []));
    expect(limits.slice(0, 5)).toEqual([128, 64, 32, 16, 16]);
    expect(clock.pauses.every((ms) => ms >= 5)).toBe(true);
  });

  it('gets on with what is late although the server is busy', async () => {
    for (let row = 0; row < 100; row++) target.store(names(`k${row}-`, 10), target.now - 5);
    target.busyMs = 100;
    await sweeper().sweepOnce(never);
    const limits = target.calls.flatMap((call) => (call.startsWith('due') ? [Number(call.split(' ')[1])] : []));
    expect(limits).toEqual([128, 256, 512, 1000]);
  });

  it('stops in the middle when aborted, and says so', async () => {
    for (let row = 0; row < 100; row++) target.store(names(`k${row}-`, 100), target.now - 1);
    const controller = new AbortController();
    target.before = (call) => {
      if (call.startsWith('reap')) controller.abort();
    };
    const summary = await sweeper().sweepOnce(controller.signal);
    expect(summary).toMatchObject({ interrupted: true, expired: 100 });
    expect(target.items.size).toBe(9900);
  });

  it('does no harm beside a second one', async () => {
    for (let row = 0; row < 100; row++) target.store(names(`k${row}-`, 10), target.now - 1);
    target.store(['kept'], target.now + 60);
    const [a, b] = await Promise.all([sweeper().sweepOnce(never), sweeper().sweepOnce(never)]);
    expect(a.expired + b.expired).toBe(1000);
    expect(target.keyNames()).toEqual(['kept']);
  });
});

describe('Sweeper.sweepOnce() by age and prefix', () => {
  beforeEach(() => {
    target.store(['a:old'], 0, target.now - 8 * DAY);
    target.store(['b:old'], 0, target.now - 8 * DAY);
    target.store(['a:new', 'b:new'], 0);
    target.store(['a:expired', 'b:expired'], target.now - 5);
  });

  it('removes the old and the expired without a prefix', async () => {
    const summary = await sweeper({ olderThanDays: 7 }).sweepOnce(never);
    expect(target.keyNames()).toEqual(['a:new', 'b:new']);
    expect(summary).toMatchObject({ expired: 2, removed: 2 });
  });

  it('removes the old and the expired of a prefix', async () => {
    const summary = await sweeper({ olderThanDays: 7, prefix: Buffer.from('a:') }).sweepOnce(never);
    expect(target.keyNames()).toEqual(['a:new', 'b:expired', 'b:new', 'b:old']);
    expect(summary).toMatchObject({ expired: 0, removed: 2 });
  });

  it('removes only the expired of a prefix without an age', async () => {
    await sweeper({ prefix: Buffer.from('a:') }).sweepOnce(never);
    expect(target.keyNames()).toEqual(['a:new', 'a:old', 'b:expired', 'b:new', 'b:old']);
  });

  it('removes nothing for an age before the epoch', async () => {
    await sweeper({ olderThanDays: 36_500 }).sweepOnce(never);
    expect(target.keyNames()).toEqual(['a:new', 'a:old', 'b:new', 'b:old']);
  });

  it('goes through pages and leaves what was rewritten since it was listed', async () => {
    target.store(names('c', 500), 0, target.now - 9 * DAY);
    target.before = (call) => {
      if (call.startsWith('remove')) target.store(['c0003'], 0);
    };
    const summary = await sweeper({ olderThanDays: 7, batch: 64 }).sweepOnce(never);
    expect(target.keyNames()).toEqual(['a:new', 'b:new', 'c0003']);
    expect(summary).toMatchObject({ removed: 501, changed: 1 });
  });

  it('leaves what was touched since it was listed', async () => {
    target.before = (call) => {
      if (call.startsWith('remove')) target.touch('a:expired', target.now + 60);
    };
    const summary = await sweeper({ prefix: Buffer.from('a:') }).sweepOnce(never);
    expect(target.keyNames()).toContain('a:expired');
    expect(summary).toMatchObject({ removed: 0, changed: 1 });
  });

  it('goes on with its page after a lost connection', async () => {
    target.store(names('c', 500), 0, target.now - 9 * DAY);
    failOnce('list', 4, lost);
    const summary = await sweeper({ olderThanDays: 7, batch: 64 }).sweepOnce(never);
    expect(summary.removed).toBe(502);
    const lists = target.calls.filter((call) => call.startsWith('list'));
    expect(lists.filter((call) => call.endsWith(' -'))).toHaveLength(1);
  });
});

describe('Sweeper.sweepOnce() that only looks', () => {
  it('shows each item once that would go, and changes nothing', async () => {
    target.store(['x', 'y', 'rewritten', 'touched'], target.now - 10);
    target.store(['x'], target.now - 5);
    target.store(['rewritten'], target.now + 60);
    target.touch('touched', 0);
    target.store(['xx'], 0);
    target.store(['old'], 0, target.now - 8 * DAY);
    target.store(['expired-old'], target.now - 7, target.now - 8 * DAY);
    const before = target.keyNames();
    const shown: string[] = [];
    const disposal = previewing(target, (item) => {
      shown.push(item.key.toString());
      return Promise.resolve();
    });
    const one = sweeper({ olderThanDays: 7 }, { disposal });
    const summary = await one.sweepOnce(never);
    expect(shown.toSorted()).toEqual(['expired-old', 'old', 'x', 'y']);
    expect(summary).toMatchObject({ expired: 3, removed: 1 });
    expect(target.keyNames()).toEqual(before);
    expect(target.rows).toHaveLength(4);
    expect(target.calls.some((call) => /^(reap|remove)/.test(call))).toBe(false);
  });
});

describe('Sweeper.run()', () => {
  it('sleeps until the next deadline, sweeps, and hands over its stats', async () => {
    const controller = new AbortController();
    target.store(['a'], target.now - 1);
    target.store(['b'], target.now + 3);
    clock.onPause = (ms) => {
      target.now += ms / 1000;
      if (target.items.size === 0 && clock.pauses.length > 8) controller.abort();
    };
    await sweeper().run(controller.signal);
    expect(target.items.size).toBe(0);
    expect(clock.pauses[0]).toBe(3000);
    expect(target.reports[0]?.get('items_expired')).toBe('1');
    expect(target.reports.at(-1)?.get('items_expired')).toBe('2');
  });

  it('says once that it fails and once that it works again, and backs off', async () => {
    const { logger, lines } = captureLogger('info');
    const controller = new AbortController();
    let failures = 0;
    target.before = () => {
      if (++failures <= 6) throw new LinkError('refused', 'not accepted');
    };
    clock.onPause = () => {
      if (failures > 6) controller.abort();
    };
    await sweeper({}, { logger }).run(controller.signal);
    expect(clock.pauses.slice(0, 6)).toEqual([100, 100, 200, 400, 800, 1600]);
    expect(lines.map(({ msg }) => msg)).toEqual(['sweep failed, trying again', 'sweeping again']);
    expect(stats.entries().get('sweep_failures')).toBe('6');
  });

  it('rejects for an error of another kind', async () => {
    const broken = new TypeError('broken');
    target.before = () => {
      throw broken;
    };
    await expect(sweeper().run(never)).rejects.toBe(broken);
  });

  it('does not look at the ages again before a hundredth of them is over', async () => {
    const controller = new AbortController();
    clock.onPause = (ms) => {
      target.now += ms / 1000;
      if (clock.ms > 1.9 * 0.01 * 7 * DAY * 1000) controller.abort();
    };
    await sweeper({ olderThanDays: 7, intervalMs: 60_000 }).run(controller.signal);
    expect(target.calls.filter((call) => call.startsWith('list'))).toHaveLength(2);
  });

  it('does not spin when the index says due and lists nothing', async () => {
    const controller = new AbortController();
    target.state = () => Promise.resolve({ entries: 1, oldestDeadline: 5, now: target.now, busyMs: 0 });
    clock.onPause = () => {
      if (clock.pauses.length >= 5) controller.abort();
    };
    await sweeper().run(controller.signal);
    expect(clock.ms).toBeGreaterThanOrEqual(4000);
  });
});

describe('innerSweep()', () => {
  it('sweeps a target and hands it the stats of all sweeps so far', async () => {
    const sweep = innerSweep(captureLogger().logger);
    target.store(['a', 'b'], target.now - 1);
    await sweep(target, never);
    target.store(['c'], target.now - 1);
    await sweep(target, never);
    expect(target.items.size).toBe(0);
    expect(target.reports.map((report) => report.get('items_expired'))).toEqual(['2', '3']);
  });
});

describe('a server near its limit on disk', () => {
  it('is told to evict until it has room, after what has expired is gone', async () => {
    target.store(names('due', 3), target.now - 1);
    target.store(names('old', 5), 0);
    target.evictBytes = 25;
    const summary = await sweeper().sweepOnce(never);
    expect(target.keyNames()).toEqual(['old0003', 'old0004']);
    expect(summary).toMatchObject({ expired: 3, removed: 0, evicted: 3 });
    expect(target.calls.findIndex((call) => call.startsWith('reap'))).toBeLessThan(target.calls.findIndex((call) => call.startsWith('evict')));
    expect(stats.entries().get('items_evicted')).toBe('3');
  });

  it('is not asked again and again when nothing can be evicted', async () => {
    target.evictBytes = 25;
    await sweeper().sweepOnce(never);
    expect(target.calls.filter((call) => call.startsWith('evict'))).toHaveLength(1);
  });

  it('is left alone by a sweep that only looks', async () => {
    target.store(['old'], 0);
    target.evictBytes = 25;
    await sweeper({}, { disposal: previewing(target, () => Promise.resolve()) }).sweepOnce(never);
    expect(target.keyNames()).toEqual(['old']);
  });
});

describe('a server with dead rows', () => {
  it('is told to compact while it pays, after all other work', async () => {
    target.store(names('due', 3), target.now - 1);
    target.store(names('old', 2), 0);
    target.evictBytes = 10;
    target.compactBytes = 25;
    expect(await sweeper().sweepOnce(never)).toMatchObject({ expired: 3, evicted: 1, bytes: 3 * 17 + 10 });
    expect(target.calls.filter((call) => call === 'compact')).toHaveLength(3);
    expect(target.calls.indexOf('compact')).toBeGreaterThan(target.calls.findIndex((call) => call.startsWith('evict')));
    expect(Object.fromEntries(stats.entries())).toMatchObject({ compactions: '3', compacted_bytes: '25', dead_bytes: '5' });
  });

  it('is shown as it tells of its disk', async () => {
    await sweeper().sweepOnce(never);
    expect(Object.fromEntries(stats.entries())).toMatchObject({ live_bytes: '1000', dead_bytes: '5', disk_bytes: '1005', value_gc_bytes_given_back: '7' });
  });

  it('is left alone while it is busy, and asked again when it is not', async () => {
    target.compactBytes = 25;
    target.busyMs = 11;
    await sweeper().sweepOnce(never);
    expect(target.calls).not.toContain('compact');
    target.busyMs = 0;
    await sweeper().sweepOnce(never);
    expect(target.compactBytes).toBe(0);
  });

  it('is asked for one range now and then however busy it is', async () => {
    target.compactBytes = 100;
    target.busyMs = 50;
    const abort = new AbortController();
    const asked: number[] = [];
    target.before = (call) => {
      if (call === 'compact') asked.push(clock.ms);
      if (asked.length === 3) abort.abort();
    };
    await sweeper().run(abort.signal);
    expect(asked).toHaveLength(3);
    expect(asked[1]! - asked[0]!).toBeGreaterThanOrEqual(15_000);
    expect(asked[2]! - asked[1]!).toBeGreaterThanOrEqual(15_000);
    expect(asked[2]!).toBeLessThan(60_000);
  });

  it('is asked no more once it becomes busy', async () => {
    target.compactBytes = 100;
    target.before = (call) => {
      if (call === 'compact') target.busyMs = 40;
    };
    await sweeper().sweepOnce(never);
    expect(target.calls.filter((call) => call === 'compact')).toHaveLength(1);
    expect(target.compactBytes).toBe(90);
  });

  it('rests between two steps as after other work, whatever a step takes', async () => {
    target.compactBytes = 20;
    target.before = (call) => {
      if (call === 'compact') clock.ms += 200;
    };
    const abort = new AbortController();
    clock.onPause = () => {
      if (target.compactBytes === 0) abort.abort();
    };
    await sweeper().run(abort.signal);
    // A quarter of the time, although 200 ms of work in the server's own thread would be strain.
    expect(clock.pauses[0]).toBe(600);
  });

  it('is left alone by sweeps that only look, or under a prefix', async () => {
    target.compactBytes = 25;
    await sweeper({}, { disposal: previewing(target, () => Promise.resolve()) }).sweepOnce(never);
    await sweeper({ prefix: Buffer.from('p') }).sweepOnce(never);
    expect(target.compactBytes).toBe(25);
  });
});
