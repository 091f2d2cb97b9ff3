import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDirectory } from '../support/temp-directory.ts';

const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly scripts: { readonly start: string } };

/** Runs the start script with a `node` that says its pid and what glibc is told. */
function run(environment: NodeJS.ProcessEnv): { readonly shell: number; readonly node: number; readonly tunables: string } {
  const directory = tempDirectory();
  writeFileSync(join(directory, 'node'), '#!/bin/sh\necho "$$ $GLIBC_TUNABLES"\n', { mode: 0o755 });
  const { pid, stdout } = spawnSync('/bin/sh', ['-c', scripts.start], { env: { PATH: directory, ...environment }, encoding: 'utf8' });
  const [node, tunables] = stdout.trimEnd().split(' ');
  return { shell: pid, node: Number(node), tunables: tunables ?? '' };
}

describe('npm start', () => {
  it("leaves no shell between npm and the server: a signal to npm stopped the shell alone, and the server went on", () => {
    const { shell, node } = run({});
    expect(node).toBe(shell);
  });

  it('asks for huge pages unless it is told something else', () => {
    expect(run({}).tunables).toBe('glibc.malloc.hugetlb=1');
    expect(run({ GLIBC_TUNABLES: 'glibc.malloc.arena_max=2' }).tunables).toBe('glibc.malloc.arena_max=2');
    expect(run({ GLIBC_TUNABLES: '' }).tunables).toBe('');
  });
});
