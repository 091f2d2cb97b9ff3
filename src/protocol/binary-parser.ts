import { Command, Op } from '../cache/command.ts';
import type { U64 } from '../item.ts';
import { HEADER_LENGTH, Magic, Opcode, PacketHeader, readHeader, readU64, Status } from './binary-header.ts';
import { KEY_MAX_LENGTH } from './limits.ts';
import { NEED_MORE } from './text-parser.ts';

/*
 * Requests of the binary protocol (docs/protocol.md), after the header of 24 bytes:
 *
 *   get[k][q]                 KEY
 *   set|add|replace[q]        flags 32, exptime 32, KEY, VALUE
 *   append|prepend[q]         KEY, VALUE
 *   delete[q]                 KEY
 *   increment|decrement[q]    delta 64, initial 64, exptime 32, KEY
 *   touch  gat[k][q]          exptime 32, KEY
 *   flush[q]                  [exptime 32]
 *   stat                      [KEY]
 *   noop  version  quit[q]    nothing
 *   sasl list                 nothing
 *   sasl auth|step            MECHANISM, VALUE
 *
 * A VALUE may be empty and nothing ends it: the header tells its length. All numbers are unsigned.
 */

/** Largest body of a packet; who announces more is cut off. Memcached's upper limit for the size of an item. */
export const BODY_MAX: number = 1024 * 1024 * 1024;

/** Longest name of a SASL mechanism. */
const MECHANISM_MAX_LENGTH = 32;

/** Largest response of a SASL exchange: it is collected in memory for somebody who is not known yet. */
const SASL_VALUE_MAX = 16 * 1024;

/** The exptime with which incr and decr make no item. */
const NO_CREATION = 0xffff_ffff;

/** Whether clients authenticate: never, still have to, or have done so. */
export type SaslState = 'off' | 'required' | 'done';

/** Lengths of the parts that an opcode asks for, and what it means. */
interface PacketShape {
  /** Op.refused for SASL, which is no business of the cache. */
  readonly op: Op;
  readonly extras: number;
  readonly extrasOptional: boolean;
  readonly key: 'none' | 'needed' | 'optional';
  readonly hasValue: boolean;
  readonly quiet: boolean;
  readonly returnsKey: boolean;
}

const NO_PARTS: PacketShape = {
  op: Op.refused, extras: 0, extrasOptional: false, key: 'none', hasValue: false, quiet: false, returnsKey: false,
};
const KEY_ALONE: PacketShape = { ...NO_PARTS, key: 'needed' };
const STORE: PacketShape = { ...KEY_ALONE, extras: 8, hasValue: true };
const JOIN: PacketShape = { ...KEY_ALONE, hasValue: true };
const ARITHMETIC: PacketShape = { ...KEY_ALONE, extras: 20 };
const TOUCH: PacketShape = { ...KEY_ALONE, extras: 4 };
const FLUSH: PacketShape = { ...NO_PARTS, op: Op.flush_all, extras: 4, extrasOptional: true };
const SASL: PacketShape = { ...KEY_ALONE, hasValue: true };

