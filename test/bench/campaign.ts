import { join } from 'node:path';
import { coldFilesMissing } from './cold-files.ts';
import type { Contestant } from './contestants.ts';
import { chooseWriteCounter, type WriteCounter } from './disk-usage.ts';
import { connectionsOf, type Group, groupWorkloads } from './groups.ts';
import type { LoadResult, LoadSpec } from './load/load-spec.ts';
import { fill, measure, type Measurement } from './measurement.ts';
import type { BenchOptions } from './options.ts';
import type { ProcessKeeper } from './process-keeper.ts';
import { endings, restart, type RestartMeasurement } from './restart.ts';
import { Server, type ServerNeeds } from './server.ts';
import { roundOrder } from './statistics.ts';
import { fillLoad, type Workload, type WorkloadLoad } from './workloads.ts';

/** What a campaign came to. */
export interface CampaignResult {
  readonly measurements: readonly Measurement[];
  readonly restarts: readonly RestartMeasurement[];
  /** What each server answered when asked for its version. */
  readonly versions: ReadonlyMap<string, string>;
  /** What bytes written were counted by. */
  readonly writeCounter: WriteCounter;
  /** Why workloads were left out. */
  readonly skipped: readonly string[];
  /** Sentences about what went wrong; with any, the figures are not to be trusted. */
  readonly failures: readonly string[];
}

/**
 * Runs workloads on contestants. Workloads that want the same items share their servers. Within each round of a
 * workload all servers take turns; those that wait are held still.
 */
export class Campaign {
  readonly #options: BenchOptions;
  readonly #keeper: ProcessKeeper;
  readonly #directory: string;
  readonly #log: (line: string) => void;
  readonly #measurements: Measurement[] = [];
  readonly #restarts: RestartMeasurement[] = [];
  readonly #versions = new Map<string, string>();
  readonly #writeCounter: WriteCounter;
  readonly #skipped: string[] = [];
  readonly #failures: string[] = [];

  constructor(options: BenchOptions, keeper: ProcessKeeper, directory: string, log: (line: string) => void) {
    this.#options = options;
    this.#keeper = keeper;
    this.#directory = directory;
    this.#log = log;
    this.#writeCounter = chooseWriteCounter(directory);
  }

  /** Runs everything. A server that fails is left out of what remains of its group of workloads. */
  async run(contestants: readonly Contestant[]): Promise<CampaignResult> {
    for (const [index, group] of groupWorkloads(this.#chooseWorkloads(), this.#options).entries()) {
      const needs: ServerNeeds = { directory: join(this.#directory, String(index)), ...group };
      const servers: Server[] = [];
      for (const contestant of contestants.filter((one) => canTakePart(one, group))) {
        const server = await this.#prepare(contestant, group, needs);
        if (server !== undefined) servers.push(server);
      }
      if (group.workloads[0]?.isRestart === true) await this.#runRestarts(servers, group.workloads[0], group, needs);
      else await this.#runGroup(servers, group);
    }
    return {
      measurements: this.#measurements,
      restarts: this.#restarts,
      versions: this.#versions,
      writeCounter: this.#writeCounter,
      skipped: this.#skipped,
      failures: this.#failures,
    };
  }

  #chooseWorkloads(): Workload[] {
    const coldMissing = this.#options.workloads.some(({ isCold }) => isCold) ? coldFilesMissing() : undefined;
    return this.#options.workloads.filter(({ name, isCold }) => {
      if (isCold !== true || coldMissing === undefined) return true;
      this.#skipped.push(`${name}: ${coldMissing}`);
      this.#log(`${name} is left out: ${coldMissing}`);
      return false;
    });
  }

  /** Starts and fills a server, then holds it still. */
  async #prepare(contestant: Contestant, group: Group, needs: ServerNeeds): Promise<Server | undefined> {
    let server: Server | undefined;
    try {
      server = await Server.start(contestant, needs, this.#keeper);
      this.#versions.set(contestant.name, server.version);
      const needsItems = group.workloads.find((workload) => workload.needsItems);
      if (contestant.storesValues && needsItems !== undefined) {
        this.#log(`${contestant.name}: storing ${group.items} items of ${group.valueBytes} B`);
        const spec = this.#spec(fillLoad(needsItems.load), this.#options.connections, group, server);
        this.#check(contestant, 'filling', await fill(server, spec, this.#keeper));
      }
      server.pause();
      return server;
    } catch (error) {
      this.#fail((error as Error).message);
      await server?.stop();
      return undefined;
    }
  }

