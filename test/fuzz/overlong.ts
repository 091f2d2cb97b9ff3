import { Command, hasDataBlock } from '../../src/cache/command.ts';
import { LINE_MAX } from '../../src/protocol/limits.ts';
import { NEED_MORE, parseLine } from '../../src/protocol/text-parser.ts';

/**
 * True for an input of text with a line that is too long: it is taken when its end came together with it, as memcached
 * does, and refused when it did not (src/protocol/limits.ts). So there the pieces do matter.
 */
export function hasOverlongLine(input: Buffer): boolean {
  const command = new Command();
  for (let at = 0; at < input.length; ) {
    const used = parseLine(input, at, input.length, at, command);
    if (used === NEED_MORE) return false;
    if (used > LINE_MAX) return true;
    at += used + (hasDataBlock(command.op) ? command.length + 2 : command.skip);
  }
  return false;
}
