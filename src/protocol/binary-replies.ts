import { Op } from '../cache/command.ts';
import type { U64 } from '../item.ts';
import { HEADER_LENGTH, Magic, type PacketHeader, Status, statusTexts, writeU64 } from './binary-header.ts';
import type { BinaryRequest } from './binary-parser.ts';
import type { ReplyBuffer } from './reply-buffer.ts';

/** What a reply repeats of its request: all that is needed to answer one whose key is gone. */
export type ReplyTo = Readonly<Pick<PacketHeader, 'opcode' | 'opaque'>>;

/** What a request comes to, in the words of the cache. */
export type Outcome =
  | 'ok'
  | 'stored'
  | 'deleted'
  | 'touched'
  | 'not_stored'
  | 'exists'
  | 'not_found'
  | 'non_numeric'
  | 'too_large'
  | 'out_of_memory'
  | 'not_allowed';

/** Texts of failures that memcached does not know, for replies with Status.outOfMemory. */
export const FailureText = {
  read: 'cannot read from disk',
  write: 'cannot write to disk',
} as const;

/** The value of the reply to the packet that completed an authentication. */
export const AUTHENTICATED = 'Authenticated';

/** Bytes of flags, the only extras that replies have. */
const FLAGS_LENGTH = 4;

/** Header and flags, or header and number, on their way into a reply. Shared: filled and copied in one step. */
const scratch: Buffer = Buffer.alloc(HEADER_LENGTH + 8);

/** The status that tells a client of an outcome. Which one stands for not_stored depends on the request. */
export function statusOf(outcome: Outcome, op: Op): Status {
  switch (outcome) {
    case 'ok':
    case 'stored':
    case 'deleted':
    case 'touched':
      return Status.ok;
    case 'not_stored':
      if (op === Op.add) return Status.exists;
      return op === Op.replace ? Status.notFound : Status.notStored;
    case 'exists':
      return Status.exists;
    case 'not_found':
      return Status.notFound;
    case 'non_numeric':
      return Status.nonNumeric;
    case 'too_large':
      return Status.tooLarge;
    case 'out_of_memory':
      return Status.outOfMemory;
    case 'not_allowed':
      return Status.authError;
  }
}

/** True when a reply with this status is not sent: the miss of a quiet get or gat, the success of other quiet forms. */
export function isSilent(request: BinaryRequest, status: Status): boolean {
  if (!request.quiet) {
    return false;
  }
  const { op } = request.command;
  return status === (op === Op.get || op === Op.gat ? Status.notFound : Status.ok);
}

/**
 * Appends the reply to a request that has nothing but an outcome to tell: storage, delete, flush, noop and quit, and
 * the failures of all others. `cas` is that of the stored item, 0 where there is none.
 * Nothing for what a quiet form hides.
 */
export function outcomePacket(out: ReplyBuffer, request: BinaryRequest, outcome: Outcome, cas: U64): void {
  const status = statusOf(outcome, request.command.op);
  if (isSilent(request, status)) {
    return;
  }
  if (status === Status.ok) {
    packetHead(out, request, Status.ok, 0, 0, cas);
  } else {
    errorPacket(out, request, status);
  }
}

/** Appends the reply to a refused request; nothing for one that is left unanswered. */
export function refusalPacket(out: ReplyBuffer, request: BinaryRequest): void {
  if (request.status !== Status.ok) {
    errorPacket(out, request, request.status);
  }
}

/** Appends an error reply, with a text of its own or that of the status. Quiet forms do not hide it. */
export function errorPacket(out: ReplyBuffer, to: ReplyTo, status: Status, text: string = statusTexts[status]): void {
  packetHead(out, to, status, 0, text.length, 0);
  out.ascii(text);
}

/**
 * Appends the reply to get and gat up to the value: header, flags, and the key where it is asked for. The caller
 * appends the `length` bytes of the value, which nothing ends.
 */
export function hitPacket(out: ReplyBuffer, request: BinaryRequest, flags: number, length: number, cas: U64): void {
  const { command } = request;
  const keyStart = command.keyStarts[0] ?? 0;
  const keyEnd = request.returnsKey ? (command.keyEnds[0] ?? 0) : keyStart;
  const keyLength = keyEnd - keyStart;
  fillHeader(request, Status.ok, keyLength, FLAGS_LENGTH, FLAGS_LENGTH + keyLength + length, cas);
  scratch.writeUInt32BE(flags, HEADER_LENGTH);
  out.copy(scratch, 0, HEADER_LENGTH + FLAGS_LENGTH);
  out.copy(command.buffer, keyStart, keyEnd);
}

