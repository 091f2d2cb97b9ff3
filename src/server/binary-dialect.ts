import { setImmediate as nextTurn } from 'node:timers/promises';
import { SASL_MECHANISMS, type SaslAuthority, type SaslOutcome } from '../auth/sasl.ts';
import type { Cache } from '../cache/cache.ts';
import { Hit, type KeyRange, NEEDS_LOAD, NEEDS_ROOM } from '../cache/hit.ts';
import { type Command, Op } from '../cache/command.ts';
import { type StoreOp, storeWordOf } from '../cache/store-item.ts';
import { messageOf } from '../errors.ts';
import { Opcode, Status } from '../protocol/binary-header.ts';
import { BinaryRequest, parsePacket, peekPacketKeys, type SaslState } from '../protocol/binary-parser.ts';
import {
  AUTHENTICATED,
  challengePacket,
  errorPacket,
  failedPackets,
  FailureText,
  hitPacket,
  missPacket,
  numberPacket,
  outcomePacket,
  refusalPacket,
  type ReplyTo,
  statEnd,
  statPacket,
  statPackets,
  textPacket,
  touchedPacket,
} from '../protocol/binary-replies.ts';
import { ReplyBuffer } from '../protocol/reply-buffer.ts';
import { type Administration, type Dialect, type Step, UNCOPIED_VALUE_BYTES } from './dialect.ts';
import type { Session } from './session.ts';

const NOTHING = Buffer.alloc(0);

/** What a text begins with that says why there are no statistics. Names of prefixes and files may have such words too. */
const IS_ERROR = /^(?:CLIENT_|SERVER_)?ERROR\b/;

/** Characters of a text with statistics that become packets in one go, and the rest of the line in which they end. */
const STATS_AT_ONCE = 64 * 1024;

/** The binary protocol (protocol_binary.txt, docs/protocol.md) on the cache. */
export class BinaryDialect implements Dialect {
  readonly trailer = 0;
  readonly #cache: Cache;
  readonly #administration: Administration;
  readonly #sasl: SaslAuthority | undefined;
  readonly #hit = new Hit();
  readonly #key: KeyRange = { buffer: Buffer.alloc(0), start: 0, end: 0 };
  #request = new BinaryRequest();
  pending: Promise<Buffer> | undefined;
  /** No command of this dialect answers in pieces. */
  readonly stream = undefined;
  answered = 0;
  staged = false;

  /** With `sasl` clients must authenticate before anything else; without, there is nothing to authenticate for. */
  constructor(cache: Cache, administration: Administration, sasl?: SaslAuthority) {
    this.#cache = cache;
    this.#administration = administration;
    this.#sasl = sasl;
    this.renew();
  }

  get command(): Command {
    return this.#request.command;
  }

