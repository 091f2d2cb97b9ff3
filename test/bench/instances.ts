/**
 * `npm run bench:instances`: what a second instance on the same machine adds. The same load, from two generators with 25
 * connections each, goes to one instance, and then to two, of which each has one generator and half of the items. Needs Linux.
 * The figures are in docs/operations.md, "Several instances on one machine".
 */
import { cpus, tmpdir } from 'node:os';
import type { LoadSpec } from './load/load-spec.ts';
import { LoadGenerator } from './load-generator.ts';
import { fill } from './measurement.ts';
import type { ProcessKeeper } from './process-keeper.ts';
import { runKept } from './run-kept.ts';
import { Server } from './server.ts';
import { median } from './statistics.ts';
import { formatTable } from './table.ts';
import { tugelaAs } from './tugela.ts';
import { fillLoad, workloads } from './workloads.ts';

const GENERATORS = 2;
const CONNECTIONS = 25;
const ITEMS = 100_000;
const MEMORY_MB = 1024;
const ROUNDS = 3;
const SECONDS = 4;
const SETTLE_LIMIT_MS = 10_000;
const NAMES = ['get-1k', 'mixed', 'set-1k', 'set-1k-p16'];

interface Figures {
  readonly opsPerSecond: number;
  readonly cpuPerOp: number;
  readonly cores: number;
  readonly generatorCores: number;
  readonly p99: number;
}

/** The load that a generator puts on its instance. */
function specs(name: string, ports: readonly number[]): { spec: LoadSpec; fillSpec: LoadSpec }[] {
  const { load } = workloads.find((workload) => workload.name === name)!;
  return Array.from({ length: GENERATORS }, (_, i) => {
    const common = { port: ports[i % ports.length]!, connections: CONNECTIONS, items: ITEMS / GENERATORS, seed: i + 1, checkValues: true };
    const keyPrefix = `item${i}:`;
    return { spec: { ...load, ...common, keyPrefix }, fillSpec: { ...fillLoad(load), ...common, keyPrefix } };
  });
}

async function measure(name: string, instances: number, directory: string, keeper: ProcessKeeper): Promise<Figures> {
  const servers: Server[] = [];
  const generators: LoadGenerator[] = [];
  try {
    for (let i = 0; i < instances; i++) {
      const contestant = tugelaAs(`instance${i}`, ['--expire-every', '5', '-m', String(MEMORY_MB / instances)]);
      servers.push(await Server.start(contestant, { directory, valueBytes: 1000, connections: GENERATORS * CONNECTIONS + 10 }, keeper));
    }
    for (const [i, { spec, fillSpec }] of specs(name, servers.map(({ port }) => port)).entries()) {
      await fill(servers[i % instances]!, fillSpec, keeper);
      generators.push(await LoadGenerator.start(spec, keeper));
    }
    await Promise.all(generators.map((generator) => generator.run(1)));
    await Promise.all(servers.map((server) => server.settle(SETTLE_LIMIT_MS)));
    const used = (): number => servers.reduce((sum, server) => sum + server.usage().cpuSeconds, 0);
    const before = used();
    const results = await Promise.all(generators.map((generator) => generator.run(SECONDS)));
    const answered = used() - before;
    await Promise.all(servers.map((server) => server.settle(SETTLE_LIMIT_MS)));
    const wrong = results.find((result) => result.wrong > 0);
    if (wrong !== undefined) throw new Error(`wrong answers: ${wrong.firstWrong}`);
    const operations = results.reduce((sum, result) => sum + result.operations, 0);
    const seconds = Math.max(...results.map((result) => result.seconds));
    return {
      opsPerSecond: operations / seconds,
      cpuPerOp: ((used() - before) * 1e6) / operations,
      cores: answered / seconds,
      generatorCores: results.reduce((sum, result) => sum + result.cpuSeconds, 0) / seconds,
      p99: Math.max(...results.map((result) => result.p99)),
    };
  } finally {
    for (const generator of generators) generator.end();
    for (const server of servers) await server.stop();
  }
}

const HEAD = ['load', 'instances', 'ops/s', '×', 'CPU µs/op', '×', 'p99 µs', 'cores of servers', 'of generators'];

await runKept(tmpdir(), 'tugela-instances-', async ({ directory, keeper }) => {
  const rows: string[][] = [];
  for (const name of NAMES) {
    const rounds: Figures[][] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const both: Figures[] = [];
      // Who is first changes from round to round.
      for (const instances of round % 2 === 0 ? [1, 2] : [2, 1]) {
        process.stderr.write(`${name} ${round + 1}/${ROUNDS}, ${instances} instance(s)\n`);
        both[instances - 1] = await measure(name, instances, directory, keeper);
      }
      rounds.push(both);
    }
    for (const instances of [1, 2]) {
      const of = (figure: keyof Figures): number => median(rounds.map((both) => both[instances - 1]![figure]));
      const ratio = (figure: keyof Figures): string => median(rounds.map((both) => both[instances - 1]![figure] / both[0]![figure])).toFixed(2);
      rows.push([name, String(instances), of('opsPerSecond').toFixed(0), ratio('opsPerSecond'), of('cpuPerOp').toFixed(1), ratio('cpuPerOp'), of('p99').toFixed(0), of('cores').toFixed(2), of('generatorCores').toFixed(2)]);
    }
  }
  const [{ model } = { model: 'unknown' }] = cpus();
  process.stdout.write(`${cpus().length} × ${model}; ${GENERATORS} generators with ${CONNECTIONS} connections each; medians of ${ROUNDS} rounds of ${SECONDS} s\n\n${formatTable(HEAD, rows)}\n`);
});
