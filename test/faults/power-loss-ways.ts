import type { WriteKind } from './store-writer.ts';
import type { WriteSpec } from './written-store.ts';

/** A store that loses power, and in what moment. */
export interface PowerLossWay {
  readonly name: string;
  readonly spec: WriteSpec;
}

/** With --ack sync all is safe but the last write, so each kind has a store in which it is the last. */
const KINDS: readonly WriteKind[] = ['put', 'flush', 'rewrite', 'evict', 'job'];

export const powerLossWays: readonly PowerLossWay[] = [
  { name: '--ack log, 60 writes after the last sync', spec: { syncsEach: false, before: 40, after: 60, writeBufferBytes: undefined } },
  { name: '--ack log, in the first seconds of a store', spec: { syncsEach: false, before: 0, after: 30, writeBufferBytes: undefined } },
  { name: '--ack log, when LevelDB has begun a new log', spec: { syncsEach: false, before: 60, after: 160, writeBufferBytes: 64 * 1024 } },
  ...KINDS.map((last) => ({ name: `--ack sync, the last write, ${last}, not answered yet`, spec: { syncsEach: true, before: 40, after: 1, last, writeBufferBytes: undefined } })),
];