/** Appends the reply to touch, which is a hit without its value. */
export function touchedPacket(out: ReplyBuffer, request: BinaryRequest, flags: number, cas: U64): void {
  hitPacket(out, request, flags, 0, cas);
}

/** Appends the reply to get, gat and touch of an absent item; nothing for the quiet forms. */
export function missPacket(out: ReplyBuffer, request: BinaryRequest): void {
  if (isSilent(request, Status.notFound)) {
    return;
  }
  if (!request.returnsKey) {
    errorPacket(out, request, Status.notFound);
    return;
  }
  const { command } = request;
  const keyStart = command.keyStarts[0] ?? 0;
  const keyEnd = command.keyEnds[0] ?? 0;
  packetHead(out, request, Status.notFound, keyEnd - keyStart, keyEnd - keyStart, 0);
  out.copy(command.buffer, keyStart, keyEnd);
}

/** Appends the reply to a successful incr or decr: the new number in 64 bits. Nothing for the quiet forms. */
export function numberPacket(out: ReplyBuffer, request: BinaryRequest, number: U64, cas: U64): void {
  if (isSilent(request, Status.ok)) {
    return;
  }
  fillHeader(request, Status.ok, 0, 0, 8, cas);
  writeU64(scratch, HEADER_LENGTH, number);
  out.copy(scratch, 0, HEADER_LENGTH + 8);
}

/** Appends a success with a text for value: version, the list of SASL mechanisms, AUTHENTICATED. */
export function textPacket(out: ReplyBuffer, to: ReplyTo, text: string): void {
  packetHead(out, to, Status.ok, 0, text.length, 0);
  out.ascii(text);
}

/** Appends the reply that asks for the next step of an authentication. */
export function challengePacket(out: ReplyBuffer, to: ReplyTo, challenge: Buffer): void {
  packetHead(out, to, Status.authContinue, 0, challenge.length, 0);
  out.copy(challenge, 0, challenge.length);
}

/** Appends one statistic. REQUIRES: `name` is not empty, or it would end the list. */
export function statPacket(out: ReplyBuffer, to: ReplyTo, name: string, value: string | U64): void {
  const text = String(value);
  packetHead(out, to, Status.ok, name.length, name.length + text.length, 0);
  out.ascii(name);
  out.ascii(text);
}

/** Appends the packet that ends a list of statistics: neither key nor value. */
export function statEnd(out: ReplyBuffer, to: ReplyTo): void {
  packetHead(out, to, Status.ok, 0, 0, 0);
}

/** Appends the statistics in lines of a text reply to `stats`, as packets. Lines but `STAT NAME VALUE` are left out. */
export function statPackets(out: ReplyBuffer, to: ReplyTo, text: string): void {
  for (const line of text.split('\r\n')) {
    const [word, name] = line.split(' ', 2);
    if (word === 'STAT' && name !== undefined && name !== '') {
      statPacket(out, to, name, line.slice(word.length + name.length + 2));
    }
  }
}

/**
 * Appends to `out` an error for each of the replies from `start` to `end` of `packets`: for those that told of
 * success before it failed to become true. A list of replies to one request is not expected among them.
 *
 * REQUIRES: the range holds whole replies, values included
 */
export function failedPackets(out: ReplyBuffer, packets: Buffer, start: number, end: number, text: string): void {
  for (let at = start; at < end; ) {
    const to = { opcode: packets.readUInt8(at + 1), opaque: packets.readUInt32BE(at + 12) };
    at += HEADER_LENGTH + packets.readUInt32BE(at + 8);
    errorPacket(out, to, Status.outOfMemory, text);
  }
}

function packetHead(
  out: ReplyBuffer,
  to: ReplyTo,
  status: Status,
  keyLength: number,
  bodyLength: number,
  cas: U64,
): void {
  fillHeader(to, status, keyLength, 0, bodyLength, cas);
  out.copy(scratch, 0, HEADER_LENGTH);
}

/** The data type stays 0. */
function fillHeader(
  to: ReplyTo,
  status: Status,
  keyLength: number,
  extrasLength: number,
  bodyLength: number,
  cas: U64,
): void {
  scratch.writeUInt8(Magic.reply, 0);
  scratch.writeUInt8(to.opcode, 1);
  scratch.writeUInt16BE(keyLength, 2);
  scratch.writeUInt8(extrasLength, 4);
  scratch.writeUInt16BE(status, 6);
  scratch.writeUInt32BE(bodyLength, 8);
  scratch.writeUInt32BE(to.opaque, 12);
  writeU64(scratch, 16, cas);
}
