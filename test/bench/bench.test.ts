import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CampaignResult } from './campaign.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'dist', 'test', 'bench', 'run.js');
const TINY = ['--reference', 'floor', '--items', '200', '--connections', '3', '--rounds', '1', '--seconds', '0.2'];
const LIMIT_MS = 120_000;
/** Status of a process that SIGINT ended. */
const INTERRUPTED = 130;

let directory: string;
let bench: ChildProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tugela-bench-test-'));
});

afterEach(() => {
  bench?.kill('SIGINT');
  rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

function start(...args: string[]): ChildProcess {
  bench = spawn(process.execPath, [PROGRAM, ...TINY, '--dir', directory, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  bench.stderr?.setEncoding('utf8');
  return bench;
}

async function run(...args: string[]): Promise<CampaignResult> {
  const json = join(directory, 'result.json');
  const child = start('--json', json, ...args);
  let said = '';
  child.stderr?.on('data', (text: string) => (said += text));
  const [status] = (await once(child, 'close')) as [number | null];
  expect(status, said).toBe(0);
  const result = JSON.parse(readFileSync(json, 'utf8')) as CampaignResult;
  rmSync(json);
  return result;
}

describe.runIf(process.platform === 'linux')('the bench', () => {
  it(
    'measures closed and open loads, and leaves nothing behind',
    async () => {
      const { measurements, failures } = await run('--servers', 'level,floor', '--workloads', 'get-100,set-100,mixed-open', '--rate', '400');
      expect(failures).toEqual([]);
      expect(measurements.map(({ workload, server }) => `${workload} ${server}`)).toEqual(
        ['get-100', 'set-100', 'mixed-open'].flatMap((workload) => [`${workload} level`, `${workload} floor`]),
      );
      for (const { workload, rate, load } of measurements) {
        expect(load.misses).toBe(0);
        expect(rate).toBe(workload === 'mixed-open' ? 400 : undefined);
        // No more than what was due was sent: 400 per second for 0.2 s.
        if (workload === 'mixed-open') expect(load.operations).toBeLessThanOrEqual(80);
      }
      expect(readdirSync(directory)).toEqual([]);
    },
    LIMIT_MS,
  );

  it(
    'restarts servers that keep their items, and no others',
    async () => {
      const { restarts } = await run('--servers', 'level,floor', '--workloads', 'restart');
      expect(restarts.map(({ server, ending }) => [server, ending])).toEqual([
        ['level', 'SIGTERM'],
        ['level', 'SIGKILL'],
      ]);
    },
    LIMIT_MS,
  );

  it(
    'plays all of a trace, on servers that know more than get and set',
    async () => {
      const trace = join(directory, 'trace');
      const header = { classes: ['a', 'b'], epoch_at_ms0: 1_700_000_000 };
      const rows = [
        [0, 1, 'get', 0, '0a', 10, null, null, null, 'miss', 1],
        [1, 1, 'set', 0, '0a', 10, 30, 4, 2_000_000_000, 'STORED', 1],
        [2, 2, 'gets', 1, '0b', 12, null, null, null, 'miss', 1],
        [3, 1, 'quit', 0, '', 0, null, null, null, '', 1],
        [4, 2, 'add', 1, '0b', 12, 5, 0, 60, 'STORED', 1],
      ];
      writeFileSync(trace, [header, ...rows].map((row) => JSON.stringify(row)).join('\n'));
      const { measurements } = await run('--servers', 'tugela,floor', '--trace', trace);
      rmSync(trace);
      expect(measurements).toMatchObject([{ server: 'tugela', load: { operations: 4, hits: 2, misses: 0, stored: 1, wrong: 0 } }]);
      expect(readdirSync(directory)).toEqual([]);
    },
    LIMIT_MS,
  );

  it(
    'ends all it started and removes all data at Ctrl-C',
    async () => {
      const child = start('--servers', 'level', '--workloads', 'get-1k', '--items', '1000000');
      await once(child.stderr!, 'data');
      child.kill('SIGINT');
      const [status] = (await once(child, 'exit')) as [number | null];
      expect(status).toBe(INTERRUPTED);
      expect(readdirSync(directory)).toEqual([]);
    },
    LIMIT_MS,
  );
});
