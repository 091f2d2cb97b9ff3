/**
 * `npm run bench`: measures tugela-ts beside other memcached-protocol servers (docs/benchmarks.md). Needs Linux.
 * Exit status: 0 = done, 1 = wrong answers or a server that failed, 2 = a command line that makes no sense.
 */
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Campaign } from './campaign.ts';
import { allContestants, type Contestant } from './contestants.ts';
import { describeEnvironment } from './environment.ts';
import { runEviction } from './eviction/run-eviction.ts';
import { runMicro } from './micro/run-micro.ts';
import { type BenchOptions, parseOptions, usage, UsageError } from './options.ts';
import { ProcessKeeper } from './process-keeper.ts';
import { writeReport } from './report.ts';

const SIGNAL_STATUS = 128;
const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

function chooseContestants({ servers, peers, reference }: BenchOptions): Contestant[] {
  const all = allContestants(peers);
  for (const name of [...(servers ?? []), reference]) {
    if (!all.some((contestant) => contestant.name === name)) throw new UsageError(`no server is called ${name}`);
  }
  const chosen = all.filter(({ name }) => servers?.includes(name) ?? true);
  return chosen.filter((contestant) => {
    const reason = contestant.missing();
    if (reason !== undefined) log(`${contestant.name} is left out: ${reason}`);
    return reason === undefined;
  });
}

async function bench(options: BenchOptions, args: readonly string[]): Promise<number> {
  const contestants = chooseContestants(options);
  if (!contestants.some(({ name }) => name === options.reference)) log(`no ratios: the reference, ${options.reference}, takes no part`);
  const directory = mkdtempSync(join(options.dir ?? tmpdir(), 'tugela-bench-'));
  const keeper = new ProcessKeeper(directory);
  for (const [signal, number] of Object.entries(signals)) {
    process.once(signal, () => {
      keeper.endAll();
      process.exit(SIGNAL_STATUS + number);
    });
  }
  try {
    const result = await new Campaign(options, keeper, directory, log).run(contestants);
    const environment = describeEnvironment(args);
    const report = writeReport(options, contestants, environment, result);
    process.stdout.write(report);
    if (options.markdown !== undefined) writeFileSync(options.markdown, report);
    if (options.json !== undefined) {
      const versions = Object.fromEntries(result.versions);
      writeFileSync(options.json, `${JSON.stringify({ environment, versions, failures: result.failures, measurements: result.measurements }, undefined, 1)}\n`);
    }
    return result.failures.length === 0 ? 0 : 1;
  } finally {
    keeper.endAll();
  }
}

function write(result: { report: string; json: unknown }, { markdown, json }: BenchOptions): number {
  process.stdout.write(result.report);
  if (markdown !== undefined) writeFileSync(markdown, result.report);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(result.json, undefined, 1)}\n`);
  return 0;
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (options === undefined) {
      process.stdout.write(usage);
      return 0;
    }
    if (options.micro) return write(runMicro(options.rounds, options.seconds, args), options);
    if (options.eviction) return write(await runEviction({ ...options, directory: options.dir, log }, args), options);
    if (!existsSync('/proc/stat')) throw new UsageError('the bench reads CPU time from /proc, which this system does not have');
    if (options.dir !== undefined) return await bench({ ...options, dir: resolve(options.dir) }, args);
    return await bench(options, args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    log(`bench: ${error.message}\nTry: npm run bench -- --help`);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