/** By opcode; undefined = unknown. */
const shapes: (PacketShape | undefined)[] = Array.from({ length: 256 });
define(Opcode.get, Opcode.getQ, { ...KEY_ALONE, op: Op.get });
define(Opcode.getK, Opcode.getKQ, { ...KEY_ALONE, op: Op.get, returnsKey: true });
define(Opcode.set, Opcode.setQ, { ...STORE, op: Op.set });
define(Opcode.add, Opcode.addQ, { ...STORE, op: Op.add });
define(Opcode.replace, Opcode.replaceQ, { ...STORE, op: Op.replace });
define(Opcode.append, Opcode.appendQ, { ...JOIN, op: Op.append });
define(Opcode.prepend, Opcode.prependQ, { ...JOIN, op: Op.prepend });
define(Opcode.delete, Opcode.deleteQ, { ...KEY_ALONE, op: Op.delete });
define(Opcode.increment, Opcode.incrementQ, { ...ARITHMETIC, op: Op.incr });
define(Opcode.decrement, Opcode.decrementQ, { ...ARITHMETIC, op: Op.decr });
define(Opcode.touch, undefined, { ...TOUCH, op: Op.touch });
define(Opcode.gat, Opcode.gatQ, { ...TOUCH, op: Op.gat });
define(Opcode.gatK, Opcode.gatKQ, { ...TOUCH, op: Op.gat, returnsKey: true });
define(Opcode.flush, Opcode.flushQ, FLUSH);
define(Opcode.noop, undefined, { ...NO_PARTS, op: Op.mn });
define(Opcode.version, undefined, { ...NO_PARTS, op: Op.version });
define(Opcode.stat, undefined, { ...NO_PARTS, op: Op.stats, key: 'optional' });
define(Opcode.quit, Opcode.quitQ, { ...NO_PARTS, op: Op.quit });
define(Opcode.saslList, undefined, NO_PARTS);
define(Opcode.saslAuth, undefined, SASL);
define(Opcode.saslStep, undefined, SASL);

function define(opcode: Opcode, quietOpcode: Opcode | undefined, shape: PacketShape): void {
  shapes[opcode] = shape;
  if (quietOpcode !== undefined) {
    shapes[quietOpcode] = { ...shape, quiet: true };
  }
}

/**
 * One parsed packet: its header, the neutral command it asks for, and what only this protocol knows. Mutable and
 * reused: the next parse overwrites it, the command included. `cas`, from the header, is the condition on the cas
 * unique of the item; 0 = none.
 */
export class BinaryRequest extends PacketHeader {
  /**
   * op is Op.refused for a packet that is refused, and for SASL. `length` is that of the value that follows the
   * packet, 0 when none does. `casUnique` repeats `cas`; where it is not 0, set, add and replace have op Op.cas,
   * while append, prepend, incr, decr and delete keep theirs. `noreply` is never set: errors are always answered.
   * An exptime is unsigned here.
   */
  readonly command: Command = new Command();
  /** True when a value of `command.length` bytes, maybe none, is to be collected before the command is executed. */
  hasValue = false;
  /** True for the quiet forms; what they hide is for isSilent to say. */
  quiet = false;
  /** True when the reply repeats the key: of a hit behind the extras, of a miss instead of the text. */
  returnsKey = false;
  /** incr and decr: true when an absent item is made, with `initial` and the exptime of the command. */
  createsMissing = false;
  /** incr and decr: the number of the item that is made; the delta is not added to it. */
  initial: U64 = 0;
  /** The status of the error to answer. Status.ok for a packet that is not refused, and for one to be left unanswered. */
  status: Status = Status.ok;
  /** Bytes of a refused packet that are still to come and are to be skipped. */
  skip = 0;
  /** True when the connection must be closed after the reply; there is nothing more to read then. */
  close = false;
  /** stat only: the key as Latin-1; empty = all. */
  statKey = '';
  /** SASL auth and step only: the name of the mechanism. */
  mechanism = '';

  /** True for a packet that asks for authentication and is not refused. */
  get isSasl(): boolean {
    return this.command.op === Op.refused && this.status === Status.ok && !this.close;
  }

  /** What a storage request does besides comparing cas uniques: the op of its command had it come with cas 0. */
  get unconditionalOp(): Op {
    return shapes[this.opcode]?.op ?? Op.refused;
  }
}

/**
 * Parses one packet of the bytes from `start` to `end`, and fills `request` with it.
 *
 * Returns the bytes of its header, extras and key, or NEED_MORE; then `request` holds nothing of use. The value is
 * not part of that: with `hasValue`, `request.command.length` bytes follow, and nothing ends them. Only those fields
 * of the command are set that the op uses, and those that the class describes.
 *
 * A refused packet has op Op.refused and `status`, `skip` and `close`. It is refused as soon as its header is there,
 * and what was read of its body is not counted in the bytes returned. A wrong magic closes with the status 0: it is
 * left unanswered.
 *
 * REQUIRES: start <= end <= buffer.length
 */
