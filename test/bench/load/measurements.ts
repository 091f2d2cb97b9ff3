import { Histogram } from './histogram.ts';
import type { LoadDetails, LoadResult } from './load-spec.ts';
import { createTally, type Tally } from './checker.ts';
import type { Request } from './request.ts';

const NS_PER_MS = 1e6;
const NS_PER_US = 1e3;
const US_PER_S = 1e6;

/** What all connections of a generator measure together, for one run. */
export class Measurements {
  readonly tally: Tally = createTally();
  readonly #latencies = new Histogram();
  readonly #delays = new Histogram();
  readonly #startedAt = performance.now();
  readonly #startedCpu = process.cpuUsage();
  #operations = 0;

  /** Counts a request whose answer is complete at `now`, on the clock of `performance.now()`. */
  countAnswered(request: Request, now: number): void {
    this.#operations += request.count;
    this.#latencies.record((now - request.startedAt) * NS_PER_MS);
  }

  /** All latencies so far. */
  latencies(): LoadDetails['latencies'] {
    return this.#latencies.counts();
  }

  /** Counts a request of an open load that is sent `lateMs` after it was due. */
  countSent(lateMs: number): void {
    this.#delays.record(lateMs * NS_PER_MS);
  }

  /** What was measured from the making of this object until now. */
  result(): LoadResult {
    const cpu = process.cpuUsage(this.#startedCpu);
    const percentile = (share: number): number => this.#latencies.percentile(share) / NS_PER_US;
    return {
      ...this.tally,
      operations: this.#operations,
      seconds: (performance.now() - this.#startedAt) / 1000,
      p50: percentile(0.5),
      p99: percentile(0.99),
      p999: percentile(0.999),
      lateP99: this.#delays.percentile(0.99) / NS_PER_US,
      cpuSeconds: (cpu.user + cpu.system) / US_PER_S,
    };
  }
}
