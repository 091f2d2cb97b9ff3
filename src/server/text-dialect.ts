import type { Cache } from '../cache/cache.ts';
import { Hit, type KeyRange, NEEDS_LOAD, NEEDS_ROOM, type NeedsLoad } from '../cache/hit.ts';
import { Command, hasDataBlock, MetaFields, Op } from '../cache/command.ts';
import { MetaCache } from '../cache/meta-cache.ts';
import { PREFETCH_KEYS } from '../cache/prefetch.ts';
import { type StoreOp, storeWord } from '../cache/store-item.ts';
import { lines } from '../protocol/lines.ts';
import { isHiddenByQuiet, type MetaCode, metaDebugLine, metaReply } from '../protocol/meta-replies.ts';
import { nextKeys } from '../protocol/next-keys.ts';
import type { ReplyBuffer } from '../protocol/reply-buffer.ts';
import { parseLine, peekKeys } from '../protocol/text-parser.ts';
import { end, numberLine, refusalLine, valueLine, versionLine } from '../protocol/text-replies.ts';
import { type Administration, type Answer, CLOSE, type Dialect, FLUSH_BYTES, KEYS_PER_TURN, type Step, UNCOPIED_VALUE_BYTES, WATCH } from './dialect.ts';
import type { Session } from './session.ts';

const NOTHING = Buffer.alloc(0);
const META_STORE_CODES = { stored: 'HD', not_stored: 'NS', exists: 'EX', not_found: 'NF' } as const;
const META_DELETE_CODES = { deleted: 'HD', not_found: 'NF', exists: 'EX' } as const;

/** True for commands that stage something: gat and gats, all from set to touch, flush_all, and meta ones but plain mg. */
function mutates({ op, meta }: Command): boolean {
  if (op === Op.mg) return meta.vivify !== undefined || meta.ttl !== undefined;
  return (op >= Op.gat && op <= Op.flush_all) || (op >= Op.ms && op <= Op.ma);
}

/** The text protocol, classic and meta (protocol.txt, docs/protocol.md), on the cache. */
export class TextDialect implements Dialect {
  readonly trailer = 2;
  command = new Command();
  readonly #cache: Cache;
  readonly #administration: Administration;
  readonly #hit = new Hit();
  readonly #meta: MetaCache;
  readonly #fields = new MetaFields();
  readonly #key: KeyRange = { buffer: Buffer.alloc(0), start: 0, end: 0 };
  readonly #nextStarts: number[] = [];
  readonly #nextEnds: number[] = [];
  pending: Promise<Buffer> | undefined;
  stream: AsyncIterable<Buffer> | undefined;
  answered = 0;
  staged = false;

  constructor(cache: Cache, administration: Administration) {
    this.#cache = cache;
    this.#meta = new MetaCache(cache);
    this.#administration = administration;
  }

  parse(bytes: Buffer, start: number, end: number, scanFrom: number): number {
    return parseLine(bytes, start, end, scanFrom, this.command);
  }

  takeValue(): Buffer {
    return this.#hit.take();
  }

  renew(): void {
    this.command = new Command();
  }

  hasBlock(command: Command): boolean {
    return hasDataBlock(command.op);
  }

  peekKeys(bytes: Buffer, start: number, end: number, limit: number, onKey: (start: number, end: number, op: Op) => void): void {
    peekKeys(bytes, start, end, limit, onKey);
  }

