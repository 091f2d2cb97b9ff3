import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeEnvironment, type Environment } from '../environment.ts';
import type { TrafficChoice } from './eviction-workloads.ts';
import { hitRateTable, type Measurement } from './hit-rate-table.ts';
import { Clock, Fifo, Lru, S3Fifo, Sieve, Unlimited } from './item-policies.ts';
import { measureShares, reportHead } from './measure-shares.ts';
import { footprint, type Outcome, type Policy, replay } from './policy.ts';
import { type SegmentChoice, SegmentPolicy } from './segment-policy.ts';
import { StorePolicy } from './store-policy.ts';
import type { Workload } from './workload.ts';

/** What is to be measured. */
export interface EvictionChoice extends TrafficChoice {
  /** Where stores are made; undefined = the system's directory for temporary files. */
  readonly directory: string | undefined;
  readonly log: (line: string) => void;
}

const itemPolicies: Readonly<Record<string, (capacity: number) => Policy>> = {
  FIFO: (capacity) => new Fifo(capacity),
  LRU: (capacity) => new Lru(capacity),
  GCLOCK: (capacity) => new Clock(capacity),
  SIEVE: (capacity) => new Sieve(capacity),
  'S3-FIFO': (capacity) => new S3Fifo(capacity),
};
/** The setting that is built, and others. */
const built: SegmentChoice = { countMax: 3, keptShare: 0.5, newShare: 0.3 };
const settings: Readonly<Record<string, SegmentChoice>> = {
  'as built': built,
  'kept: ¼': { ...built, keptShare: 0.25 },
  'kept: ¾': { ...built, keptShare: 0.75 },
  'counts to 1': { ...built, countMax: 1 },
  'counts to 7': { ...built, countMax: 7 },
  'new: 0.1': { ...built, newShare: 0.1 },
  'new: 0.2': { ...built, newShare: 0.2 },
  'new: 0.5': { ...built, newShare: 0.5 },
  'one queue': { ...built, newShare: 1 },
};

/** Measures hit rates and bytes copied of ways to evict, and returns the report and every single figure. */
export async function runEviction(choice: EvictionChoice, args: readonly string[]): Promise<{ report: string; json: unknown }> {
  const directory = mkdtempSync(join(choice.directory ?? tmpdir(), 'tugela-eviction-'));
  try {
    const measured = await measureShares(choice, choice.log, (workload, share) => measure(workload, share, directory));
    const environment = describeEnvironment(args);
    return { report: writeReport(measured, environment, choice), json: { environment, measured } };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(workload: Workload, share: number, directory: string): Promise<Record<string, Outcome>> {
  const capacity = Math.floor(footprint(workload) * share);
  const outcomes: Record<string, Outcome> = {};
  for (const [name, make] of Object.entries(itemPolicies)) outcomes[name] = await replay(make(capacity), workload);
  for (const [name, setting] of Object.entries(settings)) outcomes[name] = await replay(new SegmentPolicy(capacity, setting), workload);
  outcomes['unlimited'] = await replay(new Unlimited(), workload);
  const store = await StorePolicy.start(directory, capacity);
  try {
    outcomes['tugela'] = await replay(store, workload);
  } finally {
    await store.close();
  }
  return outcomes;
}

function writeReport(measured: readonly Measurement[], environment: Environment, choice: EvictionChoice): string {
  const head = reportHead(environment, choice, [
    '- Size: share of the bytes of all items. Figures: gets that hit, in per cent; ×: bytes written for each byte stored, where some are copied',
    '- tugela: Cache, Store and Evictor of the server on a directory. All others are models',
  ]);
  const names = ['tugela', ...Object.keys(itemPolicies), 'unlimited'];
  const others = Object.keys(settings);
  return `${[
    head,
    '### Ways to evict',
    hitRateTable(names, measured, ['tugela', 'GCLOCK', 'S3-FIFO']),
    '### Settings of eviction by segments, as a model',
    hitRateTable(others, measured, others),
  ].join('\n\n')}\n`;
}
