import { setFlagsFromString } from 'node:v8';

/**
 * `--memory` in MB from which V8 does as it likes: half of that is more than it takes. Below, pipelined sets pay a fifth to a
 * quarter of their CPU for it (docs/operations.md, "Memory").
 */
const PLENTY = 192;

/**
 * What V8 is told about its heap where `--memory` (MB) is small. By itself it gives new objects 32 MB (Node 20, 22) or
 * 128 MB (Node 24), and waits with the collection of old ones until they are a few times what was left of them the last
 * time: together as much as many a server's whole cache. `said` is what Node was told by who started it: that stands.
 */
export function heapFlags(memory: number, said: string): string[] {
  if (memory >= PLENTY) return [];
  const flags: string[] = [];
  // The size itself is settled before any of our code runs; whether it grows is looked at each time.
  if (!/semi[-_]space/.test(said)) flags.push('--semi-space-growth-factor=1');
  if (!/heap[-_]growing/.test(said)) flags.push('--heap-growing-percent=10');
  return flags;
}

/** Keeps V8's heap small if `--memory` (MB) is. Of use as long as the heap has not grown: before the server is loaded. */
export function boundHeap(memory: number): void {
  for (const flag of heapFlags(memory, [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' '))) setFlagsFromString(flag);
}
