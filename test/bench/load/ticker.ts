import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/** Starts to call back at even intervals, to a fraction of a millisecond, and goes on with it. Resolves at the first tick. */
export async function startTicking(tickMs: number, onTick: () => void): Promise<void> {
  const seen = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  const worker = new Worker(join(import.meta.dirname, 'ticker-thread.js'), { workerData: { tickMs, seen } });
  worker.on('message', () => {
    Atomics.store(seen, 0, 1);
    onTick();
  });
  await once(worker, 'message');
}
