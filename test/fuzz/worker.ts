import { parentPort, workerData } from 'node:worker_threads';
import { fuzz, type FuzzResult } from './fuzzer.ts';
import { makeTarget } from './targets.ts';

/** What a worker is started with. */
export interface Job {
  readonly target: string;
  readonly seed: number;
  readonly cases: number;
  readonly ms: number;
  /** The input that runs: its number, its length, and from byte 8 on what it is. */
  readonly shared: SharedArrayBuffer;
  /** Runs these alone, unchanged. */
  readonly replay: readonly Uint8Array[] | undefined;
}

/** What it answers. */
export type Answer = FuzzResult | { readonly error: string };

const { target: name, seed, cases, ms, shared, replay } = workerData as Job;
const numbers = new Int32Array(shared, 0, 2);
const current = Buffer.from(shared, 8);

const onRun = (input: Buffer): void => {
  Atomics.add(numbers, 0, 1);
  Atomics.store(numbers, 1, Math.min(input.length, current.length));
  input.copy(current);
};

const target = await makeTarget(name);
const chosen = replay === undefined ? target : { ...bound(target), seeds: replay.map((bytes) => Buffer.from(bytes)) };
// A port of this process: there are no origins here.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage(await fuzz(chosen, { seed, cases: replay?.length ?? cases, ms, onRun }));

function bound(of: typeof target): typeof target {
  return {
    name: of.name,
    seeds: [],
    words: [],
    ...(of.bufferBytes === undefined ? {} : { bufferBytes: of.bufferBytes }),
    run: (input) => of.run(input),
    ...(of.reset === undefined ? {} : { reset: () => of.reset!() }),
    ...(of.close === undefined ? {} : { close: () => of.close!() }),
  };
}