  parse(bytes: Buffer, start: number, end: number, _scanFrom: number, session: Session): number {
    return parsePacket(bytes, start, end, this.#request, this.#saslState(session));
  }

  takeValue(): Buffer {
    return this.#hit.take();
  }

  renew(): void {
    this.#request = new BinaryRequest();
    this.#request.command.form = this.#request;
  }

  hasBlock(command: Command): boolean {
    return requestOf(command).hasValue;
  }

  peekKeys(bytes: Buffer, start: number, end: number, limit: number, onKey: (start: number, end: number, op: Op) => void): void {
    peekPacketKeys(bytes, start, end, limit, onKey);
  }

  isTooLarge(command: Command): boolean {
    // The parser bounds what is sent to authenticate, and it is not stored.
    if (requestOf(command).isSasl) return false;
    const key = this.#keyOf(command);
    return this.#cache.isTooLarge(key.end - key.start, command.flags, command.length);
  }

  refuseTooLarge(command: Command, out: ReplyBuffer): Step {
    const request = requestOf(command);
    if (!this.#cache.isWritable) return refuseWrite(request, out);
    const removes = request.unconditionalOp === Op.set;
    if (this.#cache.refuseTooLarge(removes, this.#keyOf(command)) === NEEDS_LOAD) return 'load';
    this.staged ||= removes;
    outcomePacket(out, request, 'too_large', 0);
    return 'done';
  }

  refuseBlock(): void {
    // A value ends where the header says; nothing can be wrong with its end.
  }

  execute(command: Command, value: Buffer | undefined, answered: number, session: Session, out: ReplyBuffer): Step {
    const request = requestOf(command);
    const { op } = command;
    this.answered = answered;
    if (op !== Op.refused && op !== Op.version && this.#saslState(session) === 'required') {
      // The parser has refused it; this is in case one day it does not.
      errorPacket(out, request, Status.authError);
      return 'close';
    }
    if (op >= Op.gat && op <= Op.flush_all && !this.#cache.isWritable) return refuseWrite(request, out);
    switch (op) {
      case Op.get:
        return this.#retrieve(request, undefined, out);
      case Op.gat:
        return this.#retrieve(request, command.exptime, out);
      case Op.touch:
        return this.#touch(request, out);
      case Op.set:
      case Op.add:
      case Op.replace:
      case Op.append:
      case Op.prepend:
      case Op.cas:
        return this.#store(request, op, value, out);
      case Op.incr:
      case Op.decr:
        return this.#addDelta(request, out);
      case Op.delete:
        return this.#delete(request, out);
      case Op.flush_all:
        if (!this.#administration.flushAllowed) {
          this.#cache.counters.cmd_flush++;
          errorPacket(out, request, Status.authError);
          return 'done';
        }
        this.#cache.flushAll(command.exptime);
        this.staged = true;
        outcomePacket(out, request, 'ok', 0);
        return 'done';
      case Op.mn:
        outcomePacket(out, request, 'ok', 0);
        return 'done';
      case Op.version:
        textPacket(out, request, this.#administration.version);
        return 'done';
      case Op.stats:
        return this.#stats(request, session);
      case Op.quit:
        outcomePacket(out, request, 'ok', 0);
        return 'close';
      case Op.refused:
        if (request.isSasl && this.#sasl !== undefined) return this.#authenticate(this.#sasl, request, value ?? NOTHING, session, out);
        refusalPacket(out, request);
        return request.close ? 'close' : 'done';
      default:
        // The parser makes no other ops.
        errorPacket(out, request, Status.unknownCommand);
        return 'done';
    }
  }

  readFailure(command: Command): Buffer {
    return packets((out) => errorPacket(out, requestOf(command), Status.outOfMemory, FailureText.read));
  }

  laterFailure(command: Command, error: Error): Buffer {
    return packets((out) => errorPacket(out, requestOf(command), Status.outOfMemory, messageOf(error)));
  }

  writeFailure(replies: Buffer): Buffer {
    return packets((out) => failedPackets(out, replies, 0, replies.length, FailureText.write));
  }

  #retrieve(request: BinaryRequest, exptime: number | undefined, out: ReplyBuffer): Step {
    // The value went out uncopied.
    if (this.answered > 0) return 'done';
    const hit = this.#hit;
    const found = this.#cache.fetch(this.#keyOf(request.command), exptime, hit);
    if (found === NEEDS_LOAD) return 'load';
    if (found === NEEDS_ROOM) return 'room';
    if (!found) {
      missPacket(out, request);
      return 'done';
    }
    this.staged ||= exptime !== undefined;
    hitPacket(out, request, hit.flags, hit.length, hit.cas);
    if (hit.owned && hit.length >= UNCOPIED_VALUE_BYTES) {
      this.answered = 1;
      return 'value';
    }
    out.copy(hit.bytes, hit.start, hit.start + hit.length);
    return 'done';
  }

  #touch(request: BinaryRequest, out: ReplyBuffer): Step {
    const hit = this.#hit;
    const key = this.#keyOf(request.command);
    const outcome = this.#cache.touch(key, request.command.exptime, hit);
    if (outcome === NEEDS_LOAD) return 'load';
    const found = outcome === 'touched';
    // Memcached counts the binary touch as a retrieval, the text one not at all.
    if (this.#cache.prefixes.isCounting) this.#cache.prefixes.countGet(key.buffer, key.start, key.end, found);
    this.staged ||= found;
    if (found) touchedPacket(out, request, hit.flags, hit.cas);
    else missPacket(out, request);
    return 'done';
  }

  #store(request: BinaryRequest, op: StoreOp, value: Buffer | undefined, out: ReplyBuffer): Step {
    const isFull = this.#cache.isFullFor(this.#keyOf(request.command), value!.length, op === Op.append || op === Op.prepend);
    if (isFull === NEEDS_LOAD) return 'load';
    if (isFull) {
      const removes = request.unconditionalOp === Op.set;
      if (this.#cache.refuseFull(removes, this.#keyOf(request.command), storeWordOf(op)) === NEEDS_LOAD) return 'load';
      this.staged ||= removes;
      errorPacket(out, request, Status.outOfMemory);
      return 'done';
    }
    const { flags, exptime, casUnique } = request.command;
    const outcome = this.#cache.store(op, this.#keyOf(request.command), flags, exptime, casUnique, value!);
    if (outcome === NEEDS_LOAD) return 'load';
    this.staged ||= outcome === 'stored';
    outcomePacket(out, request, outcome, outcome === 'stored' ? this.#cache.storedCas : 0);
    return 'done';
  }

  #addDelta(request: BinaryRequest, out: ReplyBuffer): Step {
    const { op, delta, casUnique, exptime } = request.command;
    const vivify = request.createsMissing ? { initial: request.initial, exptime } : undefined;
    const outcome = this.#cache.addDelta(this.#keyOf(request.command), delta, op === Op.incr, casUnique, vivify);
    if (outcome === NEEDS_LOAD) return 'load';
    this.staged ||= outcome === 'stored';
    if (outcome === 'no_memory') errorPacket(out, request, Status.outOfMemory);
    else if (outcome === 'stored') numberPacket(out, request, this.#cache.deltaResult, this.#cache.storedCas);
    else outcomePacket(out, request, outcome, 0);
    return 'done';
  }

  #delete(request: BinaryRequest, out: ReplyBuffer): Step {
    const outcome = this.#cache.delete(this.#keyOf(request.command), request.command.casUnique);
    if (outcome === NEEDS_LOAD) return 'load';
    this.staged ||= outcome === 'deleted';
    outcomePacket(out, request, outcome, 0);
    return 'done';
  }

  #saslState(session: Session): SaslState {
    if (this.#sasl === undefined) return 'off';
    return session.authenticated ? 'done' : 'required';
  }

  #authenticate(sasl: SaslAuthority, request: BinaryRequest, response: Buffer, session: Session, out: ReplyBuffer): Step {
    const { opcode, opaque, mechanism } = request;
    if (opcode === Opcode.saslList) {
      textPacket(out, request, SASL_MECHANISMS);
      return 'done';
    }
    // Whoever tries to become somebody else is nobody until that has succeeded.
    session.authenticated = false;
    const outcome = opcode === Opcode.saslAuth ? sasl.start(session, mechanism, response) : sasl.step(session, mechanism, response);
    this.pending = outcome.then((outcome) => {
      session.authenticated = outcome.kind === 'done';
      return packets((out) => saslPacket(out, { opcode, opaque }, outcome));
    });
    return 'later';
  }

  #stats(request: BinaryRequest, session: Session): Step {
    const to = { opcode: request.opcode, opaque: request.opaque };
    const { words } = request.command;
    // Connections are not told in this dialect, as in memcached.
    const answer = words[0] === 'conns' ? 'ERROR\r\n' : this.#administration.stats(words, session);
    this.pending = Promise.resolve(answer).then((text) => {
      if (IS_ERROR.test(text)) return packets((out) => errorPacket(out, to, Status.notFound));
      if (text.startsWith('STAT ')) return statReply(to, text);
      return packets((out) => {
        if (text.startsWith('PREFIX ') || words[1] === 'dump') statPacket(out, to, 'detailed', text);
        statEnd(out, to);
      });
    });
    return 'later';
  }

  #keyOf(command: Command): KeyRange {
    const key = this.#key;
    key.buffer = command.buffer;
    key.start = command.keyStarts[0] ?? 0;
    key.end = command.keyEnds[0] ?? 0;
    return key;
  }
}

/** The request that a command was parsed from. */
function requestOf(command: Command): BinaryRequest {
  if (command.form instanceof BinaryRequest) return command.form;
  throw new TypeError('The command was not parsed from a packet');
}

function saslPacket(out: ReplyBuffer, to: ReplyTo, outcome: SaslOutcome): void {
  switch (outcome.kind) {
    case 'done':
      textPacket(out, to, AUTHENTICATED);
      break;
    case 'continue':
      challengePacket(out, to, outcome.challenge);
      break;
    case 'failed':
      errorPacket(out, to, Status.authError);
      break;
  }
}

function refuseWrite(request: BinaryRequest, out: ReplyBuffer): Step {
  errorPacket(out, request, Status.outOfMemory, FailureText.write);
  return 'done';
}

/** The packets of statistics in text: of many in parts, with a turn of the event loop for others between two. */
async function statReply(to: ReplyTo, text: string): Promise<Buffer> {
  const out = new ReplyBuffer();
  for (let start = 0; start < text.length; ) {
    if (start > 0) await nextTurn();
    const cut = text.indexOf('\n', start + STATS_AT_ONCE);
    const end = cut < 0 ? text.length : cut + 1;
    statPackets(out, to, text.slice(start, end));
    start = end;
  }
  statEnd(out, to);
  return out.slice(0, out.length);
}

function packets(write: (out: ReplyBuffer) => void): Buffer {
  const out = new ReplyBuffer();
  write(out);
  return out.slice(0, out.length);
}
