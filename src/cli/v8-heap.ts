import { setFlagsFromString } from 'node:v8';

/**
 * `--memory` in MB from which V8 does as it likes: half of that is more than it takes. Below, pipelined sets pay a fifth to a
 * quarter of their CPU for it (docs/operations.md, "Memory").
 */
const PLENTY = 192;

/** The same from which V8 may take its time with memory outside its heap, some 100 MB more of it. */
const PLENTY_OUTSIDE = 512;

/**
 * What V8 is told about its heap; `said` is what Node was told by who started it: that stands.
 *
 * Where `--memory` (MB) is small: by itself V8 gives new objects 32 MB (Node 20, 22) or 128 MB (Node 24), and waits with the collection
 * of old ones until they are a few times what was left of them the last time: together as much as many a server's whole cache.
 *
 * Where it is large: the heap is small, but V8 marks it whole whenever 64 MB of values have come from outside, several times a second
 * with large ones. Its four threads for that mostly wait for each other then: a quarter of the CPU of sets of 100 KB, of which they take
 * next to nothing off the main thread (docs/operations.md, "Memory").
 */
export function heapFlags(memory: number, said: string): string[] {
  const flags: string[] = [];
  if (memory >= PLENTY_OUTSIDE && !/concurrent[-_]marking/.test(said)) flags.push('--no-concurrent-marking');
  if (memory >= PLENTY) return flags;
  // The size itself is settled before any of our code runs; whether it grows is looked at each time.
  if (!/semi[-_]space/.test(said)) flags.push('--semi-space-growth-factor=1');
  if (!/heap[-_]growing/.test(said)) flags.push('--heap-growing-percent=10');
  return flags;
}

/** Tells V8 so. Of use as long as the heap has not grown: before the server is loaded. */
export function boundHeap(memory: number): void {
  for (const flag of heapFlags(memory, [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' '))) setFlagsFromString(flag);
}
