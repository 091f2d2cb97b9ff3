import type { Clock } from '../../daemon/clock.ts';

/** A clock whose pauses pass at once: it jumps to their end and remembers them. */
export class AutoClock implements Clock {
  ms = 0;
  readonly pauses: number[] = [];
  /** Called with each pause, before it passes. */
  onPause: (ms: number) => void = () => undefined;

  nowMs(): number {
    return this.ms;
  }

  unixSeconds(): number {
    return 1_000_000 + Math.floor(this.ms / 1000);
  }

  pause(ms: number, signal: AbortSignal): Promise<void> {
    this.pauses.push(ms);
    this.onPause(ms);
    if (!signal.aborted) this.ms += ms;
    return Promise.resolve();
  }
}
