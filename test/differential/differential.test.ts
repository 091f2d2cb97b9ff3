import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anySequence, KEYS } from './commands.ts';
import { crowdOut } from './crowd-out.ts';
import { type Difference, differences } from './differences.ts';
import { ask, play, type VisitReplies } from './play.ts';
import type { Sequence, Step } from './sequence.ts';
import { MEMCACHED, MemcachedProcess, type ServerProcess, TugelaProcess } from './server-process.ts';

const RUNS = Number(process.env['TUGELA_DIFFERENTIAL_RUNS'] ?? 300);
/** Values from this size on may be stored in pieces by memcached, with the smaller -I. */
const LARGE_BYTES = 4000;
/** The same sequences each time, unless another seed is given: a new difference is for who looks for one. */
const SEED = Number(process.env['TUGELA_DIFFERENTIAL_SEED'] ?? 20_261_121);
/** A restart costs as much as some twenty sequences. */
const RESTART_EVERY = 50;
/** Thousands of runs take minutes. */
const TIMEOUT_MS = 60_000 + RUNS * 500;

const isInstalled = existsSync(MEMCACHED);
if (!isInstalled) console.warn(`skipped: replies are compared with ${MEMCACHED}, which is not installed (apt-get install memcached)`);

/** Counters that depend on the commands alone. */
const COUNTERS = [
  'cmd_get',
  'cmd_set',
  'cmd_flush',
  'cmd_touch',
  'get_hits',
  'get_misses',
  'delete_hits',
  'delete_misses',
  'incr_hits',
  'incr_misses',
  'decr_hits',
  'decr_misses',
  'cas_hits',
  'cas_misses',
  'cas_badval',
  'touch_hits',
  'touch_misses',
] as const;

const SIZES = [
  { name: '1m', bytes: 1024 * 1024, runs: Math.ceil(RUNS / 3) },
  { name: '16k', bytes: 16 * 1024, runs: RUNS - Math.ceil(RUNS / 3) },
];

describe.skipIf(!isInstalled).each(SIZES)('random sequences of text commands, items up to $name, as memcached answers them', ({ name, bytes, runs }) => {
  let directory: string;
  let memcached: MemcachedProcess;
  let tugelas: TugelaProcess[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tugela-differential-'));
    // Its maintainer holds items now and then, and incr then stores a number without padding.
    memcached = await MemcachedProcess.start(directory, ['-m', '1024', '-I', name, '-o', `slab_chunk_max=${bytes / 2},no_lru_maintainer`]);
    tugelas = await Promise.all([
      TugelaProcess.start('tugela-ts', join(directory, 'normal'), ['-I', name]),
      // So little memory that everything is read from disk once other items have been used.
      TugelaProcess.start('tugela-ts -m 1', join(directory, 'small'), ['-I', name, '-m', '1']),
    ]);
  });

  afterAll(async () => {
    await Promise.all([memcached, ...tugelas].map(async (server) => await server.stop()));
    rmSync(directory, { recursive: true, force: true });
  });

  it(
    `gives the same replies (${runs} sequences)`,
    async () => {
      const servers = (): ServerProcess[] => [memcached, ...tugelas];
      await fc.assert(
        fc.asyncProperty(anySequence(bytes, RESTART_EVERY), async (sequence) => {
          await Promise.all(servers().map(reset));
          const [expected, ...played] = await Promise.all(
            servers().map(async (server) => await play(server, sequence, server === tugelas[1] ? crowdOut : undefined)),
          );
          // From there on the items differ, so nothing more can be told.
          fc.pre(!(hasLargeValue(sequence) && played.some((replies) => countsInPieces(expected ?? [], replies))));
          for (const [i, replies] of played.entries()) compare(sequence, expected ?? [], replies, tugelas[i]?.name ?? '');
          if (tugelas[0] !== undefined) await compareCounters(sequence, memcached, tugelas[0]);
        }),
        { numRuns: runs, seed: SEED },
      );
    },
    TIMEOUT_MS,
  );
});

async function reset(server: ServerProcess): Promise<void> {
  const deletes = KEYS.map((key) => `delete ${key}\r\n`).join('');
  expect(await ask(server, `${deletes}stats reset\r\n`)).toMatch(/RESET\r\n$/);
}

function hasLargeValue(sequence: Sequence): boolean {
  return sequence.visits.some((visit) =>
    visit.steps.some((step) => step.pieces.some((piece) => typeof piece === 'object' && 'run' in piece && piece.times >= LARGE_BYTES)),
  );
}

/**
 * True when memcached would not count in a value because it is stored in pieces: large, with a number and a blank
 * in front. Left out, see differences.ts.
 */
function countsInPieces(expected: readonly VisitReplies[], actual: readonly VisitReplies[]): boolean {
  return expected.some((visit, i) =>
    visit.steps.some((reply, j) => reply.startsWith('CLIENT_ERROR cannot increment') && /^\d+\r\n$/.test(actual[i]?.steps[j] ?? '')),
  );
}

function compare(sequence: Sequence, expected: readonly VisitReplies[], actual: readonly VisitReplies[], name: string): void {
  for (const [i, visit] of sequence.visits.entries()) {
    for (const [j, step] of visit.steps.entries()) {
      compareStep(step, expected[i]?.steps[j], actual[i]?.steps[j], `${name}, visit ${i}, step ${j}: ${show(step)}`);
    }
    expect(actual[i]?.rest, `${name}, visit ${i}, behind the last step`).toBe(expected[i]?.rest);
    expect(actual[i]?.closed, `${name}, visit ${i}, closed`).toBe(expected[i]?.closed);
  }
}

function compareStep(step: Step, expected: string | undefined, actual: string | undefined, what: string): void {
  if (step.difference === undefined || expected === undefined) {
    // Not toBe on the whole: values may be a megabyte.
    if (actual !== expected) expect(abridge(actual), what).toBe(abridge(expected));
    return;
  }
  const difference: Difference = differences[step.difference];
  expect(expected, `memcached on ${step.difference}: ${what}`).toMatch(difference.memcached);
  expect(actual, `${step.difference}: ${what}`).toMatch(difference.tugela);
}

async function compareCounters(sequence: Sequence, memcached: ServerProcess, tugela: ServerProcess): Promise<void> {
  const steps = sequence.visits.flatMap((visit) => visit.steps);
  if (sequence.restartBefore !== undefined || steps.some((step) => step.difference !== undefined || step.isCountedOtherwise === true)) return;
  expect(await counters(tugela), 'counters').toEqual(await counters(memcached));
}

async function counters(server: ServerProcess): Promise<Record<string, string | undefined>> {
  const text = await ask(server, 'stats\r\n');
  return Object.fromEntries(COUNTERS.map((name) => [name, new RegExp(`^STAT ${name} (.*)\r$`, 'm').exec(text)?.[1]]));
}

function show(step: Step): string {
  return step.pieces.map((piece) => JSON.stringify(piece)).join(' ').slice(0, 500);
}

function abridge(text: string | undefined): string | undefined {
  return text === undefined || text.length <= 2000 ? text : `${text.slice(0, 1000)}[${text.length} bytes]${text.slice(-1000)}`;
}
