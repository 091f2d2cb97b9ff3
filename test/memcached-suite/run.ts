/**
 * `npm run memcached-suite -- CHECKOUT`: runs memcached's own tests (docs/protocol.md, "How it is tested").
 * Exit status: 0 = everything passed, 1 = something failed, 2 = nothing could be run.
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runKept } from '../bench/run-kept.ts';
import { leftOut, runs, type SuiteRun } from './lists.ts';
import { examineMachine, type Machine, whyNot } from './machine.ts';
import { parseOptions, type SuiteOptions, usage, UsageError } from './options.ts';
import { prepare, type Workplace } from './prepare.ts';
import { FileRunner, type Result } from './run-file.ts';

const CLI = join(import.meta.dirname, '../../src/cli.js');
/** Variables that would change what the tests or the server do. */
const MEANINGFUL = /^(T_MEMD_|TUGELA_|MEMCACHED_|VALGRIND_|PERL5OPT$|SSL_TEST$|RUN_SASL_TESTS$|NODE_OPTIONS$)/;
/** So many complaints tell what is wrong with a file. */
const COMPLAINTS_SHOWN = 10;

async function runSuite(options: SuiteOptions): Promise<number> {
  const checkout = resolve(options.checkout);
  const machine = examineMachine();
  return await runKept(tmpdir(), 'tugela-suite-', async (kept) => {
    const { directory, keeper } = kept;
    const server = [process.execPath, CLI, 'memcached', ...(options.fromDisk ? ['--disable-ram-tier'] : [])];
    const workplace = prepare(directory, checkout, server);
    const logs = resolve(options.keepLogs ?? join(directory, 'logs'));
    mkdirSync(logs, { recursive: true });
    const runner = new FileRunner(keeper, workplace, machine.isolation, logs);
    kept.clean = () => runner.clean();
    const status = await runAll(options.runs, machine, workplace, runner);
    nameUnknown(workplace);
    return status;
  });
}

/** Resolves with the exit status. */
async function runAll(wanted: readonly SuiteRun[], machine: Machine, { directory }: Workplace, runner: FileRunner): Promise<number> {
  const results: Result[] = [];
  let impossible = 0;
  for (const run of wanted) {
    const reason = existsSync(join(directory, 't', run.file)) ? whyNot(run, machine) : 'there is no such file in this memcached';
    if (reason === undefined) {
      const result = await runner.run(run);
      results.push(result);
      report(run, result);
    } else {
      impossible++;
      say(`${'skip'.padEnd(5)} ${title(run)} ${reason}`);
    }
  }
  const failures = results.filter(({ passed }) => !passed).length;
  const subtests = results.reduce((sum, { tap }) => sum + tap.passed, 0);
  say(`${results.length - failures} of ${results.length} runs pass, ${subtests} subtests; ${impossible} runs are not possible here`);
  if (results.length === 0) return 2;
  return failures === 0 ? 0 : 1;
}

function report(run: SuiteRun, { passed, complaints, tap, seconds }: Result): void {
  const state = passed ? (run.part === undefined ? 'pass' : 'part') : 'FAIL';
  const count = `${tap.passed} of ${tap.planned ?? tap.seen}`.padStart(14);
  const skipped = tap.skipped === 0 ? '' : ` (${tap.skipped} skipped)`;
  const part = run.part === undefined ? '' : `  does not apply: ${run.part.why}`;
  say(`${state.padEnd(5)} ${title(run)}${count}${skipped}${`${seconds.toFixed(1)} s`.padStart(9)}${part}`);
  for (const complaint of complaints.slice(0, COMPLAINTS_SHOWN)) say(`        ${complaint}`);
  if (complaints.length > COMPLAINTS_SHOWN) say(`        and ${complaints.length - COMPLAINTS_SHOWN} more`);
}

/** Names files that were not known when the lists were made. */
function nameUnknown({ directory }: Workplace): void {
  const known = new Set([...runs.map(({ file }) => file), ...leftOut.flatMap(({ files }) => files)]);
  const unknown = readdirSync(join(directory, 't')).filter((file) => file.endsWith('.t') && !known.has(file));
  if (unknown.length > 0) say(`not run, since they are not of memcached 1.6.45: ${unknown.join(' ')}`);
}

function title({ file, tls }: SuiteRun): string {
  return `${file}${tls === true ? ' (TLS)' : ''}`.padEnd(32);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (options === undefined) {
      process.stdout.write(usage);
      return 0;
    }
    for (const name of Object.keys(process.env)) {
      if (MEANINGFUL.test(name)) delete process.env[name];
    }
    return await runSuite(options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`memcached-suite: ${error.message}\n`);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