  async #runGroup(servers: readonly Server[], group: Group): Promise<void> {
    const failed = new Set<Server>();
    for (const workload of group.workloads) {
      for (let round = 0; round < this.#options.rounds; round += 1) {
        for (const server of roundOrder(servers, round).filter((candidate) => !failed.has(candidate))) {
          if (!(await this.#measure(server, workload, group, round))) failed.add(server);
        }
      }
    }
    for (const server of servers) await server.stop();
  }

  async #measure(server: Server, workload: Workload, group: Group, round: number): Promise<boolean> {
    const { contestant } = server;
    const { seconds, rate, rounds } = this.#options;
    server.resume();
    try {
      const measurement = await measure(server, this.#spec(workload.load, connectionsOf(workload, this.#options), group, server), {
        workload: workload.name,
        round,
        seconds: seconds * (workload.stretch ?? 1),
        pace: workload.isPaced === true ? (rate ?? 'half') : undefined,
        isCold: workload.isCold === true,
        writeCounter: this.#writeCounter,
        keeper: this.#keeper,
      });
      this.#check(contestant, `${workload.name}, round ${round + 1}`, measurement.load);
      this.#measurements.push(measurement);
      const figures = `${Math.round(measurement.opsPerSecond)} ops/s, ${measurement.cpuPerOp.toFixed(1)} µs CPU/op`;
      this.#log(`${workload.name} ${round + 1}/${rounds} ${contestant.name}: ${figures}`);
      return true;
    } catch (error) {
      this.#fail(`${contestant.name}: ${workload.name}, round ${round + 1}: ${(error as Error).message}`);
      return false;
    } finally {
      server.pause();
    }
  }

  async #runRestarts(servers: readonly Server[], workload: Workload, group: Group, needs: ServerNeeds): Promise<void> {
    const { seconds, rounds, connections } = this.#options;
    const running = new Map(servers.map((server) => [server.contestant.name, server]));
    for (let round = 0; round < rounds; round += 1) {
      for (const name of roundOrder([...running.keys()], round)) {
        for (const ending of endings) {
          const server = running.get(name);
          if (server === undefined) continue;
          server.resume();
          try {
            const spec = this.#spec(workload.load, connections, group, server);
            const { server: next, firstHitMs } = await restart(server, ending, needs, spec, seconds, this.#keeper);
            running.set(name, next);
            this.#restarts.push({ server: name, round, ending, firstHitMs });
            this.#log(`${workload.name} ${round + 1}/${rounds} ${name} after ${ending}: ${firstHitMs.toFixed(0)} ms`);
            next.pause();
          } catch (error) {
            running.delete(name);
            this.#fail(`${name}: ${workload.name}, round ${round + 1}, ${ending}: ${(error as Error).message}`);
            await server.stop();
          }
        }
      }
    }
    for (const server of running.values()) await server.stop();
  }

  #spec(load: WorkloadLoad, connections: number, group: Group, server: Server): LoadSpec {
    const { storesValues, protocol = 'text' } = server.contestant;
    return { ...load, connections, items: group.items, seed: this.#options.seed, port: server.port, protocol, checkValues: storesValues };
  }

  #check(contestant: Contestant, when: string, load: LoadResult): void {
    if (load.wrong > 0) this.#fail(`${contestant.name}: ${when}: ${load.wrong} wrong answers, the first: ${load.firstWrong ?? ''}`);
  }

  #fail(failure: string): void {
    this.#failures.push(failure);
    this.#log(`FAILED ${failure}`);
  }
}

function canTakePart({ persists, protocol, getsAndSetsOnly }: Contestant, { workloads }: Group): boolean {
  const needsAllCommands = workloads.some((workload) => workload.needsAllCommands);
  if (needsAllCommands && (protocol === 'resp' || getsAndSetsOnly === true)) return false;
  return !workloads.some(({ isRestart }) => isRestart) || persists === true;
}
