import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDirectory } from '../support/temp-directory.ts';
import { targetNames } from './targets.ts';

/** Runs the fuzzer as `npm run fuzz` does. */
function runFuzzer(...words: readonly string[]): { code: number | null; stdout: string; found: string } {
  const found = tempDirectory();
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/test/fuzz/run.js', '--seed', '1', '--out', found, ...words], { encoding: 'utf8' });
  return { code: status, stdout: stdout + stderr, found };
}

/** It takes a tenth of that where nothing else runs. */
const PATIENCE_MS = 120_000;

describe('npm run fuzz', { timeout: PATIENCE_MS }, () => {
  it('finds nothing in a few inputs for each target, nor in what was found before', () => {
    const { code, stdout } = runFuzzer('--cases', '120', '--seconds', '6');
    expect(stdout).toMatch(/\n\d+ cases, 0 findings\n$/);
    for (const target of targetNames) expect(stdout).toMatch(new RegExp(`^${target} +[1-9]`, 'm'));
    expect(code).toBe(0);
  });

  it('finds a fault, makes its input small, and writes it to a file', () => {
    const { code, stdout, found } = runFuzzer('--target', 'planted-fault', '--seconds', '20', '--cases', '20000');
    expect(stdout).toContain('does not hold: no key has a NUL');
    const names = readdirSync(join(found, 'planted-fault'));
    expect(names).toHaveLength(1);
    expect(readFileSync(join(found, 'planted-fault', names[0]!)).length).toBeLessThanOrEqual(3);
    expect(code).toBe(1);
  });

  it.each([
    ['planted-hang', 'hangs: an input has not ended after 1000 ms'],
    ['planted-memory', 'does not hold: memory is bounded'],
    ['planted-exception', 'ends the process: Error: nobody catches this'],
  ])('finds a fault of another kind: %s', (target, problem) => {
    const { code, stdout, found } = runFuzzer('--target', target, '--seconds', '20', '--cases', '2000', '--hang', '1000');
    expect(stdout).toContain(problem);
    expect(readdirSync(join(found, target)).length).toBeGreaterThan(0);
    expect(code).toBe(1);
  });
});
