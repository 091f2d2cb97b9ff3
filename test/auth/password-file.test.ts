import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PasswordFile } from '../../src/auth/password-file.ts';
import { tempDirectory } from '../support/temp-directory.ts';

function write(text: string, mode = 0o600): string {
  const path = join(tempDirectory(), 'passwords');
  writeFileSync(path, text, { mode });
  return path;
}

function knows(file: PasswordFile, user: string, password: string): boolean {
  return file.passwords.verify(Buffer.from(user), Buffer.from(password));
}

async function knowsNow(file: PasswordFile, user: string, password: string): Promise<boolean> {
  return (await file.fresh()).verify(Buffer.from(user), Buffer.from(password));
}

describe('PasswordFile', () => {
  it('reload() takes what is in the file', async () => {
    const path = write('foo:bar');
    const file = new PasswordFile(path);
    await file.reload();
    expect(knows(file, 'foo', 'bar')).toBe(true);
    writeFileSync(path, 'foo:baz');
    expect(knows(file, 'foo', 'bar')).toBe(true);
    await file.reload();
    expect(knows(file, 'foo', 'bar')).toBe(false);
    expect(knows(file, 'foo', 'baz')).toBe(true);
  });

  it('reload() keeps what it has when the file is wrong or gone', async () => {
    const path = write('foo:bar');
    const file = new PasswordFile(path);
    await file.reload();
    writeFileSync(path, 'a:b\ntop secret');
    await expect(file.reload()).rejects.toMatchObject({
      code: 'TUGELA_USAGE',
      message: `Cannot use password file ${path}: line 2: no colon between user and password`,
    });
    rmSync(path);
    await expect(file.reload()).rejects.toMatchObject({ message: `Cannot use password file ${path}: there is no such file` });
    expect(knows(file, 'foo', 'bar')).toBe(true);
  });

  it('fresh() sees each change, even one that leaves size and time alone', async () => {
    const path = write('foo:bar');
    const file = new PasswordFile(path);
    const then = new Date(1_600_000_000_000);
    for (const password of ['one', 'two', 'six']) {
      writeFileSync(path, `foo:${password}`);
      utimesSync(path, then, then);
      expect(await knowsNow(file, 'foo', password)).toBe(true);
    }
    expect(await knowsNow(file, 'foo', 'one')).toBe(false);
  });

  it('fresh() fails while the file is gone', async () => {
    const path = write('foo:bar');
    const file = new PasswordFile(path);
    expect(await knowsNow(file, 'foo', 'bar')).toBe(true);
    rmSync(path);
    await expect(file.fresh()).rejects.toThrow('there is no such file');
    writeFileSync(path, 'foo:bar');
    expect(await knowsNow(file, 'foo', 'bar')).toBe(true);
  });

  it('fresh() serves many at once', async () => {
    const file = new PasswordFile(write('foo:bar'));
    expect(await Promise.all(Array.from({ length: 50 }, () => knowsNow(file, 'foo', 'bar')))).not.toContain(false);
  });

  it('warns when others may read the file', async () => {
    const path = write('foo:bar');
    const file = new PasswordFile(path);
    await file.reload();
    expect(file.warning).toBeUndefined();
    chmodSync(path, 0o640);
    await file.reload();
    expect(file.warning).toBeUndefined();
    chmodSync(path, 0o644);
    await file.reload();
    expect(file.warning).toBe(`password file ${path} is open to every user of this machine`);
  });

  it('refuses what is no file, without waiting for it', async () => {
    const directory = tempDirectory();
    mkdirSync(join(directory, 'd'));
    await expect(new PasswordFile(join(directory, 'd')).reload()).rejects.toThrow('it is not a regular file');
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expect(new PasswordFile(pipe).reload()).rejects.toThrow('it is not a regular file');
  });

  it('refuses a file that is too large to be one', async () => {
    await expect(new PasswordFile(write('a:b\n'.repeat(300_000))).reload()).rejects.toThrow('it is larger than 1048576 bytes');
  });
});
