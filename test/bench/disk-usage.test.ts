import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseWriteCounter, diskBytes } from './disk-usage.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tugela-usage-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('diskBytes()', () => {
  it('counts whole blocks of all files below', () => {
    mkdirSync(join(directory, 'below'));
    writeFileSync(join(directory, 'a'), Buffer.alloc(100_000, 1), { flush: true });
    const one = diskBytes(directory);
    writeFileSync(join(directory, 'below', 'b'), Buffer.alloc(50_000, 1), { flush: true });
    expect(one).toBeGreaterThanOrEqual(100_000);
    expect(diskBytes(directory) - one).toBeGreaterThanOrEqual(50_000);
  });

  it('is 0 for a directory that is gone', () => {
    expect(diskBytes(join(directory, 'none'))).toBe(0);
  });
});

describe('chooseWriteCounter()', () => {
  it('leaves nothing behind', () => {
    expect(['write_bytes', 'wchar', 'none']).toContain(chooseWriteCounter(directory));
    expect(diskBytes(directory)).toBe(0);
  });
});
