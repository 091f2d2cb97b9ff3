import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';
import { parsePasswords, type Passwords } from './passwords.ts';

/** Largest file that is read: somebody named the wrong one. */
const FILE_MAX = 1024 * 1024;

/**
 * Nanoseconds for which a file that was just changed is not trusted to show its next change: file systems keep times
 * in steps, of up to two seconds on some.
 */
const SETTLE_NS = 2_000_000_000n;

/** A file of `user:password` lines (passwords.ts) and what was last read of it. */
export class PasswordFile {
  readonly path: string;
  readonly #realms: boolean;
  #passwords: Passwords | undefined;
  #warning: string | undefined;
  /** Which version of the file was read; undefined = it must be read again. */
  #version: string | undefined;
  /** Reads happen one after the other, so that many attempts at once do not hold many copies of the file. */
  #turn: Promise<void> = Promise.resolve();

  /** With `realms` a user `name@realm` is also known as `name` alone. Nothing is read yet. */
  constructor(path: string, realms = false) {
    this.path = path;
    this.#realms = realms;
  }

  /** What was last read without error. REQUIRES: `reload` has succeeded */
  get passwords(): Passwords {
    if (this.#passwords === undefined) throw new TypeError('The password file was not read');
    return this.#passwords;
  }

  /** A warning about the file's permissions as last read, for the log. */
  get warning(): string | undefined {
    return this.#warning;
  }

  /**
   * Reads the file. When that fails, what was read before stays in use.
   *
   * @throws TugelaError TUGELA_USAGE, naming the file and the line, never what is in it
   */
  async reload(): Promise<void> {
    this.#version = undefined;
    await this.fresh();
  }

  /** The passwords in the file as it is now; it is read only when it has changed since the last time. Throws as `reload`. */
  async fresh(): Promise<Passwords> {
    const read = this.#turn.then(() => this.#read());
    // Who waits for it is told; for the next in turn a failure changes nothing.
    this.#turn = read.then(
      () => {},
      () => {},
    );
    return await read;
  }

  async #read(): Promise<Passwords> {
    let file: FileHandle | undefined;
    try {
      // A pipe without a writer would block the open for ever.
      file = await open(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stat = await file.stat({ bigint: true });
      const version = `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
      if (this.#passwords !== undefined && version === this.#version) return this.#passwords;
      if (!stat.isFile()) throw refuse(this.path, 'it is not a regular file');
      const bytes = Buffer.alloc(FILE_MAX + 1);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      if (bytesRead > FILE_MAX) throw refuse(this.path, `it is larger than ${FILE_MAX} bytes`);
      this.#passwords = parsePasswords(bytes.subarray(0, bytesRead), this.path, this.#realms);
      const isSettled = BigInt(Date.now()) * 1_000_000n - stat.ctimeNs > SETTLE_NS;
      this.#version = isSettled ? version : undefined;
      this.#warning = (stat.mode & 0o007n) === 0n ? undefined : `password file ${this.path} is open to every user of this machine`;
      bytes.fill(0);
      return this.#passwords;
    } catch (cause) {
      if (cause instanceof TugelaError) throw cause;
      throw refuse(this.path, reasonOf(cause), cause);
    } finally {
      await file?.close();
    }
  }
}

function refuse(path: string, state: string, cause?: unknown): TugelaError {
  return new TugelaError('TUGELA_USAGE', `Cannot use password file ${path}: ${state}`, { cause });
}

function reasonOf(cause: unknown): string {
  switch (systemCodeOf(cause)) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'it may not be read';
    default:
      return messageOf(cause);
  }
}
