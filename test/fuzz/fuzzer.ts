import { Random } from '../faults/random.ts';
import { Allocations } from './allocations.ts';
import { Coverage } from './coverage.ts';
import { mutate } from './mutate.ts';
import type { Target } from './target.ts';

/** Inputs between two looks at the coverage, which takes some milliseconds. */
const BATCH = 64;
/** Runs spent on making a finding small. */
const MINIMISE_RUNS = 400;
/** Inputs after which a target that remembers begins anew. */
const RESET_AFTER = 2000;
const MAX_BYTES = 16 * 1024;
/** A target that has this many faults is to be mended first. */
const FINDINGS_MAX = 5;

/** An input for which something did not hold. */
export interface Finding {
  readonly input: Buffer;
  readonly problem: string;
  /** False: it shows only after inputs before it. */
  readonly isRepeatable: boolean;
}

export interface FuzzOptions {
  readonly seed: number;
  /** Ends after so many inputs, or milliseconds, whatever is first. */
  readonly cases: number;
  readonly ms: number;
  /** Told of each input before it runs, for who looks whether it ever ends. */
  onRun(input: Buffer): void;
}

export interface FuzzResult {
  readonly cases: number;
  readonly ms: number;
  readonly corpus: number;
  readonly blocks: number;
  readonly findings: readonly Finding[];
}

interface Kept {
  readonly input: Buffer;
  /** Blocks that were new with it. */
  readonly news: number;
  picks: number;
}

/** Runs a target on changed inputs, and goes on from those that reach code which no other has reached. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzResult> {
  const random = new Random(options.seed);
  const coverage = new Coverage();
  const allocations = new Allocations();
  const corpus: Kept[] = [];
  const findings: Finding[] = [];
  const problems = new Set<string>();
  const begun = performance.now();
  let cases = 0;

  const problemOf = async (input: Buffer): Promise<string | undefined> => {
    options.onRun(input);
    allocations.begin(input, target.bufferBytes);
    try {
      await target.run(input);
      return undefined;
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    } finally {
      allocations.end();
    }
  };
  const isOver = (): boolean => cases >= options.cases || performance.now() - begun >= options.ms || findings.length >= FINDINGS_MAX;
  const attempt = async (input: Buffer): Promise<void> => {
    cases++;
    const problem = await problemOf(input);
    if (problem === undefined) return;
    if (problems.has(kindOf(problem))) {
      // What it left behind would look like another fault.
      await target.reset?.();
      return;
    }
    problems.add(kindOf(problem));
    findings.push(await minimise(input, problem));
  };
  const minimise = async (input: Buffer, problem: string): Promise<Finding> => {
    const shows = async (bytes: Buffer): Promise<boolean> => {
      await target.reset?.();
      const again = await problemOf(bytes);
      return again !== undefined && kindOf(again) === kindOf(problem);
    };
    if (!(await shows(input))) return { input, problem, isRepeatable: false };
    let small = input;
    let left = MINIMISE_RUNS;
    for (let piece = Math.ceil(input.length / 2); piece >= 1 && left > 0; piece = piece === 1 ? 0 : Math.ceil(piece / 2)) {
      for (let at = 0; at < small.length && left > 0; left--) {
        const shorter = Buffer.concat([small.subarray(0, at), small.subarray(at + piece)]);
        if (await shows(shorter)) small = shorter;
        else at += piece;
      }
    }
    await target.reset?.();
    return { input: small, problem, isRepeatable: true };
  };
  const pick = (): Buffer => {
    // New code is rewarded, and having been picked costs; the better of three is near enough to the best.
    const choice = [0, 1, 2].map(() => corpus[random.between(0, corpus.length - 1)]!);
    const best = choice.reduce((a, b) => ((1 + b.news) / (1 + b.picks) > (1 + a.news) / (1 + a.picks) ? b : a));
    best.picks++;
    return best.input;
  };
  /** Keeps those of some inputs, which have just run, that reached new code: halves are run again until they are found. */
  const learn = async (inputs: readonly Buffer[]): Promise<void> => {
    if (inputs.length === 1) {
      const news = coverage.news(true);
      if (news > 0) corpus.push({ input: inputs[0]!, news, picks: 0 });
      return;
    }
    if (coverage.news(false) === 0) return;
    const middle = Math.ceil(inputs.length / 2);
    for (const half of [inputs.slice(0, middle), inputs.slice(middle)]) {
      for (const input of half) await problemOf(input);
      await learn(half);
    }
  };

  coverage.start();
  allocations.start();
  try {
    await target.reset?.();
    for (const seed of target.seeds) {
      await attempt(seed);
      corpus.push({ input: seed, news: 1, picks: 0 });
      if (isOver()) break;
    }
    coverage.news(true);
    let sinceReset = 0;
    while (!isOver()) {
      const inputs: Buffer[] = [];
      for (let i = 0; i < BATCH && !isOver(); i++) {
        const material = { words: target.words, other: pick, maxBytes: target.maxBytes ?? MAX_BYTES };
        const input = mutate(pick(), random, material);
        inputs.push(input);
        await attempt(input);
      }
      if (inputs.length > 0) await learn(inputs);
      sinceReset += inputs.length;
      if (sinceReset >= RESET_AFTER) {
        sinceReset = 0;
        await target.reset?.();
      }
    }
  } finally {
    allocations.stop();
    coverage.stop();
    await target.close?.();
  }
  return { cases, ms: performance.now() - begun, corpus: corpus.length, blocks: coverage.blocks, findings };
}

/** A problem without what differs from input to input. */
function kindOf(problem: string): string {
  const [head = '', ...rest] = problem.split('\n');
  const place = head.startsWith('Error: does not hold') ? '' : (rest.find((line) => line.includes('/dist/')) ?? '');
  return `${head.replaceAll(/\d+/g, 'N').slice(0, 60)} ${place.trim()}`;
}
