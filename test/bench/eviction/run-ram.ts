import { describeEnvironment } from '../environment.ts';
import { evictionWorkloads, type TrafficChoice } from './eviction-workloads.ts';
import { hitRateTable, type Measurement } from './hit-rate-table.ts';
import { Clock, Lru, S3Fifo, Unlimited } from './item-policies.ts';
import { footprint, type Outcome, replay } from './policy.ts';
import { RamPolicy } from './ram-policy.ts';
import type { Workload } from './workload.ts';

const SHARES = [0.01, 0.1, 0.3];
const NAMES = ['tugela', 'S3-FIFO', 'LRU', 'GCLOCK', 'unlimited'];

/** Measures hit rates of the RAM tier beside models, and returns the report and every single figure. */
export async function runRam(choice: TrafficChoice, log: (line: string) => void, args: readonly string[]): Promise<{ report: string; json: unknown }> {
  const measured: Measurement[] = [];
  for (const make of evictionWorkloads(choice)) {
    const workload = make();
    for (const share of SHARES) {
      log(`${workload.name}, ${share * 100} %`);
      measured.push({ workload: workload.name, share, outcomes: await measure(workload, share) });
    }
  }
  const environment = describeEnvironment(args);
  const { items, requests, valueBytes } = choice;
  const head = [
    `- Command: \`${environment.command}\``,
    `- Date: ${environment.date}`,
    `- Node: ${environment.node}`,
    `- ${items} items with values of ${valueBytes} bytes, ${requests} requests of each workload that is made up, of which the first 40 % are not counted`,
    '- Size: memory of the RAM tier with its rows and indexes, as a share of the bytes of all items. Figures: gets that hit, in per cent',
    '- tugela: the RAM tier of the server. All others are models, item by item, of as many bytes as the tier held at its end',
  ].join('\n');
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
