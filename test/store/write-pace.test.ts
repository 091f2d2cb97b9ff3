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

  it('lets none block for a second after one had to wait, and longer when the next one has to wait too', () => {
    const pace = new WritePace();
    pace.finish(1000, 1200, true);
    expect(pace.isOn(2199)).toBe(false);
    expect(pace.isOn(2200)).toBe(true);
    pace.finish(2200, 2400, true);
    expect(pace.isOn(4399)).toBe(false);
    expect(pace.isOn(4400)).toBe(true);
  });

  it('blocks for a second again when the last slow write was long ago', () => {
    const pace = new WritePace();
    for (let at = 0; at < 1e6; at += 70_000) pace.finish(at, at + 200, true);
    expect(pace.isOn(980_200 + 59_999)).toBe(false);
    pace.finish(2e6, 2e6 + 200, true);
    expect(pace.isOn(2e6 + 1200)).toBe(true);
  });

  it('goes by writes that do not block while none may', () => {
    const pace = new WritePace();
    pace.finish(1000, 1200, true);
    pace.finish(2000, 2100, false);
    expect(pace.isOn(3099)).toBe(false);
    pace.finish(3000, 3020, false);
    expect(pace.isOn(3100)).toBe(true);
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