export function parsePacket(
  buffer: Buffer,
  start: number,
  end: number,
  request: BinaryRequest,
  sasl: SaslState = 'off',
): number {
  if (start < end && buffer[start] !== Magic.request) {
    // Before the rest of the header: someone who talks another protocol may never send so much, and wait.
    resetHeader(request);
    refuse(request, Status.ok, true);
    return end - start;
  }
  if (end - start < HEADER_LENGTH) {
    return NEED_MORE;
  }
  readHeader(buffer, start, request);
  const shape = shapes[request.opcode];
  if (shape === undefined || !isAcceptable(request, shape, sasl)) {
    refuseHeader(request, shape, sasl);
    return HEADER_LENGTH;
  }
  const extrasStart = start + HEADER_LENGTH;
  const keyStart = extrasStart + request.extrasLength;
  const keyEnd = keyStart + request.keyLength;
  if (keyEnd > end) {
    return NEED_MORE;
  }
  fill(request, shape, buffer, extrasStart, keyStart, keyEnd);
  return keyEnd - start;
}

/**
 * Looks ahead over the complete packets in the bytes from `start` to `end`, and reports their keys so that they can
 * be fetched together. Stops at quit, at a packet that is refused or incomplete (its value included) or asks for
 * authentication, and after `limit` keys. Uses a request of its own and so disturbs none that is being executed.
 *
 * REQUIRES: start <= end <= buffer.length
 */
export function peekPacketKeys(
  buffer: Buffer,
  start: number,
  end: number,
  limit: number,
  onKey: (start: number, end: number, op: Op) => void,
): void {
  // A new one each time, so that onKey may look ahead in turn.
  const request = new BinaryRequest();
  const { command } = request;
  let left = limit;
  let next = start;
  while (left > 0 && next < end) {
    const consumed = parsePacket(buffer, next, end, request);
    if (consumed === NEED_MORE || command.op === Op.refused || command.op === Op.quit) {
      return;
    }
    next += consumed + command.length;
    if (next > end) {
      return;
    }
    if (command.keyCount > 0) {
      left--;
      onKey(command.keyStarts[0] ?? 0, command.keyEnds[0] ?? 0, command.op);
    }
  }
}

/** The one look at a header that nearly all packets need; which of its tests failed is for refuseHeader to say. */
function isAcceptable(request: BinaryRequest, shape: PacketShape, sasl: SaslState): boolean {
  return (
    request.bodyLength <= BODY_MAX &&
    request.keyLength <= KEY_MAX_LENGTH &&
    hasShape(request, shape) &&
    // A server without SASL takes it for unknown, and only SASL and version come before authentication.
    (shape.op === Op.refused
      ? sasl !== 'off' && !isLongSasl(request)
      : sasl !== 'required' || shape.op === Op.version)
  );
}

function hasShape(request: BinaryRequest, shape: PacketShape): boolean {
  const { extrasLength, keyLength } = request;
  const valueLength = request.bodyLength - extrasLength - keyLength;
  return (
    (extrasLength === shape.extras || (shape.extrasOptional && extrasLength === 0)) &&
    (shape.key === 'optional' || keyLength > 0 === (shape.key === 'needed')) &&
    (valueLength === 0 || (shape.hasValue && valueLength > 0))
  );
}

function isLongSasl(request: BinaryRequest): boolean {
  return request.keyLength > MECHANISM_MAX_LENGTH || request.bodyLength - request.keyLength > SASL_VALUE_MAX;
}

