import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDirectory } from '../support/temp-directory.ts';

const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const unit = /```ini\n(\[Unit\]\nDescription=tugela-ts.*?)```/s.exec(operations)?.[1];
const override = /```ini\n(\[Service\]\nExecStart=\nExecStart=[^\n]* memcached .*?)```/s.exec(operations)?.[1];
const hasTool = spawnSync('systemd-analyze', ['--version']).error === undefined;

describe("the override of Debian's unit in docs/operations.md", () => {
  it('keeps the store to its own user', () => {
    expect(override).toContain('StateDirectory=tugela\nStateDirectoryMode=0700\n');
    expect(override).toContain('UMask=0077');
  });
});

describe('the systemd unit in docs/operations.md', () => {
  it('keeps the store to its own user and the process to what it needs', () => {
    expect(unit).toContain('StateDirectoryMode=0700');
    expect(unit).toContain('UMask=0077');
    expect(unit).toContain('NoNewPrivileges=yes');
  });

  it.skipIf(!hasTool)('is called safe by systemd-analyze (exposure below 2.0)', () => {
    const file = join(tempDirectory(), 'tugela.service');
    writeFileSync(file, unit!);
    // Exits with 1 above the threshold, which is in tenths.
    expect(execFileSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', file], { encoding: 'utf8' })).toContain('Overall exposure level');
  });
});
