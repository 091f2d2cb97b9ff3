import { Command, hasDataBlock, Op } from '../../src/cache/command.ts';
import { NEED_MORE, parseLine } from '../../src/protocol/text-parser.ts';

/** What a command line means, in plain values: for refused lines the refusal, for others the fields that the op uses. */
export type Parsed = Record<string, unknown>;

const opNames = new Map<Op, string>(Object.entries(Op).map(([name, op]) => [op, name]));

/** Latin-1 bytes of a text. */
export function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Copies the fields of a command that its op uses. */
export function describeCommand(command: Command): Parsed {
  const op = opNames.get(command.op) ?? '?';
  if (command.op === Op.refused) {
    return { op, refusal: command.refusal, skip: command.skip, close: command.close };
  }
  const keys: string[] = [];
  for (let i = 0; i < command.keyCount; i++) {
    keys.push(command.buffer.toString('latin1', command.keyStarts[i], command.keyEnds[i]));
  }
  const parsed: Parsed = { op, noreply: command.noreply, keys };
  if (hasDataBlock(command.op)) {
    Object.assign(parsed, { flags: command.flags, exptime: command.exptime, length: command.length });
  }
  switch (command.op) {
    case Op.cas:
      parsed['casUnique'] = command.casUnique;
      break;
    case Op.incr:
    case Op.decr:
      parsed['delta'] = command.delta;
      break;
    case Op.touch:
    case Op.gat:
    case Op.gats:
    case Op.flush_all:
    case Op.verbosity:
      parsed['exptime'] = command.exptime;
      break;
    case Op.stats:
    case Op.expire:
    case Op.admin:
      parsed['words'] = command.words;
      break;
    case Op.mg:
    case Op.ms:
    case Op.md:
    case Op.ma:
    case Op.me:
      parsed['meta'] = Object.assign({}, command.meta);
      break;
    default:
      break;
  }
  return parsed;
}

/** Parses a text that is exactly one line. */
export function parseText(text: string): Parsed {
  const command = new Command();
  const buffer = bytes(text);
  const consumed = parseLine(buffer, 0, buffer.length, 0, command);
  if (consumed !== buffer.length) {
    throw new Error(`${consumed} of ${buffer.length} bytes consumed`);
  }
  return describeCommand(command);
}

/** The refusal of a text that is exactly one line; undefined when it is not refused. */
export function refusalOf(text: string): unknown {
  const parsed = parseText(text);
  return parsed['op'] === 'refused' ? parsed['refusal'] : undefined;
}

/**
 * Parses a stream that arrives in the given chunks, as a connection does: lines, and after them data blocks and
 * whatever is to be skipped. Ends at a command that closes.
 */
export function parseChunks(chunks: readonly Buffer[]): Parsed[] {
  const total = Buffer.concat(chunks);
  // The bytes after `end` are not there yet; whoever reads them finds an LF.
  const buffer = Buffer.alloc(total.length + 8, '\n');
  const command = new Command();
  const requests: Parsed[] = [];
  let start = 0;
  let end = 0;
  let scanFrom = 0;
  let pending = 0;
  let block: Parsed | undefined;
  for (const chunk of chunks) {
    chunk.copy(buffer, end);
    end += chunk.length;
    for (;;) {
      if (pending > 0) {
        if (end - start < pending) {
          break;
        }
        if (block !== undefined) {
          block['data'] = buffer.toString('latin1', start, start + pending);
        }
        start += pending;
        pending = 0;
        block = undefined;
        scanFrom = start;
      }
      const consumed = parseLine(buffer, start, end, scanFrom, command);
      if (consumed === NEED_MORE) {
        scanFrom = end;
        break;
      }
      const parsed = describeCommand(command);
      requests.push(parsed);
      start += consumed;
      scanFrom = start;
      if (command.op === Op.refused) {
        if (command.close) {
          return requests;
        }
        pending = command.skip;
      } else if (hasDataBlock(command.op)) {
        pending = command.length + 2;
        block = parsed;
      }
    }
  }
  return requests;
}

/** Cuts a buffer at the given offsets. */
export function split(buffer: Buffer, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let from = 0;
  for (const cut of cuts.toSorted((a, b) => a - b)) {
    const to = Math.min(cut, buffer.length);
    chunks.push(buffer.subarray(from, to));
    from = to;
  }
  chunks.push(buffer.subarray(from));
  return chunks;
}
