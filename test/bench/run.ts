/**
 * `npm run bench`: measures tugela-ts beside other memcached-protocol servers (docs/benchmarks.md). Needs Linux.
 * Exit status: 0 = done, 1 = wrong answers or a server that failed, 2 = a command line that makes no sense.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Campaign } from './campaign.ts';
import { buildRevision, resolveRevision } from './compare.ts';
import { allContestants, type Contestant, ROOT } from './contestants.ts';
import { describeEnvironment } from './environment.ts';
import { runEviction } from './eviction/run-eviction.ts';
import { runRam } from './eviction/run-ram.ts';
import { replaceFigures } from './figures.ts';
import { runMicro } from './micro/run-micro.ts';
import { type BenchOptions, parseOptions, revisionName, UsageError } from './options.ts';
import { writeReport } from './report.ts';
import { runKept } from './run-kept.ts';
import { usage } from './usage.ts';

const FIGURES_PAGE = join(ROOT, 'docs', 'benchmarks.md');

/** Sees that what is asked for exists, before anything takes long. */
function checkOptions({ servers, peers, reference, compare, trace, figures }: BenchOptions): void {
  const names = [...allContestants(peers).map(({ name }) => name), ...(compare === undefined ? [] : [revisionName(compare)])];
  for (const name of [...(servers ?? []), reference]) if (!names.includes(name)) throw new UsageError(`no server is called ${name}`);
  if (compare !== undefined) resolveRevision(compare);
  if (trace !== undefined && !existsSync(trace)) throw new UsageError(`there is no trace ${trace}`);
  if (figures !== undefined) replaceFigures(readFileSync(FIGURES_PAGE, 'utf8'), figures, '');
}

/** Those that were asked for and can take part; `revision` is the one of `--compare`. */
function chooseContestants({ servers, peers }: BenchOptions, revision: Contestant | undefined): Contestant[] {
  const [own, ...others] = allContestants(peers);
  const all = [own, revision, ...others].filter((contestant) => contestant !== undefined);
  const chosen = all.filter(({ name }) => servers?.includes(name) ?? true);
  return chosen.filter((contestant) => {
    const reason = contestant.missing();
    if (reason !== undefined) log(`${contestant.name} is left out: ${reason}`);
    return reason === undefined;
  });
}

async function bench(options: BenchOptions, args: readonly string[]): Promise<number> {
  return await runKept(options.dir ?? tmpdir(), 'tugela-bench-', async ({ directory, keeper }) => {
    if (options.compare !== undefined) log(`building ${options.compare}`);
    const revision = options.compare === undefined ? undefined : await buildRevision(options.compare, directory, keeper);
    const contestants = chooseContestants(options, revision);
    if (!contestants.some(({ name }) => name === options.reference)) log(`no ratios: the reference, ${options.reference}, takes no part`);
    const result = await new Campaign(options, keeper, directory, log).run(contestants);
    const environment = describeEnvironment(args);
    const report = writeReport(options, contestants, environment, result);
    publish(options, report, { environment, ...result, versions: Object.fromEntries(result.versions) });
    return result.failures.length === 0 ? 0 : 1;
  });
}

async function benchMicro(options: BenchOptions, args: readonly string[]): Promise<number> {
  const { report, json } = await runMicro(options.rounds, options.seconds, args);
  publish(options, report, json);
  return 0;
}

async function benchEviction(options: BenchOptions, args: readonly string[]): Promise<number> {
  const { report, json } = await runEviction({ ...options, directory: options.dir, log }, args);
  publish(options, report, json);
  return 0;
}

async function benchRam(options: BenchOptions, args: readonly string[]): Promise<number> {
  const { report, json } = await runRam(options, log, args);
  publish(options, report, json);
  return 0;
}

/** Writes a report wherever it is wanted. */
function publish({ markdown, json, figures }: BenchOptions, report: string, everything: unknown): void {
  process.stdout.write(report);
  if (markdown !== undefined) writeFileSync(markdown, report);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(everything, undefined, 1)}\n`);
  if (figures !== undefined) writeFileSync(FIGURES_PAGE, replaceFigures(readFileSync(FIGURES_PAGE, 'utf8'), figures, report));
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
    checkOptions(options);
    if (options.micro) return benchMicro(options, args);
    if (options.ram) return await benchRam(options, args);
    if (options.eviction) return await benchEviction(options, args);
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
