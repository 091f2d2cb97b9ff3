/**
 * `npm run bench:expiry -- PART`: measures what docs/expiry.md says about how expiry scales. Needs Linux.
 * Exit status: 0 = all bounds met, 1 = one is not, or a server failed, 2 = a command line that makes no sense.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { formatBounds, isMet } from '../bounds.ts';
import { describeEnvironment } from '../environment.ts';
import { UsageError } from '../options.ts';
import { runKept } from '../run-kept.ts';
import type { Part, PartContext, PartResult } from './part.ts';
import { manyDays } from './many-days.ts';
import { setCost } from './set-cost.ts';
import { steadyState } from './steady-state.ts';
import { sweepCost } from './sweep-cost.ts';
import { touches } from './touches.ts';

const PARTS: readonly Part[] = [sweepCost, steadyState, manyDays, setCost, touches];

const usage = `Usage: npm run bench:expiry -- PART [options]

Measures how expiry scales, each part a claim of docs/expiry.md.
${PARTS.map(
  ({ name, title, options }) =>
    `\n  ${name.padEnd(14)}${title}\n${Object.entries(options)
      .map(([option, { about, preset }]) => `    --${option.padEnd(16)}${about} (default ${preset})`)
      .join('\n')}\n`,
).join('')}
For all:
    --dir             where the temporary directory is made (default the system's)
    --markdown        write the report there as well
`;

function parse(args: readonly string[]): { part: Part; given: PartContext['given']; dir: string; markdown: string | undefined } | undefined {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h') return undefined;
  const part = PARTS.find((each) => each.name === name);
  if (part === undefined) throw new UsageError(`no part is called ${name}`);
  const texts = Object.fromEntries(Object.keys(part.options).map((option) => [option, { type: 'string' as const }]));
  let values: Readonly<Record<string, unknown>>;
  try {
    ({ values } = parseArgs({ args: rest, options: { ...texts, dir: { type: 'string' }, markdown: { type: 'string' }, help: { type: 'boolean', short: 'h' } } }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (values['help'] === true) return undefined;
  const given = Object.fromEntries(
    Object.entries(part.options).map(([option, { preset }]) => {
      const value = values[option];
      const text = typeof value === 'string' ? value : preset;
      const numbers = text.split(',').map(Number);
      if (!numbers.every((number) => number > 0 && Number.isFinite(number))) throw new UsageError(`--${option} takes numbers above 0, not ${text}`);
      return [option, numbers];
    }),
  );
  const { dir, markdown } = values;
  return { part, given, dir: resolve(typeof dir === 'string' ? dir : tmpdir()), markdown: typeof markdown === 'string' ? markdown : undefined };
}

async function run(args: readonly string[]): Promise<number> {
  const parsed = parse(args);
  if (parsed === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const { part, given, dir, markdown } = parsed;
  return await runKept(dir, 'tugela-expiry-', async ({ directory, keeper }) => {
    const result = await part.run({ given, directory, keeper, log });
    const report = writeReport(part, args, result);
    process.stdout.write(report);
    if (markdown !== undefined) writeFileSync(markdown, report);
    return result.bounds.every(isMet) ? 0 : 1;
  });
}

function writeReport({ title }: Part, args: readonly string[], { tables, bounds }: PartResult): string {
  const { command, date, machine, node } = describeEnvironment(args, 'bench:expiry');
  const head = [`- Command: \`${command}\``, `- Date: ${date}`, `- Machine: ${machine}`, `- Node: ${node}`].join('\n');
  return [`### ${title}`, head, ...tables, formatBounds(bounds), ''].join('\n\n');
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    log(`bench:expiry: ${error.message}\nTry: npm run bench:expiry -- --help`);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
