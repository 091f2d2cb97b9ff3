import { describe, expect, it } from 'vitest';
import { parsePasswords } from '../../src/auth/passwords.ts';

function verify(file: string, user: string, password: string, realms = false): boolean {
  return parsePasswords(Buffer.from(file), 'FILE', realms).verify(Buffer.from(user), Buffer.from(password));
}

function passwordsOf(file: string, user: string): string[] {
  return parsePasswords(Buffer.from(file), 'FILE', true).passwordsOf(Buffer.from(user)).map(String);
}

describe('Passwords', () => {
  it.each(['foo:bar', 'foo:bar\n', 'foo:bar\r\n', '\n\nfoo:bar\n\n', 'a:b\nfoo:bar\nc:d', 'foo:old\nfoo:bar\n'])('verify() finds a user in %j', (file) => {
    expect(verify(file, 'foo', 'bar')).toBe(true);
  });

  it.each([
    ['foo', 'baz'],
    ['foo', 'ba'],
    ['foo', 'barr'],
    ['foo', ''],
    ['fo', 'bar'],
    ['FOO', 'bar'],
    ['', 'foo:bar'],
    ['foo', 'bar\n'],
    ['foo\0bar', ''],
  ])('verify() does not know %j with %j', (user, password) => {
    expect(verify('foo:bar\nbaz:quux\n', user, password)).toBe(false);
  });

  it('verify() takes everything after the first colon for the password', () => {
    expect(verify('foo:b:a r \n', 'foo', 'b:a r ')).toBe(true);
  });

  it('verify() compares bytes', () => {
    expect(verify('é:ü\n', 'é', 'ü')).toBe(true);
    expect(verify('é:ü\n', 'e\u0301', 'ü')).toBe(false);
  });

  it('verify() knows a user with a realm by the name alone, if so asked', () => {
    const file = 'foo@here:bar\n';
    expect(verify(file, 'foo@here', 'bar', true)).toBe(true);
    expect(verify(file, 'foo', 'bar', true)).toBe(true);
    expect(verify(file, 'foo@there', 'bar', true)).toBe(false);
    expect(verify(file, 'foo', 'bar', false)).toBe(false);
  });

  it('passwordsOf() tells all passwords of a user', () => {
    expect(passwordsOf('foo:1\nbar:2\nfoo@x:3\n', 'foo')).toEqual(['1', '3']);
    expect(passwordsOf('foo:1\n', 'bar')).toEqual([]);
  });
});

describe('parsePasswords()', () => {
  it.each([
    ['', 'it holds no user'],
    ['\n\n', 'it holds no user'],
    ['a:b\nsecret\n', 'line 2: no colon between user and password'],
    ['a:b\n\n:secret\n', 'line 3: no user before the colon'],
    ['secret:\n', 'line 1: no password after the colon'],
    ['a:se\0cret\n', 'line 1: a NUL byte'],
    ['a:b\n'.repeat(4097), 'line 4097: more than 4096 users'],
  ])('refuses %j', (file, state) => {
    expect(() => parsePasswords(Buffer.from(file), '/etc/FILE', false)).toThrow(
      expect.objectContaining({ code: 'TUGELA_USAGE', message: `Cannot use password file /etc/FILE: ${state}` }),
    );
  });

  it('takes thousands of users', () => {
    const file = Array.from({ length: 4096 }, (_, i) => `user${i}:password${i}\n`).join('');
    expect(verify(file, 'user4095', 'password4095')).toBe(true);
    expect(verify(file, 'user4095', 'password4094')).toBe(false);
  });
});
