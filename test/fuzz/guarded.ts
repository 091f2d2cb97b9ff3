import { Worker } from 'node:worker_threads';
import type { Finding, FuzzResult } from './fuzzer.ts';
import type { Job } from './worker.ts';

const LOOK_MS = 500;
/** Bytes of input that are kept for who looks at a hang. */
const SHARED_BYTES = 64 * 1024;
/** MB. */
const HEAP_MAX = 1024;
const RESIDENT_MAX = 3 * 2 ** 30;

/**
 * Fuzzes a target in a thread of its own, which is ended when an input takes longer than `hangMs`, or eats the memory, or
 * throws where nobody catches it.
 */
export async function fuzzGuarded(job: Omit<Job, 'shared'>, hangMs: number): Promise<FuzzResult> {
  const shared = new SharedArrayBuffer(8 + SHARED_BYTES);
  const numbers = new Int32Array(shared, 0, 2);
  const worker = new Worker(new URL('worker.js', import.meta.url), {
    workerData: { ...job, shared } satisfies Job,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX },
  });
  const begun = performance.now();
  return await new Promise((resolve) => {
    let seen = -1;
    let seenAt = performance.now();
    const end = (result: FuzzResult): void => {
      clearInterval(timer);
      void worker.terminate().then(() => resolve(result));
    };
    const fail = (problem: string): void => {
      const input = Buffer.from(Buffer.from(shared, 8, numbers[1]));
      const finding: Finding = { input, problem, isRepeatable: false };
      end({ cases: Math.max(0, numbers[0]!), ms: performance.now() - begun, corpus: 0, blocks: 0, findings: [finding] });
    };
    const timer = setInterval(() => {
      const count = Atomics.load(numbers, 0);
      if (count !== seen) {
        seen = count;
        seenAt = performance.now();
      } else if (count > 0 && performance.now() - seenAt > hangMs) fail(`hangs: an input has not ended after ${hangMs} ms`);
      if (process.memoryUsage.rss() > RESIDENT_MAX) fail(`takes more than ${RESIDENT_MAX} bytes of memory`);
    }, LOOK_MS);
    worker.on('message', (result: FuzzResult) => {
      // Buffers arrive as plain bytes.
      end({ ...result, findings: result.findings.map((finding) => ({ ...finding, input: Buffer.from(finding.input) })) });
    });
    // What cannot be handed over between threads comes as nothing.
    worker.on('error', (error: Error | undefined) => fail(`ends the process: ${error?.stack ?? 'an exception that nobody catches'}`));
  });
}
