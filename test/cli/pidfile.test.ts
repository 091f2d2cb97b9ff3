import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assertPidfileFree, removePidfile, systemPidfileDeps, writePidfile } from '../../src/cli/pidfile.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const deps = { pid: 500, isAlive: (pid: number) => pid === 600 };

function pidfile(content?: string): string {
  const path = join(temporaryDirectory(), 'tugela.pid');
  if (content !== undefined) writeFileSync(path, content);
  return path;
}

describe('writePidfile()', () => {
  test('writes the process id and a newline, readable by all, and leaves nothing else', () => {
    const path = pidfile();
    writePidfile(path, deps);
    expect(readFileSync(path, 'utf8')).toBe('500\n');
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(readdirSync(join(path, '..'))).toEqual(['tugela.pid']);
  });

  test.each([
    ['an empty file', ''],
    ['a dead process', '700\n'],
    ['ourselves', '500\n'],
  ])('replaces a file that names %s', (_what, content) => {
    const path = pidfile(content);
    writePidfile(path, deps);
    expect(readFileSync(path, 'utf8')).toBe('500\n');
  });

  test('refuses a file that names another live process, and leaves it alone', () => {
    const path = pidfile('600\n');
    expect(() => writePidfile(path, deps)).toThrow(
      `Cannot use ${path} as pidfile: it names process 600, which is running; stop that, or remove the file if it is not tugela-ts`,
    );
    expect(readFileSync(path, 'utf8')).toBe('600\n');
  });

  test('refuses a file that is no pidfile, and leaves it alone', () => {
    const path = pidfile('root:x:0:0\n');
    expect(() => writePidfile(path, deps)).toThrow(/holds something else than a process id/);
    expect(readFileSync(path, 'utf8')).toBe('root:x:0:0\n');
  });

  test('says so when the directory is missing', () => {
    expect(() => writePidfile('/nowhere/x.pid', deps)).toThrow(/^Cannot write pidfile \/nowhere\/x\.pid: ENOENT/);
  });

  test('says so when the path is a directory', () => {
    expect(() => assertPidfileFree(temporaryDirectory(), deps)).toThrow(/^Cannot read pidfile .*EISDIR/);
  });

  test('gives the file to an owner', () => {
    const path = pidfile();
    const { uid, gid } = statSync(join(path, '..'));
    writePidfile(path, deps, { uid, gid });
    expect(statSync(path)).toMatchObject({ uid, gid });
  });
});

describe('removePidfile()', () => {
  test('removes our own file', () => {
    const path = pidfile('500\n');
    removePidfile(path, deps);
    expect(existsSync(path)).toBe(false);
  });

  test("leaves somebody else's file", () => {
    const path = pidfile('600\n');
    removePidfile(path, deps);
    expect(readFileSync(path, 'utf8')).toBe('600\n');
  });

  test('does nothing when the file is gone', () => {
    expect(() => removePidfile(pidfile(), deps)).not.toThrow();
  });

  // root may remove files from any directory
  test.skipIf(process.getuid?.() === 0)('empties the file when the directory forbids removal', () => {
    const directory = join(temporaryDirectory(), 'closed');
    mkdirSync(directory);
    const path = join(directory, 'tugela.pid');
    writeFileSync(path, '500\n');
    chmodSync(directory, 0o500);
    removePidfile(path, deps);
    expect(readFileSync(path, 'utf8')).toBe('');
    chmodSync(directory, 0o700);
  });
});

test('systemPidfileDeps knows who lives', () => {
  expect(systemPidfileDeps.isAlive(process.pid)).toBe(true);
  expect(systemPidfileDeps.isAlive(2 ** 22 + 1)).toBe(false);
});