  prefetch(bytes: Buffer, start: number, end: number): void {
    const count = nextKeys(bytes, start, end, PREFETCH_KEYS, this.#nextStarts, this.#nextEnds);
    if (count > 1) this.#cache.prefetch.keys(bytes, this.#nextStarts, this.#nextEnds, 0, count);
  }

  execute(command: Command, value: Buffer | undefined, answered: number, session: Session, out: ReplyBuffer): Step {
    this.answered = answered;
    if (mutates(command) && !this.#cache.isWritable) return this.#refuseWrite(command, out);
    switch (command.op) {
      case Op.get:
      case Op.gets:
        return this.#retrieve(command, undefined, out);
      case Op.gat:
      case Op.gats:
        return this.#retrieve(command, command.exptime, out);
      case Op.set:
      case Op.add:
      case Op.replace:
      case Op.append:
      case Op.prepend:
      case Op.cas:
        return this.#store(command.op, command, value, out);
      case Op.incr:
      case Op.decr:
        return this.#addDelta(command, out);
      case Op.delete:
        return this.#delete(command, out);
      case Op.touch:
        return this.#touch(command, out);
      case Op.flush_all:
        return this.#flushAll(command, out);
      case Op.version:
        versionLine(out, this.#administration.version);
        return 'done';
      case Op.verbosity:
        return this.#answer(this.#administration.setVerbosity(command.exptime, session), command.noreply, out);
      case Op.quit:
        return 'close';
      case Op.mn:
        out.line(lines.mn);
        return 'done';
      case Op.stats:
        return this.#answer(this.#administration.stats(command.words, session), false, out);
      case Op.sync:
        return this.#answer(
          this.#administration.sync().then(() => 'OK\r\n'),
          command.noreply,
          out,
        );
      case Op.expire:
        return this.#answer(this.#administration.expire(command.words, session), false, out);
      case Op.admin:
        return this.#answer(this.#administration.command(command.words, session), command.noreply, out);
      case Op.mg:
        return this.#metaGet(command, out);
      case Op.ms:
        return this.#metaStore(command, value, out);
      case Op.md:
        return this.#metaDelete(command, out);
      case Op.ma:
        return this.#metaArithmetic(command, out);
      case Op.me:
        return this.#metaDebug(command, out);
      case Op.refused:
        refusalLine(out, command.refusal);
        return command.close ? 'close' : 'done';
    }
  }

  refuseTooLarge(command: Command, out: ReplyBuffer): Step {
    if (!this.#cache.isWritable) return this.#refuseWrite(command, out);
    const removes = command.op === Op.set || command.op === Op.ms;
    const outcome = this.#cache.refuseTooLarge(removes, this.#keyOf(command, 0), storeWord(command));
    if (outcome === NEEDS_LOAD) return 'load';
    this.staged ||= removes;
    if (!command.noreply) out.line(lines.tooLarge);
    return 'done';
  }

  isTooLarge(command: Command): boolean {
    const key = this.#keyOf(command, 0);
    return this.#cache.isTooLarge(key.end - key.start, command.flags, command.length);
  }

  refuseBlock(command: Command, out: ReplyBuffer): void {
    // Memcached counts it: its data was taken in.
    this.#cache.counters.cmd_set++;
    if (!command.noreply) out.line(lines.badDataChunk);
  }

  readFailure(command: Command): Buffer {
    return command.noreply ? NOTHING : lines.readFailed;
  }

  laterFailure(_command: Command, error: Error): Buffer {
    return Buffer.from(`SERVER_ERROR ${error.message.replaceAll(/[\r\n]+/g, ' ')}\r\n`, 'latin1');
  }

  writeFailure(): Buffer {
    return lines.writeFailed;
  }

  #refuseWrite(command: Command, out: ReplyBuffer): Step {
    if (!command.noreply) out.line(lines.writeFailed);
    return 'done';
  }

  #retrieve(command: Command, exptime: number | undefined, out: ReplyBuffer): Step {
    const withCas = command.op === Op.gets || command.op === Op.gats;
    const hit = this.#hit;
    this.staged ||= exptime !== undefined;
    const { prefetch } = this.#cache;
    const turnEnd = this.answered + KEYS_PER_TURN;
    /** The first of the keys whose memory was fetched last. */
    let from = -PREFETCH_KEYS;
    for (; this.answered < command.keyCount; this.answered++) {
      if (out.length > FLUSH_BYTES) return 'flush';
      if (this.answered === turnEnd) return 'turn';
      if (this.answered - from >= PREFETCH_KEYS && command.keyCount - this.answered > 1) {
        from = this.answered;
        prefetch.keys(command.buffer, command.keyStarts, command.keyEnds, from, command.keyCount);
      }
      const key = this.#keyOf(command, this.answered);
      const isPrefetched = this.answered - from < PREFETCH_KEYS;
      const found = this.#cache.fetch(key, exptime, hit, isPrefetched ? prefetch.hash(this.answered - from) : undefined);
      if (found === NEEDS_LOAD) return 'load';
      if (found === NEEDS_ROOM) return 'room';
      if (!found) continue;
      valueLine(out, key.buffer, key.start, key.end, hit.flags, hit.length, withCas ? hit.cas : undefined);
      if (hit.owned && hit.length >= UNCOPIED_VALUE_BYTES) {
        this.answered++;
        return 'value';
      }
      out.copy(hit.bytes, hit.start, hit.start + hit.length);
      out.crlf();
    }
    end(out);
    return 'done';
  }

  #store(op: StoreOp, command: Command, value: Buffer | undefined, out: ReplyBuffer): Step {
    const isFull = this.#cache.isFullFor(this.#keyOf(command, 0), value!.length, op === Op.append || op === Op.prepend);
    if (isFull !== false) return isFull === NEEDS_LOAD ? 'load' : this.#refuseFull(command, out);
    const outcome = this.#cache.store(op, this.#keyOf(command, 0), command.flags, command.exptime, command.casUnique, value!);
    if (outcome === NEEDS_LOAD) return 'load';
    if (!command.noreply) {
      switch (outcome) {
        case 'stored':
          out.line(lines.stored);
          break;
        case 'not_stored':
          out.line(lines.notStored);
          break;
        case 'exists':
          out.line(lines.exists);
          break;
        case 'not_found':
          out.line(lines.notFound);
          break;
      }
    }
    this.staged ||= outcome === 'stored';
    return 'done';
  }

