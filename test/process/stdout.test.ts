import { spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { PROGRAM, type ServerProcess } from '../support/process.ts';
import { serverForEach } from './server-for-each.ts';

let server: ServerProcess;
serverForEach((started) => ({ server } = started));

/** Commands that print a few lines and end. */
const COMMANDS = ['--help', 'serve --help', 'memcached --help', '--version', 'top --once -i 1 -P PORT', 'delete -p x -P PORT'];

/** Runs a command with this stdout; a pipe is closed at once. */
async function run(command: string, stdout: number | 'pipe'): Promise<{ code: number | null; stderr: string }> {
  const stdio: StdioOptions = ['ignore', stdout, 'pipe'];
  const child = spawn(process.execPath, [PROGRAM, ...command.replace('PORT', String(server.port)).split(' ')], { stdio });
  child.stdout?.destroy();
  const ended = once(child, 'close');
  const stderr = await text(child.stderr!);
  const [code] = (await ended) as [number | null];
  return { code, stderr };
}

describe('stdout', () => {
  it.each(COMMANDS)('that nobody reads is no failure: %s', async (command) => {
    expect(await run(command, 'pipe')).toEqual({ code: 0, stderr: '' });
  });

  it.each(COMMANDS)('on a full disk is one, in a line: %s', async (command) => {
    const full = openSync('/dev/full', 'w');
    try {
      expect(await run(command, full)).toEqual({ code: 1, stderr: 'tugela-ts: Cannot write output: ENOSPC: no space left on device, write\n' });
    } finally {
      closeSync(full);
    }
  });
});
