import { describe, expect, it, vi } from 'vitest';
import { DelayHistogram, LoopDelay } from '../../src/upkeep/loop-delay.ts';

describe('DelayHistogram', () => {
  it('gives percentiles that are at most 9 % too high, and the exact maximum', () => {
    const delays = new DelayHistogram();
    for (let ms = 1; ms <= 1000; ms++) delays.record(ms);
    for (const share of [0.5, 0.99, 0.999]) {
      const exact = share * 1000;
      expect(delays.percentile(share)).toBeGreaterThanOrEqual(exact);
      expect(delays.percentile(share)).toBeLessThanOrEqual(exact * 1.0906);
    }
    expect(delays.max).toBe(1000);
    expect(delays.percentile(1)).toBe(1000);
  });

  it('takes delays of any length', () => {
    const delays = new DelayHistogram();
    for (const ms of [0, 0.001, 1e7]) delays.record(ms);
    expect([delays.total, delays.max, delays.percentile(0.5)]).toEqual([3, 1e7, 0.125]);
  });

  it('adds up', () => {
    const one = new DelayHistogram();
    const other = new DelayHistogram();
    one.record(1);
    other.record(8);
    one.add(other);
    expect([one.total, one.max, one.percentile(1)]).toEqual([2, 8, 8]);
  });
});

describe('LoopDelay', () => {
  /** `pass`: the next look comes so many milliseconds after the last, for so many of which the loop was at work. */
  function watched(): { delay: LoopDelay; pass: (ms: number, activeMs?: number) => void; stat: (name: string) => number } {
    let now = 0;
    let active = 0;
    const delay = new LoopDelay(
      () => now,
      () => active,
    );
    return {
      delay,
      pass(ms, activeMs = ms) {
        now += ms;
        active += activeMs;
        delay.look();
      },
      stat: (name) => Number(new Map(delay.stats()).get(name)),
    };
  }

  it('counts by how much a look came later than it should', () => {
    const { pass, stat } = watched();
    for (let i = 0; i < 100; i++) pass(5);
    pass(65);
    expect(stat('loop_delay_ms_max')).toBe(60);
    expect(stat('loop_delay_ms_p50')).toBe(0.1);
    expect([10, 50, 100, 500].map((ms) => stat(`loop_delays_above_${ms}_ms`))).toEqual([1, 1, 0, 0]);
  });

  it('forgets what is older than a minute in the figures of the last minute alone', () => {
    const { delay, pass, stat } = watched();
    pass(205);
    for (let second = 0; second < 59; second++) delay.tick();
    expect(stat('loop_delay_minute_ms_max')).toBe(200);
    delay.tick();
    expect(stat('loop_delay_minute_ms_max')).toBe(0);
    expect(stat('loop_delay_ms_max')).toBe(200);
  });

  it('says how it was in the last whole second', () => {
    const { delay, pass } = watched();
    pass(45);
    expect(delay.lastSecondMs).toBe(0);
    delay.tick();
    expect(delay.lastSecondMs).toBe(40);
    delay.tick();
    expect(delay.lastSecondMs).toBe(0);
  });

  it('looks less often while the loop has little to do', () => {
    const { delay, pass, stat } = watched();
    pass(5);
    expect(delay.periodMs).toBe(5);
    pass(5, 0.1);
    expect(delay.periodMs).toBe(50);
    pass(50, 4);
    expect(delay.periodMs).toBe(50);
    pass(90, 60);
    expect(delay.periodMs).toBe(5);
    expect(stat('loop_delay_ms_max')).toBe(40);
  });

  it('sees what holds up a loop that was idle', async () => {
    const delay = new LoopDelay();
    delay.start();
    try {
      // However busy the machine is.
      await vi.waitUntil(() => delay.periodMs > 5, { timeout: 30_000 });
      // Longer than the time between two looks: whenever it begins, one is late.
      const until = performance.now() + 100;
      while (performance.now() < until);
      await vi.waitUntil(() => delay.stats().some(([name, value]) => name === 'loop_delays_above_10_ms' && Number(value) > 0), { timeout: 30_000 });
    } finally {
      delay.stop();
    }
  });
});