  #refuseFull(command: Command, out: ReplyBuffer): Step {
    const removes = command.op === Op.set || command.op === Op.ms;
    if (this.#cache.refuseFull(removes, this.#keyOf(command, 0), storeWord(command)) === NEEDS_LOAD) return 'load';
    this.staged ||= removes;
    if (!command.noreply) out.line(lines.outOfMemoryStoring);
    return 'done';
  }

  #addDelta(command: Command, out: ReplyBuffer): Step {
    const outcome = this.#cache.addDelta(this.#keyOf(command, 0), command.delta, command.op === Op.incr);
    if (outcome === NEEDS_LOAD) return 'load';
    if (!command.noreply) {
      if (outcome === 'stored') numberLine(out, this.#cache.deltaResult);
      else if (outcome === 'no_memory') out.line(lines.outOfMemory);
      else out.line(outcome === 'non_numeric' ? lines.nonNumericValue : lines.notFound);
    }
    this.staged ||= outcome === 'stored';
    return 'done';
  }

  #delete(command: Command, out: ReplyBuffer): Step {
    return this.#replyTo(this.#cache.delete(this.#keyOf(command, 0)), command, lines.deleted, out);
  }

  #touch(command: Command, out: ReplyBuffer): Step {
    return this.#replyTo(this.#cache.touch(this.#keyOf(command, 0), command.exptime), command, lines.touched, out);
  }

  #replyTo(outcome: 'deleted' | 'touched' | 'not_found' | 'exists' | NeedsLoad, command: Command, success: Buffer, out: ReplyBuffer): Step {
    if (outcome === NEEDS_LOAD) return 'load';
    if (!command.noreply) out.line(outcome === 'not_found' ? lines.notFound : success);
    this.staged ||= outcome !== 'not_found';
    return 'done';
  }

  #flushAll(command: Command, out: ReplyBuffer): Step {
    if (this.#administration.flushAllowed) {
      this.#cache.flushAll(command.exptime);
      this.staged = true;
      if (!command.noreply) out.line(lines.ok);
      return 'done';
    }
    this.#cache.counters.cmd_flush++;
    if (!command.noreply) out.line(lines.flushNotAllowed);
    return 'done';
  }

  #metaGet(command: Command, out: ReplyBuffer): Step {
    // The value went out uncopied, and its CRLF behind it.
    if (this.answered > 0) return 'done';
    const { meta } = command;
    const hit = this.#hit;
    const outcome = this.#meta.get(this.#keyOf(command, 0), meta, this.#fields, hit);
    if (outcome === NEEDS_LOAD) return 'load';
    if (outcome === NEEDS_ROOM) return 'room';
    this.#takeStaged();
    if (outcome === 'no_memory') {
      out.line(lines.outOfMemory);
      return 'done';
    }
    if (outcome === 'miss') return this.#metaReply(command, 'EN', out);
    if (!meta.value || meta.compareCas === this.#fields.cas) return this.#metaReply(command, 'HD', out);
    metaReply(out, 'VA', meta, this.#fields, hit.length);
    if (hit.owned && hit.length >= UNCOPIED_VALUE_BYTES) {
      this.answered = 1;
      return 'value';
    }
    out.copy(hit.bytes, hit.start, hit.start + hit.length);
    out.crlf();
    return 'done';
  }

  #metaStore(command: Command, value: Buffer | undefined, out: ReplyBuffer): Step {
    const { mode } = command.meta;
    const isFull = this.#cache.isFullFor(this.#keyOf(command, 0), value!.length, mode === 'append' || mode === 'prepend');
    if (isFull !== false) return isFull === NEEDS_LOAD ? 'load' : this.#refuseFull(command, out);
    const outcome = this.#meta.store(this.#keyOf(command, 0), command, this.#fields, value!);
    if (outcome === NEEDS_LOAD) return 'load';
    this.#takeStaged();
    return this.#metaReply(command, META_STORE_CODES[outcome], out);
  }

  #metaDelete(command: Command, out: ReplyBuffer): Step {
    const outcome = this.#meta.delete(this.#keyOf(command, 0), command.meta, this.#fields);
    if (outcome === NEEDS_LOAD) return 'load';
    this.#takeStaged();
    return this.#metaReply(command, META_DELETE_CODES[outcome], out);
  }

  #metaArithmetic(command: Command, out: ReplyBuffer): Step {
    const outcome = this.#meta.arithmetic(this.#keyOf(command, 0), command.meta, this.#fields);
    if (outcome === NEEDS_LOAD) return 'load';
    this.#takeStaged();
    if (outcome === 'non_numeric' || outcome === 'no_memory') {
      out.line(outcome === 'no_memory' ? lines.outOfMemory : lines.nonNumericValue);
      return 'done';
    }
    if (outcome !== 'stored') return this.#metaReply(command, outcome === 'exists' ? 'EX' : 'NF', out);
    if (!command.meta.value) return this.#metaReply(command, 'HD', out);
    if (command.meta.quiet) return 'done';
    const number = String(this.#cache.deltaResult);
    metaReply(out, 'VA', command.meta, this.#fields, number.length);
    out.ascii(number);
    out.crlf();
    return 'done';
  }

  #metaDebug(command: Command, out: ReplyBuffer): Step {
    const key = this.#keyOf(command, 0);
    const outcome = this.#meta.debug(key, this.#fields);
    if (outcome === NEEDS_LOAD) return 'load';
    const fields = this.#fields;
    if (outcome === 'miss') metaReply(out, 'EN', command.meta, fields);
    else metaDebugLine(out, command.meta, fields, this.#cache.sizeOf(key.end - key.start, fields.clientFlags ?? 0, fields.size ?? 0));
    return 'done';
  }

  #metaReply(command: Command, code: MetaCode, out: ReplyBuffer): Step {
    if (!command.meta.quiet || !isHiddenByQuiet(command.op, code)) metaReply(out, code, command.meta, this.#fields);
    return 'done';
  }

  #takeStaged(): void {
    this.staged ||= this.#meta.staged;
    this.#meta.staged = false;
  }

  #answer(answer: Answer, noreply: boolean, out: ReplyBuffer): Step {
    if (answer === CLOSE) return 'close';
    if (answer === WATCH) {
      out.line(lines.ok);
      return 'watch';
    }
    if (typeof answer === 'string') {
      if (!noreply) out.ascii(answer);
      return 'done';
    }
    if (answer instanceof Promise) {
      this.pending = answer.then((text) => (noreply ? NOTHING : Buffer.from(text, 'latin1')));
      return 'later';
    }
    this.stream = answer;
    return 'stream';
  }

  #keyOf(command: Command, index: number): KeyRange {
    const key = this.#key;
    key.buffer = command.buffer;
    key.start = command.keyStarts[index]!;
    key.end = command.keyEnds[index]!;
    return key;
  }
}
