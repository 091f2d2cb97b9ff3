/**
 * `npm run soak`: kills, losses of power, restarts and a long load, and what they came to. Needs Linux (/proc).
 * Exit status: 0 = all promises kept, 1 = one was broken, 2 = a command line that makes no sense.
 */
import { describeEnvironment } from '../bench/environment.ts';
import { runCrashRounds } from './crash-rounds.ts';
import { runLeakSoak } from './leak-soak.ts';
import { parseOptions, type SoakOptions, usage, UsageError } from './options.ts';
import { runPowerLosses } from './power-losses.ts';
import { measureStarts } from './start-time.ts';

/** The time that is kept for the leak soak to end in. */
const LEAK_REST_MS = 60_000;

async function soak({ minutes, crashRounds, powerPoints, leakMinutes, rate, startItems, seed }: SoakOptions): Promise<number> {
  const endMs = performance.now() + minutes * 60_000;
  const leakMs = leakMinutes * 60_000;
  const broken: string[] = [];
  if (crashRounds > 0) broken.push(...(await runCrashRounds(crashRounds, seed, endMs - leakMs - LEAK_REST_MS, say)));
  if (powerPoints > 0) broken.push(...(await runPowerLosses(powerPoints, seed, endMs - leakMs - LEAK_REST_MS, say)));
  for (const items of startItems) {
    if (performance.now() + leakMs + LEAK_REST_MS < endMs) broken.push(...(await measureStarts(items, say)));
    else say(`no time left to measure the start with ${items} items`);
  }
  if (leakMinutes > 0) broken.push(...(await runLeakSoak({ durationMs: Math.min(leakMs, endMs - performance.now()), rate, seed }, say)));
  for (const fault of broken) say(`BROKEN ${fault}`);
  say(broken.length === 0 ? 'every promise was kept' : `${broken.length} faults`);
  return broken.length === 0 ? 0 : 1;
}

function say(line: string): void {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (options === undefined) {
      process.stdout.write(usage);
      return 0;
    }
    // What was started ends with this process, and its directories are removed where they are in hand.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
    const { date, machine, node } = describeEnvironment(args);
    say(`npm run soak -- ${args.join(' ')}`);
    say(`${date}, Node ${node}, ${machine}, seed ${options.seed}`);
    return await soak(options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`soak: ${error.message}\nTry: npm run soak -- --help\n`);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
