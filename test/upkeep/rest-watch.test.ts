import { describe, expect, it } from 'vitest';
import { RestWatch } from '../../src/upkeep/rest-watch.ts';

describe('RestWatch', () => {
  it('takes half a minute without change for rest', () => {
    const watch = new RestWatch();
    expect([0, 29_999, 30_000].map((ms) => watch.note(500, 1000, ms))).toEqual([false, false, true]);
  });

  it('counts a hundredth of the whole as no change, more as one, up or down', () => {
    const watch = new RestWatch();
    watch.note(500, 1000, 0);
    expect(watch.note(510, 1000, 30_000)).toBe(true);
    expect(watch.note(511, 1000, 40_000)).toBe(false);
    expect(watch.note(511, 1000, 70_000)).toBe(true);
    expect(watch.note(400, 1000, 80_000)).toBe(false);
  });

  it('adds up what changes little by little', () => {
    const watch = new RestWatch();
    for (let i = 0; i < 12; i++) watch.note(500 + i, 1000, 5000 * i);
    expect(watch.note(512, 1000, 60_000)).toBe(false);
  });
});
