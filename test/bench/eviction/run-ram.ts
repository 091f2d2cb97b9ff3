import { describeEnvironment } from '../environment.ts';
import type { TrafficChoice } from './eviction-workloads.ts';
import { hitRateTable } from './hit-rate-table.ts';
import { Clock, Lru, S3Fifo, Unlimited } from './item-policies.ts';
import { measureShares, reportHead } from './measure-shares.ts';
import { footprint, type Outcome, replay } from './policy.ts';
import { RamPolicy } from './ram-policy.ts';
import type { Workload } from './workload.ts';

const NAMES = ['tugela', 'S3-FIFO', 'LRU', 'GCLOCK', 'unlimited'];

/** Measures hit rates of the RAM tier beside models, and returns the report and every single figure. */
export async function runRam(choice: TrafficChoice, log: (line: string) => void, args: readonly string[]): Promise<{ report: string; json: unknown }> {
  const measured = await measureShares(choice, log, measure);
  const environment = describeEnvironment(args);
  const head = reportHead(environment, choice, [
    '- Size: memory of the RAM tier with its rows and indexes, as a share of the bytes of all items. Figures: gets that hit, in per cent',
    '- tugela: the RAM tier of the server. All others are models, item by item, of as many bytes as the tier held at its end',
  ]);
  return { report: `${head}\n\n${hitRateTable(NAMES, measured, [])}\n`, json: { environment, measured } };
}

async function measure(workload: Workload, share: number): Promise<Record<string, Outcome>> {
  const tier = new RamPolicy(Math.floor(footprint(workload) * share));
  const tugela = await replay(tier, workload);
  const held = tier.usedBytes;
  return {
    tugela,
    'S3-FIFO': await replay(new S3Fifo(held), workload),
    LRU: await replay(new Lru(held), workload),
    GCLOCK: await replay(new Clock(held), workload),
    unlimited: await replay(new Unlimited(), workload),
  };
}
