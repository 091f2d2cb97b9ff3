import { describe, expect, it } from 'vitest';
import { WritePace } from '../../src/store/write-pace.ts';

describe('WritePace', () => {
  it('lets small groups block while writes are fast', () => {
    const pace = new WritePace();
    expect(pace.mayBlock(128 * 1024)).toBe(true);
    expect(pace.mayBlock(128 * 1024 + 1)).toBe(false);
    pace.finish(1000, 1001, true);
    expect(pace.isOn(1001)).toBe(true);
  });

  it('lets none block for twenty times as long as one had to wait, and longer when the next one has to wait too', () => {
    const pace = new WritePace();
    pace.finish(1000, 1010, true);
    expect(pace.isOn(1209)).toBe(false);
    expect(pace.isOn(1210)).toBe(true);
    pace.finish(1210, 1220, true);
    expect(pace.isOn(1619)).toBe(false);
    expect(pace.isOn(1620)).toBe(true);
    pace.finish(1620, 1720, true);
    expect(pace.isOn(3719)).toBe(false);
    expect(pace.isOn(3720)).toBe(true);
  });

  it('forgets a slow write when none follows soon', () => {
    const pace = new WritePace();
    for (let at = 0; at < 100_000; at += 3000) pace.finish(at, at + 10, true);
    expect(pace.isOn(99_010 + 199)).toBe(false);
    expect(pace.isOn(99_010 + 200)).toBe(true);
  });

  it('lets hardly any block while all are slow', () => {
    const pace = new WritePace();
    let blocked = 0;
    let now = 0;
    for (; now < 3.6e6; now += 10) {
      if (!pace.isOn(now)) continue;
      pace.finish(now, now + 50, true);
      now += 50;
      blocked += 50;
    }
    expect(blocked / now).toBeLessThan(0.001);
    expect(pace.isOn(now + 60_000)).toBe(true);
  });

  it('goes by writes that do not block while none may', () => {
    const pace = new WritePace();
    pace.finish(1000, 1050, true);
    pace.finish(1900, 2000, false);
    expect(pace.isOn(2999)).toBe(false);
    pace.finish(2900, 2920, false);
    expect(pace.isOn(3000)).toBe(true);
  });

  it('lets none block while files are forced to disk', async () => {
    const pace = new WritePace();
    await expect(
      pace.whileSyncing(() => {
        expect(pace.mayBlock(1)).toBe(false);
        return Promise.reject(new Error('EIO'));
      }),
    ).rejects.toThrow('EIO');
    expect(pace.mayBlock(1)).toBe(true);
  });
});