/** The order of the tests is memcached's, and clients see it. */
function refuseHeader(request: BinaryRequest, shape: PacketShape | undefined, sasl: SaslState): void {
  if (request.keyLength + request.extrasLength > request.bodyLength) {
    refuse(request, Status.unknownCommand, true);
  } else if (request.bodyLength > BODY_MAX) {
    refuse(request, Status.invalid, true);
  } else if (sasl === 'required' && shape?.op !== Op.version && !isSaslOpcode(request.opcode)) {
    refuse(request, Status.authError, true);
  } else if (request.keyLength > KEY_MAX_LENGTH) {
    refuse(request, Status.invalid, true);
  } else if (shape === undefined) {
    refuse(request, Status.unknownCommand, false);
  } else if (!hasShape(request, shape)) {
    refuse(request, Status.invalid, true);
  } else if (sasl === 'off') {
    refuse(request, Status.unknownCommand, false);
  } else if (request.keyLength > MECHANISM_MAX_LENGTH) {
    refuse(request, Status.invalid, false);
  } else {
    refuse(request, Status.outOfMemory, false);
  }
}

function isSaslOpcode(opcode: number): boolean {
  return opcode >= Opcode.saslList && opcode <= Opcode.saslStep;
}

function fill(
  request: BinaryRequest,
  shape: PacketShape,
  buffer: Buffer,
  extrasStart: number,
  keyStart: number,
  keyEnd: number,
): void {
  const { command } = request;
  accept(request, shape);
  command.buffer = buffer;
  command.keyStarts[0] = keyStart;
  command.keyEnds[0] = keyEnd;
  command.keyCount = shape.key === 'needed' ? 1 : 0;
  command.length = request.bodyLength - request.extrasLength - request.keyLength;
  command.casUnique = request.cas;
  switch (shape.op) {
    case Op.set:
    case Op.add:
    case Op.replace:
      command.flags = buffer.readUInt32BE(extrasStart);
      command.exptime = buffer.readUInt32BE(extrasStart + 4);
      if (request.cas !== 0) {
        command.op = Op.cas;
      }
      break;
    case Op.append:
    case Op.prepend:
      command.flags = 0;
      command.exptime = 0;
      break;
    case Op.incr:
    case Op.decr:
      command.delta = readU64(buffer, extrasStart);
      request.initial = readU64(buffer, extrasStart + 8);
      command.exptime = buffer.readUInt32BE(extrasStart + 16);
      request.createsMissing = command.exptime !== NO_CREATION;
      break;
    case Op.touch:
    case Op.gat:
      command.exptime = buffer.readUInt32BE(extrasStart);
      break;
    case Op.flush_all:
      command.exptime = request.extrasLength === 0 ? 0 : buffer.readUInt32BE(extrasStart);
      break;
    case Op.stats:
      request.statKey = buffer.toString('latin1', keyStart, keyEnd);
      command.words = request.statKey.split(' ').filter((word) => word !== '');
      break;
    case Op.refused:
      request.mechanism = buffer.toString('latin1', keyStart, keyEnd);
      command.refusal = '';
      command.skip = 0;
      command.close = false;
      // A mechanism is no key of the cache.
      command.keyCount = 0;
      break;
    default:
      break;
  }
}

function accept(request: BinaryRequest, shape: PacketShape): void {
  request.command.op = shape.op;
  request.command.noreply = false;
  request.hasValue = shape.hasValue;
  request.quiet = shape.quiet;
  request.returnsKey = shape.returnsKey;
  request.createsMissing = false;
  request.initial = 0;
  request.status = Status.ok;
  request.skip = 0;
  request.close = false;
  request.statKey = '';
  request.mechanism = '';
}

function refuse(request: BinaryRequest, status: Status, close: boolean): void {
  const { command } = request;
  accept(request, NO_PARTS);
  request.status = status;
  request.skip = close ? 0 : request.bodyLength;
  request.close = close;
  command.keyCount = 0;
  command.length = 0;
  command.casUnique = 0;
  // The command says the same, in its own terms: no line of the text protocol is to be answered.
  command.refusal = '';
  command.skip = request.skip;
  command.close = close;
}

function resetHeader(request: BinaryRequest): void {
  request.opcode = 0;
  request.keyLength = 0;
  request.extrasLength = 0;
  request.vbucket = 0;
  request.bodyLength = 0;
  request.opaque = 0;
  request.cas = 0;
}
