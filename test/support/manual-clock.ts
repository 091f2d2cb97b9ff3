import type { Clock } from '../../src/clock.ts';

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  seconds: number;

  constructor(seconds = 1_700_000_000) {
    this.seconds = seconds;
  }

  now(): number {
    return this.seconds;
  }

  /** Moves the clock on, or back by a negative number. */
  advance(seconds: number): void {
    this.seconds += seconds;
  }
}
