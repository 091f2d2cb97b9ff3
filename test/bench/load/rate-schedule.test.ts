import { describe, expect, it } from 'vitest';
import { RateSchedule } from './rate-schedule.ts';

function takeAll(schedule: RateSchedule, nowMs: number): number[] {
  const due: number[] = [];
  for (let at = schedule.take(nowMs); at !== undefined; at = schedule.take(nowMs)) due.push(at);
  return due;
}

describe('RateSchedule', () => {
  it('gives nothing before its time', () => {
    const schedule = new RateSchedule(1000, 100, 0.5);
    expect(schedule.take(99.9)).toBeUndefined();
    expect(takeAll(schedule, 102)).toEqual([100, 101, 102]);
    expect(schedule.nextMs).toBe(103);
    expect(schedule.take(102.9)).toBeUndefined();
  });

  it('puts requests together at ticks, none before its exact time', () => {
    expect(takeAll(new RateSchedule(4000, 0, 0.5), 1)).toEqual([0, 0.5, 0.5, 1, 1]);
  });

  it('keeps the rate that does not fit the ticks', () => {
    expect(takeAll(new RateSchedule(33_333, 0, 0.5), 2999.99)).toHaveLength(99_999 - 16);
    expect(takeAll(new RateSchedule(33_333, 0, 0.5), 3000)).toHaveLength(100_000);
  });

  it('tells when requests were due that a stall held up', () => {
    const schedule = new RateSchedule(10, 0, 1);
    expect(takeAll(schedule, 450)).toEqual([0, 100, 200, 300, 400]);
  });
});
