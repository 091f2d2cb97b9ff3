import type { Environment } from '../environment.ts';
import { evictionWorkloads, type TrafficChoice } from './eviction-workloads.ts';
import type { Measurement } from './hit-rate-table.ts';
import type { Outcome } from './policy.ts';
import type { Workload } from './workload.ts';

/** Sizes of the caches, as shares of the bytes of all items. */
const SHARES = [0.01, 0.1, 0.3];

/** Has `measure` answer each workload in caches of each size; `log` is told which is next. */
export async function measureShares(
  choice: TrafficChoice,
  log: (line: string) => void,
  measure: (workload: Workload, share: number) => Promise<Record<string, Outcome>>,
): Promise<Measurement[]> {
  const measured: Measurement[] = [];
  for (const make of evictionWorkloads(choice)) {
    const workload = make();
    for (const share of SHARES) {
      log(`${workload.name}, ${share * 100} %`);
      measured.push({ workload: workload.name, share, outcomes: await measure(workload, share) });
    }
  }
  return measured;
}

/** What a report begins with. */
export function reportHead(environment: Environment, { items, requests, valueBytes }: TrafficChoice, notes: readonly string[]): string {
  return [
    `- Command: \`${environment.command}\``,
    `- Date: ${environment.date}`,
    `- Node: ${environment.node}`,
    `- ${items} items with values of ${valueBytes} bytes, ${requests} requests of each workload that is made up, of which the first 40 % are not counted`,
    ...notes,
  ].join('\n');
}
