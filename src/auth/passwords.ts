import { hash, timingSafeEqual } from 'node:crypto';
import { TugelaError } from '../errors.ts';

/*
 * A password file:
 *
 *   FILE  ::=  LINE (LF LINE)*
 *   LINE  ::=  USER ":" PASSWORD | nothing
 *   USER  ::=  NAME | NAME "@" REALM
 *
 * Bytes, not characters: nothing is normalised. A CR before the LF is not part of the password. A user has no colon,
 * a password may. The same user may stand in several lines, to change a password without an outage.
 */

/**
 * Most lines of a file. Memcached's text authentication stops at 8. Here each attempt is compared with all lines, which
 * is what bounds them: 4,096 take about a millisecond.
 */
const USERS_MAX = 4096;

const LF = 0x0a;
const CR = 0x0d;
const NUL = 0x00;
const AT = 0x40;
const COLON = 0x3a;

/** Separates user and password in what is hashed; neither may contain it. */
const SEPARATOR = Buffer.of(NUL);

interface Login {
  readonly userDigest: Buffer;
  /** Of user and password together. */
  readonly digest: Buffer;
  readonly password: Buffer;
}

/**
 * Users and their passwords. Comparisons take the same time whether or not a user exists and wherever the first
 * difference is: digests are compared, and always all of them.
 */
export class Passwords {
  readonly #logins: readonly Login[];

  constructor(logins: readonly Login[]) {
    this.#logins = logins;
  }

  /** True when a user has this password. */
  verify(user: Buffer, password: Buffer): boolean {
    const digest = digestOf(user, SEPARATOR, password);
    let isKnown = false;
    for (const login of this.#logins) isKnown = timingSafeEqual(login.digest, digest) || isKnown;
    return isKnown;
  }

  /** The passwords of a user, for mechanisms that prove knowledge of one without sending it. */
  passwordsOf(user: Buffer): Buffer[] {
    const digest = digestOf(user);
    const found: Buffer[] = [];
    for (const login of this.#logins) if (timingSafeEqual(login.userDigest, digest)) found.push(login.password);
    return found;
  }
}

/**
 * Takes a password file apart. With `realms` a user `name@realm` is also known as `name` alone.
 *
 * @param where the file, for messages; they name lines, and never what is in them
 * @throws TugelaError TUGELA_USAGE
 */
export function parsePasswords(bytes: Buffer, where: string, realms: boolean): Passwords {
  const logins: Login[] = [];
  let number = 0;
  let lineCount = 0;
  for (let start = 0; start < bytes.length; ) {
    const lf = bytes.indexOf(LF, start);
    const end = lf < 0 ? bytes.length : lf;
    const line = bytes.subarray(start, end > start && bytes[end - 1] === CR ? end - 1 : end);
    start = end + 1;
    number++;
    if (line.length === 0) continue;
    if (++lineCount > USERS_MAX) throw wrong(where, number, `more than ${USERS_MAX} users`);
    const colon = line.indexOf(COLON);
    if (colon < 0) throw wrong(where, number, 'no colon between user and password');
    if (colon === 0) throw wrong(where, number, 'no user before the colon');
    if (colon === line.length - 1) throw wrong(where, number, 'no password after the colon');
    if (line.includes(NUL)) throw wrong(where, number, 'a NUL byte');
    const user = line.subarray(0, colon);
    // A copy: what is kept must not keep the whole file.
    const password = Buffer.from(line.subarray(colon + 1));
    logins.push(login(user, password));
    const at = realms ? user.indexOf(AT) : -1;
    if (at > 0) logins.push(login(user.subarray(0, at), password));
  }
  if (logins.length === 0) throw new TugelaError('TUGELA_USAGE', `Cannot use password file ${where}: it holds no user`);
  return new Passwords(logins);
}

function login(user: Buffer, password: Buffer): Login {
  return { userDigest: digestOf(user), digest: digestOf(user, SEPARATOR, password), password };
}

function digestOf(...parts: Buffer[]): Buffer {
  return hash('sha256', parts.length === 1 ? parts[0]! : Buffer.concat(parts), 'buffer');
}

function wrong(where: string, line: number, what: string): TugelaError {
  return new TugelaError('TUGELA_USAGE', `Cannot use password file ${where}: line ${line}: ${what}`);
}
