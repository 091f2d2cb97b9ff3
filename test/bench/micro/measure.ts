import { roundOrder } from '../statistics.ts';
import type { Contest, Pass } from './contest.ts';

/** Before this the compiler has not seen enough. */
const WARM_UP_MS = 100;
const NANOS_PER_MS = 1e6;

/** Nanoseconds per request, by contestant and round. */
export type Nanos = ReadonlyMap<string, readonly number[]>;

/** One who takes part, warmed up. */
interface Runner {
  readonly name: string;
  readonly pass: Pass;
  /** What each pass must come to. */
  readonly result: number;
  /** Passes that take as long as is to be measured. */
  readonly passes: number;
  readonly nanos: number[];
}

/** Has the contestants of all contests take turns, `rounds` times, for `seconds` each. */
export function measureContests(contests: readonly Contest[], rounds: number, seconds: number): Map<Contest, Nanos> {
  const runners = contests.map((contest) => [...contest.passes].map(([name, pass]) => warmUp(name, pass, seconds)));
  for (let round = 0; round < rounds; round++) {
    for (const [i, contest] of contests.entries()) {
      for (const runner of roundOrder(runners[i] ?? [], round)) runner.nanos.push(time(runner) / contest.count);
    }
  }
  return new Map(contests.map((contest, i) => [contest, new Map((runners[i] ?? []).map(({ name, nanos }) => [name, nanos]))]));
}

function warmUp(name: string, pass: Pass, seconds: number): Runner {
  const runner: Runner = { name, pass, result: pass(), passes: 1, nanos: [] };
  const end = performance.now() + WARM_UP_MS;
  let nanos = time(runner);
  while (performance.now() < end) nanos = time(runner);
  return { ...runner, passes: Math.max(1, Math.round((seconds * 1e3 * NANOS_PER_MS) / nanos)) };
}

/** Nanoseconds per pass. */
function time({ name, pass, passes, result }: Runner): number {
  let others = 0;
  const start = process.hrtime.bigint();
  for (let i = 0; i < passes; i++) if (pass() !== result) others++;
  const nanos = Number(process.hrtime.bigint() - start) / passes;
  if (others > 0) throw new Error(`${name} came to another result than before`);
  return nanos;
}
