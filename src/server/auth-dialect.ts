import type { AuthCounts } from '../auth/auth-counts.ts';
import type { PasswordFile } from '../auth/password-file.ts';
import { Command, Op } from '../cache/command.ts';
import { AuthRefusal, parseAuthLine, splitToken } from '../protocol/auth-parser.ts';
import { lines } from '../protocol/lines.ts';
import type { ReplyBuffer } from '../protocol/reply-buffer.ts';
import { refusalLine } from '../protocol/text-replies.ts';
import type { Dialect, Step } from './dialect.ts';

const NOTHING = Buffer.alloc(0);

/**
 * The text protocol for clients that have not authenticated (protocol.txt, "Authentication"): they may do that, and
 * nothing else. The connection goes on in the text protocol after the step `authenticated`.
 */
export class AuthDialect implements Dialect {
  readonly trailer = 2;
  command = new Command();
  readonly pending = undefined;
  readonly stream = undefined;
  readonly answered = 0;
  staged = false;
  readonly #file: PasswordFile;
  readonly #counts: AuthCounts;

  /** REQUIRES: the file has been read */
  constructor(file: PasswordFile, counts: AuthCounts) {
    this.#file = file;
    this.#counts = counts;
  }

  parse(bytes: Buffer, start: number, end: number, scanFrom: number): number {
    return parseAuthLine(bytes, start, end, scanFrom, this.command);
  }

  takeValue(): Buffer {
    return NOTHING;
  }

  renew(): void {
    this.command = new Command();
  }

  hasBlock(command: Command): boolean {
    return command.op === Op.set;
  }

  peekKeys(): void {
    // There are none: nothing here reaches the cache.
  }

  isTooLarge(): boolean {
    // The parser has refused what is.
    return false;
  }

  refuseTooLarge(): Step {
    return 'done';
  }

  refuseBlock(_command: Command, out: ReplyBuffer): void {
    refusalLine(out, AuthRefusal.badEnd);
  }

  execute(command: Command, value: Buffer | undefined, _answered: number, _session: object, out: ReplyBuffer): Step {
    if (command.op === Op.refused || value === undefined) {
      refusalLine(out, command.refusal);
      return command.close ? 'close' : 'done';
    }
    const token = splitToken(value);
    if (token === undefined) {
      refusalLine(out, AuthRefusal.badToken);
      return 'done';
    }
    this.#counts.commands++;
    if (this.#file.passwords.verify(token.user, token.password)) {
      out.line(lines.stored);
      return 'authenticated';
    }
    this.#counts.errors++;
    refusalLine(out, AuthRefusal.failure);
    return 'done';
  }

  readFailure(): Buffer {
    return NOTHING;
  }

  laterFailure(): Buffer {
    return NOTHING;
  }

  writeFailure(): Buffer {
    return lines.writeFailed;
  }
}
