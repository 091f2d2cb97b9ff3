import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Portion } from './phases.ts';
import type { ReaderOrder } from './reader-thread.ts';

/** Those who get what stays, meanwhile. */
export class Readers {
  readonly #worker: Worker;

  constructor(order: ReaderOrder) {
    this.#worker = new Worker(new URL('reader-thread.js', import.meta.url), { workerData: order });
  }

  /** What was read since the last report. */
  async report(): Promise<Portion> {
    const reported = once(this.#worker, 'message');
    this.#worker.postMessage('report', []);
    const [portion] = (await reported) as [Portion];
    return portion;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
