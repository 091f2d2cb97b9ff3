/**
 * Wakes the load generator at even intervals, more exactly than timers of an event loop do, as long as the process lives.
 * `workerData`: `tickMs`, and `seen`, shared memory of an Int32: 1 = the last tick was seen.
 */
import { parentPort, workerData } from 'node:worker_threads';

const { tickMs, seen } = workerData as { tickMs: number; seen: Int32Array };
const nobody = new Int32Array(new SharedArrayBuffer(4));

const startedMs = performance.now();
for (let tick = 1; ; tick = Math.floor((performance.now() - startedMs) / tickMs) + 1) {
  Atomics.wait(nobody, 0, 0, Math.max(0, startedMs + tick * tickMs - performance.now()));
  // A generator that is busy is not sent more and more ticks: the next one does for all it missed.
  if (Atomics.exchange(seen, 0, 0) === 1) parentPort?.postMessage(0, []);
}
