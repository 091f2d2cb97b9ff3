import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fuzzGuarded } from './guarded.ts';
import { plantedNames, targetNames } from './targets.ts';

/*
 * npm run fuzz -- [--seconds N] [--cases N] [--target T]… [--seed S] [--replay] [--out DIR] [--hang MS]
 *
 * Replays what was found before (test/fuzz/found/TARGET/), then runs each target for its share of N seconds. Exit code
 * 1 when something does not hold; the input is then written to --out (default: test/fuzz/found).
 */
const FOUND = 'test/fuzz/found';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    cases: { type: 'string', default: '1000000000' },
    target: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string' },
    replay: { type: 'boolean', default: false },
    out: { type: 'string', default: FOUND },
    hang: { type: 'string', default: '20000' },
  },
});

const seconds = wholeNumber('seconds', values.seconds);
const hangMs = wholeNumber('hang', values.hang);
const cases = wholeNumber('cases', values.cases);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : wholeNumber('seed', values.seed);
const chosen = values.target.length === 0 ? targetNames : values.target;
const unknown = chosen.find((name) => ![...targetNames, ...plantedNames].includes(name));
if (unknown !== undefined) usage(`no target '${unknown}'; there are: ${targetNames.join(', ')}`);

console.log(`seed ${seed}`);
console.log('target            cases   per second  corpus  blocks  findings');
let total = 0;
let found = 0;
for (const target of chosen) {
  const known = knownInputs(target);
  const replayed = known.length === 0 ? undefined : await fuzzGuarded({ target, seed, cases, ms: 600_000, replay: known }, hangMs);
  const share = (seconds * 1000) / chosen.length;
  const fresh = values.replay ? undefined : await fuzzGuarded({ target, seed, cases, ms: share, replay: undefined }, hangMs);
  const findings = [...(replayed?.findings ?? []), ...(fresh?.findings ?? [])];
  const count = (replayed?.cases ?? 0) + (fresh?.cases ?? 0);
  const perSecond = fresh === undefined ? 0 : Math.round(fresh.cases / (fresh.ms / 1000));
  console.log(
    [target.padEnd(14), String(count).padStart(8), String(perSecond).padStart(12), String(fresh?.corpus ?? 0).padStart(7), String(fresh?.blocks ?? 0).padStart(7), String(findings.length).padStart(9)].join(' '),
  );
  for (const { input, problem, isRepeatable } of findings) {
    const directory = join(values.out, target);
    mkdirSync(directory, { recursive: true });
    const path = join(directory, `${createHash('sha256').update(input).digest('hex').slice(0, 12)}.bin`);
    writeFileSync(path, input);
    console.log(`  ${path}${isRepeatable ? '' : ' (not by itself: run again with this seed)'}\n    ${JSON.stringify(input.toString('latin1').slice(0, 300))}\n    ${problem.split('\n').slice(0, 6).join('\n    ')}`);
  }
  total += count;
  found += findings.length;
}
console.log(`${total} cases, ${found} findings`);
process.exitCode = found === 0 ? 0 : 1;

/** What was found in former runs. */
function knownInputs(target: string): Buffer[] {
  const directory = join(FOUND, target);
  try {
    return readdirSync(directory)
      .toSorted()
      .map((name) => readFileSync(join(directory, name)));
  } catch {
    // Nothing was ever found there.
    return [];
  }
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,12}$/.test(text)) usage(`--${name}: '${text}' is not a whole number`);
  return Number(text);
}

function usage(problem: string): never {
  console.error(problem);
  process.exit(2);
}
