import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crowdOut } from './crowd-out.ts';
import { type Difference, differences } from './differences.ts';
import { countsInPieces, staysStale, withoutFetched } from './left-out.ts';
import { ask, play, type VisitReplies } from './play.ts';
import type { Sequence, Step } from './sequence.ts';
import { anySequence, type Speech } from './sequences.ts';
import { MEMCACHED, MemcachedProcess, type ServerProcess, TugelaProcess } from './server-process.ts';
import { KEYS, RAW_KEYS } from './text-commands.ts';

/** Sequences of each dialect. */
const RUNS = Number(process.env['TUGELA_DIFFERENTIAL_RUNS'] ?? 50);
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

const SPEECHES: readonly Speech[] = ['classic', 'meta', 'binary', 'mixed'];
const SIZES = [
  { name: '1m', bytes: 1024 * 1024, runs: Math.ceil(RUNS / 3) },
  { name: '16k', bytes: 16 * 1024, runs: RUNS - Math.ceil(RUNS / 3) },
];

describe.skipIf(!isInstalled).each(SIZES)('random sequences of commands, items up to $name, as memcached answers them', ({ name, bytes, runs }) => {
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

  it.each(SPEECHES)(
    `gives the same replies to the %s protocol (${runs} sequences)`,
    async (speech) => {
      await fc.assert(
        fc.asyncProperty(anySequence(speech, bytes, RESTART_EVERY), async (sequence) => {
          const played = sequence.isReadFromDisk ? tugelas : tugelas.slice(0, 1);
          await Promise.all([memcached, ...played].map(reset));
          const [expected, ...answers] = await Promise.all(
            [memcached, ...played].map(async (server) => await play(server, sequence, server === tugelas[1] ? crowdOut : undefined)),
          );
          // From there on the items differ, so nothing more can be told.
          fc.pre(!answers.some((replies) => countsInPieces(sequence, expected ?? [], replies) || staysStale(sequence, expected ?? [], replies)));
          for (const [i, replies] of answers.entries()) {
            const forgets = i === 1 || sequence.restartBefore !== undefined;
            compare(sequence, expected ?? [], replies, tugelas[i]?.name ?? '', forgets ? withoutFetched : (text) => text);
          }
          if (tugelas[0] !== undefined) await compareCounters(sequence, memcached, tugelas[0]);
        }),
        { numRuns: runs, seed: SEED },
      );
    },
    TIMEOUT_MS,
  );
});

async function reset(server: ServerProcess): Promise<void> {
  const deletes = KEYS.map((key) => `delete ${key}\r\n`).join('') + RAW_KEYS.map((key) => `md ${Buffer.from(key, 'latin1').toString('base64')} b\r\n`).join('');
  expect(await ask(server, `${deletes}stats reset\r\n`)).toMatch(/RESET\r\n$/);
}

function compare(sequence: Sequence, expected: readonly VisitReplies[], actual: readonly VisitReplies[], name: string, shown: (replies: string) => string): void {
  for (const [i, visit] of sequence.visits.entries()) {
    for (const [j, step] of visit.steps.entries()) {
      compareStep(step, expected[i]?.steps[j], actual[i]?.steps[j], shown, `${name}, visit ${i}, step ${j}: ${show(step)}`);
    }
    expect(actual[i]?.rest, `${name}, visit ${i}, behind the last step`).toBe(expected[i]?.rest);
    expect(actual[i]?.closed, `${name}, visit ${i}, closed`).toBe(expected[i]?.closed);
  }
}

function compareStep(step: Step, expected: string | undefined, actual: string | undefined, shown: (replies: string) => string, what: string): void {
  if (step.difference === undefined || expected === undefined) {
    const [ours, theirs] = [shown(actual ?? '(none)'), shown(expected ?? '(none)')];
    if (ours === theirs) return;
    // Not toBe on the whole: values may be a megabyte.
    expect(abridge(ours), what).toBe(abridge(theirs));
    throw new Error(`differs somewhere in the middle: ${what}`);
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
