import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../differential/play.ts';
import { TugelaProcess } from '../differential/server-process.ts';
import { replayWhole } from './replay.ts';
import { makeTrace } from './synthetic.ts';
import { readTrace } from './trace.ts';

/** A recorded trace instead of the made-up one: then the figures are printed. */
const path = process.env['TUGELA_TRACE'];
const REQUESTS = 200;
const ROUNDS = path === undefined ? 1 : 3;
const SECONDS = path === undefined ? [0, 10] : [0, 10, 11, 60];
const TIMEOUT_MS = 600_000;

/** What one replay cost. */
interface Cost {
  readonly stores: number;
  /** Stores that stayed in memory. */
  readonly ephemeral: number;
  readonly batches: number;
  readonly mutations: number;
  readonly levelBytes: number;
  readonly valueBytes: number;
  readonly cpuSeconds: number;
}

describe('traffic of a wiki, with times to live of so many seconds in memory alone', () => {
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'tugela-ephemeral-'));
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it(
    'is answered the same, and written less',
    async () => {
      const trace = path === undefined ? makeTrace(REQUESTS, 20_261_121) : readTrace(path);
      const errors: string[] = [];
      const measure = async (seconds: number, round: number): Promise<Cost> => {
        const server = await TugelaProcess.start('tugela-ts', join(directory, `${seconds}-${round}`), ['--ephemeral-ttl', String(seconds)]);
        try {
          const before = await figures(server);
          errors.push(...(await replayWhole(trace, server)));
          return costOf(before, await figures(server));
        } finally {
          await server.stop();
        }
      };
      const costs = new Map<number, Cost[]>(SECONDS.map((seconds) => [seconds, []]));
      for (let round = 0; round < ROUNDS; round++) {
        for (const seconds of SECONDS) costs.get(seconds)?.push(await measure(seconds, round));
      }
      const medians = new Map([...costs].map(([seconds, all]) => [seconds, medianCost(all)]));
      if (path !== undefined) console.log([...medians].map(describeCost).join('\n'));
      expect(errors.slice(0, 10)).toEqual([]);
      const [off, ten] = [medians.get(0), medians.get(10)];
      expect(off?.ephemeral).toBe(0);
      expect(ten?.ephemeral).toBeGreaterThan(0);
      // Of what goes to LevelDB, more depends on which writes of a key happen to share a batch than on these few stores.
      expect(ten?.valueBytes).toBeLessThan(off?.valueBytes ?? 0);
    },
    TIMEOUT_MS,
  );
});

async function figures(server: TugelaProcess): Promise<Map<string, number>> {
  const replies = [await ask(server, 'stats\r\n'), await ask(server, 'stats storage\r\n')];
  return new Map([...replies.join('').matchAll(/^STAT (\S+) (\S+)/gm)].map(([, name = '', value]) => [name, Number(value)]));
}

function costOf(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Cost {
  const since = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  return {
    stores: since('total_items'),
    ephemeral: since('ephemeral_stored'),
    batches: since('batches'),
    mutations: since('mutations'),
    levelBytes: since('level_bytes_written'),
    valueBytes: since('value_bytes_written'),
    cpuSeconds: since('rusage_user') + since('rusage_system'),
  };
}

function medianCost(costs: readonly Cost[]): Cost {
  const median = (of: (cost: Cost) => number): number => costs.map(of).toSorted((a, b) => a - b)[Math.floor(costs.length / 2)] ?? 0;
  return {
    stores: median(({ stores }) => stores),
    ephemeral: median(({ ephemeral }) => ephemeral),
    batches: median(({ batches }) => batches),
    mutations: median(({ mutations }) => mutations),
    levelBytes: median(({ levelBytes }) => levelBytes),
    valueBytes: median(({ valueBytes }) => valueBytes),
    cpuSeconds: median(({ cpuSeconds }) => cpuSeconds),
  };
}

function describeCost([seconds, cost]: readonly [number, Cost]): string {
  const { stores, ephemeral, batches, mutations, levelBytes, valueBytes, cpuSeconds } = cost;
  const share = ((100 * ephemeral) / stores).toFixed(1);
  return (
    `--ephemeral-ttl ${seconds}: ${stores} stores, ${ephemeral} in memory alone (${share} %), ${mutations} mutations in ${batches} batches, ` +
    `${levelBytes} bytes to LevelDB, ${valueBytes} to the value log, ${cpuSeconds.toFixed(2)} s of CPU`
  );
}
