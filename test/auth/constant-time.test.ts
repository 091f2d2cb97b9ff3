import { beforeEach, describe, expect, it, vi } from 'vitest';
import { parsePasswords } from '../../src/auth/passwords.ts';

/** Lengths of what was compared in constant time. */
const compared: number[] = vi.hoisted(() => []);

vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  return {
    ...real,
    timingSafeEqual: (a: Buffer, b: Buffer) => {
      compared.push(a.length);
      return real.timingSafeEqual(a, b);
    },
  };
});

const passwords = parsePasswords(Buffer.from('first:one\nsecond:two\nsecond:three\nlast:four\n'), 'FILE', false);

/** The digest of each of the four lines. */
const ALL = [32, 32, 32, 32];

// What an attempt costs is not measured: a machine has other things to do. What it does must not depend on who tries.
describe('an attempt to authenticate is compared with every line, by digests of one length', () => {
  beforeEach(() => {
    compared.length = 0;
  });

  it.each([
    ['the first line', 'first', 'one', true],
    ['the last line', 'last', 'four', true],
    ['a wrong password', 'first', 'four', false],
    ['a password of another length', 'first', 'one-and-more', false],
    ['no user of the file', 'nobody', 'one', false],
  ])('%s', (_what, user, password, isKnown) => {
    expect(passwords.verify(Buffer.from(user), Buffer.from(password))).toBe(isKnown);
    expect(compared).toEqual(ALL);
  });

  it.each([
    ['first', 1],
    ['second', 2],
    ['nobody', 0],
  ])('and so is the search for the passwords of %s', (user, count) => {
    expect(passwords.passwordsOf(Buffer.from(user))).toHaveLength(count);
    expect(compared).toEqual(ALL);
  });
});
