import type { Command } from '../cache/command.ts';
import type { Dialect } from './dialect.ts';

/** The command that a connection executes next or goes on with, and how far that is; one at a time. */
export class CurrentCommand {
  /** Undefined between commands. */
  command: Command | undefined;
  /** Its data block, without trailer. */
  value: Buffer | undefined;
  /** The value is a view of what was read, and lasts only for this run. */
  isValueBorrowed = false;
  /** Keys that are answered already. */
  answered = 0;
  /** A storage command that only waits to be refused: its data block was not read. */
  isTooLarge = false;
  /** It has waited for room: it is executed now, and refused if there still is none. */
  hasWaited = false;

  /** There is none any more. */
  done(): void {
    this.command = undefined;
    this.value = undefined;
    this.answered = 0;
    this.isTooLarge = false;
    this.hasWaited = false;
  }

  /** Keeps it, if there is one, beyond the run: what was read is overwritten, and others use the dialect. */
  keep(dialect: Dialect): void {
    if (this.command === undefined) return;
    this.command = detach(dialect, this.command);
    if (this.isValueBorrowed && this.value !== undefined) this.value = Buffer.from(this.value);
    this.isValueBorrowed = false;
  }
}

/** Makes a command independent of its dialect and of the bytes it was parsed from. */
export function detach(dialect: Dialect, command: Command): Command {
  if (command !== dialect.command) return command;
  dialect.renew();
  const first = command.keyStarts[0] ?? 0;
  const last = command.keyCount === 0 ? first : (command.keyEnds[command.keyCount - 1] ?? first);
  command.rebase(Buffer.from(command.buffer.subarray(first, last)), first);
  return command;
}
