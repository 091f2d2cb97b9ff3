import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../differential/play.ts';
import { PROGRAM, TugelaProcess } from '../differential/server-process.ts';
import { type HitRate, percent, replay, type ReplayReport } from './replay.ts';
import { makeTrace } from './synthetic.ts';
import { readTrace } from './trace.ts';

/** A recorded trace instead of the made-up one. */
const path = process.env['TUGELA_TRACE'];
const REQUESTS = 700;
const WINDOW_COMMANDS = 10_000;
const TIMEOUT_MS = 300_000;

describe('traffic of a wiki, the server killed half way, with the expiry daemon at work', () => {
  let directory: string;
  let server: TugelaProcess;
  let daemon: ChildProcess;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tugela-trace-'));
    server = await TugelaProcess.start('tugela-ts', directory, []);
    daemon = spawn(process.execPath, [PROGRAM, 'expire', '-P', String(server.port), '--no-stats', '--interval', '1', '--log-level', 'silent'], {
      stdio: 'ignore',
    });
  });

  afterAll(async () => {
    if (daemon?.exitCode === null) {
      const exit = once(daemon, 'exit');
      daemon.kill('SIGKILL');
      await exit;
    }
    await server?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it(
    'is served as well after the restart as before, with every acknowledged item intact',
    async () => {
      const trace = path === undefined ? makeTrace(REQUESTS, 20_261_121) : readTrace(path);
      const report = await replay(trace, server, WINDOW_COMMANDS);
      const { before, after } = report;
      if (path !== undefined) console.log(`${describeReport(report)}\n${await ask(server, 'stats expire\r\n')}`);
      expect(report.errors.slice(0, 10)).toEqual([]);
      expect(report.comparedAfterRestart).toBeGreaterThan(0);
      // Misses of the recording itself may lie more on one side; a cold cache would lose many times as much.
      const change = rateOf(after.hits, after) - rateOf(before.hits, before);
      expect(change).toBeGreaterThan(rateOf(after.recordedHits, after) - rateOf(before.recordedHits, before) - 0.02);
      expect(daemon.exitCode, 'the daemon survives the restart').toBeNull();
    },
    TIMEOUT_MS,
  );
});

function describeReport(report: ReplayReport): string {
  const { before, after } = report;
  return [
    `${report.trace}: ${report.commands} commands in ${report.seconds.toFixed(1)} s, ${report.commandsPerSecond}/s`,
    `hit rate before the kill ${percent(before)} (recorded ${recorded(before)}), after it ${percent(after)} (recorded ${recorded(after)})`,
    `down for ${report.restartMs} ms, ${report.inDoubt} mutations cut off`,
    `items compared: ${report.comparedAfterRestart} after the restart, ${report.comparedAtEnd} at the end; errors: ${report.errors.length}`,
  ].join('\n');
}

function recorded(rate: HitRate): string {
  return percent({ hits: rate.recordedHits, gets: rate.gets });
}

function rateOf(hits: number, { gets }: HitRate): number {
  return hits / Math.max(1, gets);
}
