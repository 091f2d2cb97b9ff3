import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assertWritable, dropPrivileges, findAccount, type Identity, prepareDirectory } from '../../src/cli/privileges.ts';
import { withUmask } from '../support/umask.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const ACCOUNT = { name: 'cache', uid: 990, gid: 991 };

/** A process whose calls are written down; it obeys the rules of the real ones. */
class FakeIdentity implements Identity {
  readonly calls: string[] = [];
  #uid = 0;

  uid(): number {
    return this.#uid;
  }

  initgroups(user: string, gid: number): void {
    this.#privileged(`initgroups ${user} ${gid}`);
  }

  setgid(gid: number): void {
    this.#privileged(`setgid ${gid}`);
  }

  setuid(uid: number): void {
    this.#privileged(`setuid ${uid}`);
    this.#uid = uid;
  }

  #privileged(call: string): void {
    if (this.#uid !== 0) throw new Error(`EPERM, ${call}`);
    this.calls.push(call);
  }
}

describe('findAccount()', () => {
  const accounts = (): string => {
    const path = join(temporaryDirectory(), 'passwd');
    writeFileSync(path, 'root:x:0:0:root:/root:/bin/sh\n+nis\ncache:x:990:991::/var/cache:/bin/false\n1234:x:7:8::/:/\nodd:x:1234:1::/:/\n');
    return path;
  };

  test('finds a user by name', () => {
    expect(findAccount('cache', accounts())).toEqual(ACCOUNT);
  });

  test('finds a user by number', () => {
    expect(findAccount('990', accounts())).toEqual(ACCOUNT);
  });

  test('takes digits for a name first', () => {
    expect(findAccount('1234', accounts()).uid).toBe(7);
  });

  test('refuses an unknown user', () => {
    const path = accounts();
    expect(() => findAccount('nobody-here', path)).toThrow(`Cannot run as user nobody-here: no such user in ${path}`);
  });

  test('says so when there is no account file', () => {
    expect(() => findAccount('cache', '/nowhere/passwd')).toThrow(/^Cannot run as user cache: cannot read \/nowhere/);
  });
});

describe('dropPrivileges()', () => {
  test('gives up groups, group and user in that order', () => {
    const identity = new FakeIdentity();
    dropPrivileges(ACCOUNT, identity);
    expect(identity.calls).toEqual(['initgroups cache 991', 'setgid 991', 'setuid 990']);
    expect(identity.uid()).toBe(990);
  });

  test('refuses when root could be had back', () => {
    const identity = new FakeIdentity();
    identity.setuid = () => undefined;
    identity.uid = () => 990;
    expect(() => dropPrivileges(ACCOUNT, identity)).toThrow('Cannot run as user cache: root could be had back');
  });

  test('refuses when nothing changed', () => {
    const identity = new FakeIdentity();
    identity.setuid = () => undefined;
    expect(() => dropPrivileges(ACCOUNT, identity)).toThrow('Cannot run as user cache: still user id 0');
  });

  test('says so when the system refuses', () => {
    const identity = new FakeIdentity();
    identity.setgid = () => {
      throw new Error('EPERM, Operation not permitted');
    };
    expect(() => dropPrivileges(ACCOUNT, identity)).toThrow('Cannot run as user cache: EPERM, Operation not permitted');
  });
});

describe('prepareDirectory()', () => {
  const own = { name: 'me', uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

  test.each(['000', '022', '077'])('makes what is missing: closed to others, below directories that they can pass, whatever the umask: %s', async (mask) => {
    const parent = join(temporaryDirectory(), 'a', 'b');
    await withUmask(Number.parseInt(mask, 8), async () => await Promise.resolve(prepareDirectory(join(parent, 'c'), own)));
    const modes = [join(parent, '..'), parent, join(parent, 'c')].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o755, 0o755, 0o700]);
  });

  test.runIf(process.getuid?.() === 0)('gives what it made to the user', () => {
    const path = join(temporaryDirectory(), 'data');
    prepareDirectory(path, ACCOUNT);
    expect(statSync(path)).toMatchObject({ uid: 990, gid: 991 });
  });

  test('leaves what is there alone', () => {
    const path = temporaryDirectory();
    const before = statSync(path);
    prepareDirectory(path, ACCOUNT);
    expect(statSync(path)).toMatchObject({ uid: before.uid, gid: before.gid });
  });

  test.skipIf(process.getuid?.() === 0)('assertWritable() refuses a directory that is closed to us', () => {
    const path = temporaryDirectory();
    chmodSync(path, 0o500);
    expect(() => assertWritable(path, own)).toThrow(/^Cannot run as user me: may not write to .*chown -R$/);
  });

  test('assertWritable() accepts a directory that is open to us', () => {
    expect(() => assertWritable(temporaryDirectory(), own)).not.toThrow();
  });
});
