import { join } from 'node:path';
import type { Contestant } from './contestants.ts';
import type { LoadResult, LoadSpec } from './load/load-spec.ts';
import { fill, measure, type Measurement } from './measurement.ts';
import type { BenchOptions } from './options.ts';
import type { ProcessKeeper } from './process-keeper.ts';
import { Server } from './server.ts';
import { roundOrder } from './statistics.ts';
import { fillLoad, type Workload, type WorkloadLoad } from './workloads.ts';

/** Connections that a server must bear beyond those of the load: others are still closing. */
const SPARE_CONNECTIONS = 200;

/** What a campaign came to. */
export interface CampaignResult {
  readonly measurements: readonly Measurement[];
  /** What each server answered to `version`. */
  readonly versions: ReadonlyMap<string, string>;
  /** Sentences about what went wrong; with any, the figures are not to be trusted. */
  readonly failures: readonly string[];
}

/**
 * Runs workloads on contestants. Workloads with values of one size share their servers and items. Within each
 * round of a workload all servers take turns; those that wait are held still.
 */
export class Campaign {
  readonly #options: BenchOptions;
  readonly #keeper: ProcessKeeper;
  readonly #directory: string;
  readonly #log: (line: string) => void;
  readonly #measurements: Measurement[] = [];
  readonly #versions = new Map<string, string>();
  readonly #failures: string[] = [];

  constructor(options: BenchOptions, keeper: ProcessKeeper, directory: string, log: (line: string) => void) {
    this.#options = options;
    this.#keeper = keeper;
    this.#directory = directory;
    this.#log = log;
  }

  /** Runs everything. A server that fails is left out of what remains of its group of workloads. */
  async run(contestants: readonly Contestant[]): Promise<CampaignResult> {
    const sizes = new Set(this.#options.workloads.map(({ load }) => load.valueBytes));
    for (const size of sizes) {
      const group = this.#options.workloads.filter(({ load }) => load.valueBytes === size);
      const servers: Server[] = [];
      for (const contestant of contestants) {
        const server = await this.#prepare(contestant, group);
        if (server !== undefined) servers.push(server);
      }
      await this.#runGroup(servers, group);
    }
    return { measurements: this.#measurements, versions: this.#versions, failures: this.#failures };
  }

  /** Starts and fills a server, then holds it still. */
  async #prepare(contestant: Contestant, group: readonly Workload[]): Promise<Server | undefined> {
    const valueBytes = group[0]?.load.valueBytes ?? 0;
    let server: Server | undefined;
    try {
      const connections = this.#options.connections + SPARE_CONNECTIONS;
      server = await Server.start(contestant, { directory: join(this.#directory, String(valueBytes)), valueBytes, connections }, this.#keeper);
      this.#versions.set(contestant.name, server.version);
      const needsItems = group.find((workload) => workload.needsItems);
      if (contestant.storesValues && needsItems !== undefined) {
        this.#log(`${contestant.name}: storing ${this.#options.items} items of ${valueBytes} B`);
        this.#check(contestant, 'filling', await fill(server, this.#spec(fillLoad(needsItems.load), server), this.#keeper));
      }
      server.pause();
      return server;
    } catch (error) {
      this.#fail((error as Error).message);
      await server?.stop();
      return undefined;
    }
  }

  async #runGroup(servers: readonly Server[], group: readonly Workload[]): Promise<void> {
    const failed = new Set<Server>();
    for (const workload of group) {
      for (let round = 0; round < this.#options.rounds; round += 1) {
        for (const server of roundOrder(servers, round).filter((candidate) => !failed.has(candidate))) {
          if (!(await this.#measure(server, workload, round))) failed.add(server);
        }
      }
    }
    for (const server of servers) await server.stop();
  }

  async #measure(server: Server, workload: Workload, round: number): Promise<boolean> {
    const { contestant } = server;
    const place = { workload: workload.name, round };
    server.resume();
    try {
      const measurement = await measure(server, place, this.#spec(workload.load, server), this.#options.seconds, this.#keeper);
      this.#check(contestant, `${workload.name}, round ${round + 1}`, measurement.load);
      this.#measurements.push(measurement);
      const figures = `${Math.round(measurement.opsPerSecond)} ops/s, ${measurement.cpuPerOp.toFixed(1)} µs CPU/op`;
      this.#log(`${workload.name} ${round + 1}/${this.#options.rounds} ${contestant.name}: ${figures}`);
      return true;
    } catch (error) {
      this.#fail(`${contestant.name}: ${workload.name}, round ${round + 1}: ${(error as Error).message}`);
      return false;
    } finally {
      server.pause();
    }
  }

  #spec(load: WorkloadLoad, server: Server): LoadSpec {
    const { connections, items, seed } = this.#options;
    return { ...load, connections, items, seed, port: server.port, checkValues: server.contestant.storesValues };
  }

  #check(contestant: Contestant, when: string, load: LoadResult): void {
    if (load.wrong > 0) this.#fail(`${contestant.name}: ${when}: ${load.wrong} wrong answers, the first: ${load.firstWrong ?? ''}`);
  }

  #fail(failure: string): void {
    this.#failures.push(failure);
    this.#log(`FAILED ${failure}`);
  }
}
