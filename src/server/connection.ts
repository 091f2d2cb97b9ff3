import type { Socket } from 'node:net';
import type { Cache } from '../cache/cache.ts';
import { type Command, Op } from '../cache/command.ts';
import type { Want } from '../cache/residency.ts';
import { Magic } from '../protocol/binary-header.ts';
import type { ReplyBuffer } from '../protocol/reply-buffer.ts';
import { NEED_MORE } from '../protocol/text-parser.ts';
import type { CommitWaiter } from '../store/commit-group.ts';
import type { Store } from '../store/store.ts';
import { type Dialect, FLUSH_BYTES } from './dialect.ts';
import type { ConnectionState, Session } from './session.ts';

const CR = 0x0d;
const LF = 0x0a;
/** Unread input above which a connection that waits is no longer read from. */
const BACKLOG_BYTES = 256 * 1024;
/** Unsent replies above which a connection executes nothing more until its client reads. */
const UNSENT_BYTES = 1024 * 1024;
/** Staged and uncommitted bytes, of all connections, above which writers wait even if nobody waits for a reply. */
const PENDING_BYTES = 16 * 1024 * 1024;
/** Keys that one look ahead loads together. */
const LOOK_AHEAD_KEYS = 256;

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly cache: Cache;
  readonly store: Store;
  /** The dialect of a connection is chosen by its first byte, as memcached does. */
  readonly text: Dialect;
  readonly binary: Dialect;
  /** Replies of the connection that runs now. */
  readonly out: ReplyBuffer;
  /** Mutations are acknowledged before they are committed. */
  readonly ackFromMemory: boolean;
  readonly traffic: Traffic;
  nowSeconds(): number;
  /** Told of each command before it is executed, if anybody wants to know. */
  trace: ((connection: Connection, command: Command) => void) | undefined;
  /** Told when a connection is over. */
  onClose(connection: Connection): void;
  /** Told of a fault that is not the client's. */
  onFault(connection: Connection, error: Error): void;
}

/** Bytes and yields, for stats. */
export interface Traffic {
  bytesRead: number;
  bytesWritten: number;
}

/** A storage command whose data block is still arriving. */
interface Collecting {
  readonly command: Command;
  /** The value and its CRLF. */
  readonly block: Buffer;
  filled: number;
}

/**
 * One client: bytes in, commands executed one after the other, replies out in the same order.
 *
 * It runs until its input is used up or it must wait: for keys to be loaded, for what it staged to be
 * committed (replies are held back until then), for the client to read, or for a command that works in
 * the background. Input that arrives meanwhile is kept, up to a bound.
 */
export class Connection implements Session, CommitWaiter {
  readonly id: number;
  readonly peer: string;
  readonly listener: string;
  readonly isLocal: boolean;
  lastCommandAt: number;
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  /** Undefined until the first byte is there. */
  #dialect: Dialect | undefined;
  /** Input not yet used, in memory of our own. */
  #input: Buffer | undefined;
  /** How much of the input was searched for a line end already. */
  #searched = 0;
  /** Bytes of a refused data block still to come. */
  #skip = 0;
  #collecting: Collecting | undefined;
  /** A command that waits to be executed, or goes on, with its data block. */
  #command: Command | undefined;
  #value: Buffer | undefined;
  #answered = 0;
  /** True for a storage command that only waits to be refused. */
  #tooLarge = false;
  #waiting: 'nothing' | 'load' | 'commit' | 'drain' | 'later' = 'nothing';
  /** Replies held back, and where in them those lie that depend on the commit: start, end, number of the command. */
  #held: Buffer | undefined;
  #heldSpans: number[] = [];
  /** The last commit group that holds something of this connection. */
  #stagedIn = 0;
  #spans: number[] = [];
  /** Number of the command that runs. */
  #serial = 0;
  #running = false;
  #readingPaused = false;
  #closing = false;
  /** No further input is taken; what came before is still answered. */
  #peerEnded = false;
  #closed = false;

  constructor(socket: Socket, id: number, peer: string, listener: string, isLocal: boolean, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.id = id;
    this.peer = peer;
    this.listener = listener;
    this.isLocal = isLocal;
    this.lastCommandAt = context.nowSeconds();
    socket.on('drain', () => this.#drained());
    socket.on('end', () => {
      this.finish();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#closed = true;
      this.#input = undefined;
      this.#collecting = undefined;
      context.onClose(this);
    });
  }

  get state(): ConnectionState {
    if (this.#closing) return 'conn_closing';
    if (this.#running) return 'conn_parse_cmd';
    if (this.#waiting === 'drain') return 'conn_write';
    if (this.#waiting !== 'nothing') return 'conn_waiting';
    if (this.#collecting !== undefined) return 'conn_nread';
    return this.#skip > 0 ? 'conn_swallow' : 'conn_new_cmd';
  }

  /** True when no command is under way and no reply unsent. */
  get isIdle(): boolean {
    return this.#waiting === 'nothing' && !this.#running && (this.#closing || this.#collecting === undefined) && this.#socket.writableLength === 0;
  }

  /** Takes what was read. Returns false when reading must pause. */
  read(bytes: Buffer, length: number): boolean {
    if (this.#closed || this.#closing || this.#peerEnded) return true;
    this.#context.traffic.bytesRead += length;
    if (this.#waiting !== 'nothing' || this.#running) {
      const view = bytes.subarray(0, length);
      this.#input = this.#input === undefined ? Buffer.from(view) : Buffer.concat([this.#input, view]);
      this.#readingPaused = this.#input.length > BACKLOG_BYTES;
      return !this.#readingPaused;
    }
    if (this.#input === undefined) this.#run(bytes, 0, length, false);
    else {
      const input = Buffer.concat([this.#input, bytes.subarray(0, length)]);
      this.#input = undefined;
      this.#run(input, 0, input.length, true);
    }
    return true;
  }

  /** Takes no further input, answers what is complete of the input there is, and ends. */
  finish(): void {
    this.#peerEnded = true;
    if (this.#waiting === 'nothing' && !this.#running) this.close();
  }

  /** Ends the connection once its replies are sent. */
  close(): void {
    if (this.#closing || this.#closed) return;
    this.#closing = true;
    if (this.#waiting === 'nothing' || this.#waiting === 'drain') this.#end();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** The commit that the held replies waited for is done, or failed: then they become errors. */
  committed(error: Error | undefined): void {
    this.#waiting = 'nothing';
    this.#stagedIn = 0;
    if (error !== undefined) this.#dropFailed();
    const held = this.#held;
    const spans = this.#heldSpans;
    this.#held = undefined;
    this.#heldSpans = [];
    if (held !== undefined) this.#send(error === undefined || this.#dialect === undefined ? held : failReplies(this.#dialect, held, spans));
    this.#resume();
  }

  /** Goes on after a wait. */
  #resume(): void {
    if (this.#closed) return;
    if (this.#closing) {
      this.#end();
      return;
    }
    if (this.#socket.writableLength > UNSENT_BYTES) {
      this.#waiting = 'drain';
      return;
    }
    const input = this.#input ?? Buffer.alloc(0);
    this.#input = undefined;
    this.#run(input, 0, input.length, true);
    if (this.#waiting !== 'nothing' || this.#closed) return;
    if (this.#readingPaused) {
      this.#readingPaused = false;
      this.#socket.resume();
    }
    if (this.#peerEnded) this.close();
  }

  /** Sends what is unsent and then the end. Reading goes on, without use, or the client's own end would not be noticed. */
  #end(): void {
    this.#socket.destroySoon();
    if (!this.#readingPaused) return;
    this.#readingPaused = false;
    this.#socket.resume();
  }

  #drained(): void {
    if (this.#waiting !== 'drain') return;
    this.#waiting = 'nothing';
    this.#resume();
  }

  /**
   * Executes what the bytes from `start` to `end` hold. `owned` tells that they may be kept; otherwise
   * what is left of them is copied.
   */
  #run(bytes: Buffer, start: number, end: number, owned: boolean): void {
    const context = this.#context;
    const { out } = context;
    this.#dialect ??= this.#choose(bytes, start, end);
    const dialect = this.#dialect ?? context.text;
    this.#running = true;
    this.lastCommandAt = context.nowSeconds();
    out.reset();
    this.#spans = [];
    dialect.staged = false;
    let staged = false;
    let at = start;
    try {
      for (;;) {
        if (this.#command === undefined) {
          at = this.#next(dialect, bytes, at, end);
          if (at < 0) {
            // Nothing complete: -1 - at is where the incomplete rest begins.
            at = -1 - at;
            break;
          }
        }
        const command: Command | undefined = this.#command;
        if (command === undefined) continue;
        if (context.store.failure !== undefined && this.#dropFailed()) continue;
        if (context.trace !== undefined && this.#answered === 0) context.trace(this, command);
        const before = out.length;
        if (this.#answered === 0) this.#serial++;
        const step = this.#tooLarge
          ? dialect.refuseTooLarge(command, out)
          : dialect.execute(command, this.#value, this.#answered, staged || this.#mustWait, this, out);
        if (dialect.staged) {
          dialect.staged = false;
          staged = true;
          this.#spans.push(before, out.length, this.#serial);
        }
        if (step === 'done') {
          this.#command = undefined;
          this.#value = undefined;
          this.#answered = 0;
          if (this.#tooLarge) {
            this.#tooLarge = false;
            this.#skip = command.length + dialect.trailer;
          }
          if (out.length <= FLUSH_BYTES) continue;
          if (!this.#flush(staged)) break;
          staged = false;
          continue;
        }
        this.#answered = dialect.answered;
        if (step === 'close') {
          this.#closing = true;
          break;
        }
        if (step === 'flush') {
          if (!this.#flush(staged)) break;
          staged = false;
        } else if (step === 'value') {
          this.#sendValue(dialect);
          if (this.#socket.writableLength > UNSENT_BYTES) {
            this.#sendOut();
            this.#waiting = 'drain';
            break;
          }
        } else {
          if (step === 'load') this.#load(dialect, command, bytes, at, end);
          else this.#waitFor(dialect, command);
          break;
        }
      }
      if (this.#waiting === 'nothing' || this.#waiting === 'load' || this.#waiting === 'later') this.#finish(staged);
      if (this.#command !== undefined) this.#command = detach(dialect, this.#command);
      if (at < end && !this.#closing) this.#input = owned ? bytes.subarray(at, end) : Buffer.from(bytes.subarray(at, end));
    } catch (error) {
      context.onFault(this, error as Error);
      this.#socket.destroy();
    } finally {
      this.#running = false;
    }
    out.shrink();
  }

  /**
   * Finds the next command and makes it `#command`, with its data block. Returns where the input goes on,
   * or -1 - where it is incomplete.
   */
  #next(dialect: Dialect, bytes: Buffer, from: number, end: number): number {
    let at = from;
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, end - at);
      this.#skip -= skipped;
      at += skipped;
    }
    if (this.#collecting !== undefined) {
      const { command, block } = this.#collecting;
      const copied = Math.min(block.length - this.#collecting.filled, end - at);
      bytes.copy(block, this.#collecting.filled, at, at + copied);
      this.#collecting.filled += copied;
      at += copied;
      if (this.#collecting.filled < block.length) return -1 - at;
      this.#collecting = undefined;
      this.#take(dialect, command, block, 0, command.length, true);
      return at;
    }
    if (at >= end) return -1 - at;
    const used = dialect.parse(bytes, at, end, Math.max(at, from === 0 ? this.#searched : at));
    if (used === NEED_MORE) {
      this.#searched = end - at;
      return -1 - at;
    }
    this.#searched = 0;
    at += used;
    const { command } = dialect;
    if (command.op === Op.refused) {
      this.#skip = command.skip;
      this.#command = command;
      return at;
    }
    if (!dialect.hasBlock(command)) {
      this.#command = command;
      return at;
    }
    if (dialect.isTooLarge(command)) {
      this.#command = command;
      this.#tooLarge = true;
      return at;
    }
    const blockLength = command.length + dialect.trailer;
    if (end - at >= blockLength) {
      this.#take(dialect, command, bytes, at, at + command.length, false);
      return at + blockLength;
    }
    const block = Buffer.allocUnsafeSlow(blockLength);
    bytes.copy(block, 0, at, end);
    this.#collecting = { command: detach(dialect, command), block, filled: end - at };
    return -1 - end;
  }

  /** Takes a complete data block: makes its command the next, or refuses it when it does not end in its trailer. */
  #take(dialect: Dialect, command: Command, bytes: Buffer, start: number, end: number, owned: boolean): void {
    if (dialect.trailer === 0 || (bytes[end] === CR && bytes[end + 1] === LF)) {
      this.#command = command;
      this.#value = owned ? bytes.subarray(start, end) : Buffer.from(bytes.subarray(start, end));
    } else {
      dialect.refuseBlock(command, this.#context.out);
    }
  }

  #choose(bytes: Buffer, start: number, end: number): Dialect | undefined {
    if (start >= end) return undefined;
    return bytes[start] === Magic.request ? this.#context.binary : this.#context.text;
  }

  /** Loads the keys of a command that waits and of those that follow it in the input. */
  #load(dialect: Dialect, command: Command, bytes: Buffer, at: number, end: number): void {
    const { cache } = this.#context;
    const wants: Want[] = [];
    const want = (bytes: Buffer, start: number, end: number, op: Op): void => {
      const value = wantsValue(op);
      const hash = cache.residency.hash(bytes, start, end);
      if (cache.residency.ram.find(hash, bytes, start, end) >= 0) return;
      const key = bytes.toString('latin1', start, end);
      if (cache.residency.besideRam(key, value) === undefined) wants.push({ key, value });
    };
    const last = Math.min(command.keyCount, this.#answered + LOOK_AHEAD_KEYS);
    for (let i = this.#answered; i < last; i++) want(command.buffer, command.keyStarts[i]!, command.keyEnds[i]!, command.op);
    if (!this.#tooLarge) dialect.peekKeys(bytes, at, end, LOOK_AHEAD_KEYS, (start, stop, op) => want(bytes, start, stop, op));
    this.#waiting = 'load';
    cache.residency.load(wants, (error) => {
      this.#waiting = 'nothing';
      if (this.#closed) return;
      if (error !== undefined) this.#failCommand(dialect, error);
      this.#resume();
    });
  }

  /** Answers a command whose keys could not be read. */
  #failCommand(dialect: Dialect, error: Error): void {
    const command = this.#command;
    this.#context.onFault(this, error);
    this.#command = undefined;
    this.#value = undefined;
    this.#answered = 0;
    if (command === undefined) return;
    if (this.#tooLarge) this.#skip = command.length + dialect.trailer;
    this.#tooLarge = false;
    this.#reply(dialect.readFailure(command));
  }

  #waitFor(dialect: Dialect, command: Command): void {
    this.#waiting = 'later';
    const answer = (reply: Buffer): void => {
      this.#waiting = 'nothing';
      this.#command = undefined;
      if (this.#closed) return;
      this.#reply(reply);
      this.#resume();
    };
    dialect.pending?.then(answer, (error: Error) => {
      this.#context.onFault(this, error);
      answer(dialect.laterFailure(this.#command ?? command, error));
    });
  }

  /** Sends or holds back what was written at the end of a run. */
  #finish(staged: boolean): void {
    const { out, store, ackFromMemory } = this.#context;
    if (staged) this.#stagedIn = store.stagingGroup;
    // Who asked for no reply waits only when too much is pending; but a later reply says that all before is done.
    const crowded = staged && (store.pendingBytes > PENDING_BYTES || store.failure !== undefined);
    if (!crowded && !(this.#mustWait && (this.#held !== undefined || (!ackFromMemory && out.length > 0)))) {
      this.#sendOut();
      if (this.#closing && this.#waiting === 'nothing') this.#end();
      else if (this.#waiting === 'nothing' && this.#socket.writableLength > UNSENT_BYTES) this.#waiting = 'drain';
      return;
    }
    this.#holdBack();
    if (this.#waiting === 'nothing') {
      this.#waiting = 'commit';
      store.whenCommitted(this);
    }
  }

  /** True while a reply may not be sent: replies are held back, or what was staged here is not committed. */
  get #mustWait(): boolean {
    return this.#held !== undefined || this.#stagedIn > this.#context.store.settledGroup;
  }

  /** In the middle of a run: sends what was written. False when the run must wait first. */
  #flush(staged: boolean): boolean {
    this.#finish(staged);
    this.#context.out.reset();
    this.#spans = [];
    return this.#waiting === 'nothing';
  }

  #holdBack(): void {
    const { out } = this.#context;
    const written = out.slice(0, out.length);
    const shift = this.#held?.length ?? 0;
    this.#held = this.#held === undefined ? written : Buffer.concat([this.#held, written]);
    for (let i = 0; i + 2 < this.#spans.length; i += 3) {
      this.#heldSpans.push(shift + this.#spans[i]!, shift + this.#spans[i + 1]!, this.#spans[i + 2]!);
    }
  }

  /**
   * Ends the command that is to go on when what it staged is not committed and the part of its reply that is held
   * back becomes an error line: that is the end of its reply. False when there is none.
   */
  #dropFailed(): boolean {
    const spans = this.#heldSpans;
    if (this.#answered === 0 || spans.at(-1) !== this.#serial || spans.at(-2)! <= spans.at(-3)!) return false;
    this.#command = undefined;
    this.#answered = 0;
    return true;
  }

  #sendOut(): void {
    const { out } = this.#context;
    if (out.length === 0) return;
    this.#context.traffic.bytesWritten += out.length;
    if (this.#socket.writableLength > 0) {
      this.#socket.write(out.slice(0, out.length));
      return;
    }
    this.#socket.write(out.bytes.subarray(0, out.length));
    // What the kernel did not take at once is still being sent from this memory.
    if (this.#socket.writableLength > 0) out.abandon();
  }

  #sendValue({ value, trailer }: Dialect): void {
    const { out } = this.#context;
    this.#socket.cork();
    this.#send(out.slice(0, out.length));
    this.#send(value);
    out.reset();
    if (trailer > 0) out.crlf();
    this.#spans = [];
    this.#socket.uncork();
  }

  /** Sends a reply that was made outside a run, behind those that are held back. */
  #reply(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#held === undefined) this.#send(bytes);
    else this.#held = Buffer.concat([this.#held, bytes]);
  }

  #send(bytes: Buffer): void {
    if (this.#closed) return;
    this.#context.traffic.bytesWritten += bytes.length;
    this.#socket.write(bytes);
  }
}

/** Makes a command independent of its dialect and of the bytes it was parsed from. */
function detach(dialect: Dialect, command: Command): Command {
  if (command !== dialect.command) return command;
  dialect.renew();
  const first = command.keyStarts[0] ?? 0;
  const last = command.keyCount === 0 ? first : (command.keyEnds[command.keyCount - 1] ?? first);
  command.rebase(Buffer.from(command.buffer.subarray(first, last)), first);
  return command;
}

/** True for commands that may need the value there is, not only what is known of it. */
function wantsValue(op: Op): boolean {
  return op <= Op.gats || (op >= Op.append && op <= Op.prepend) || op === Op.incr || op === Op.decr || op === Op.touch || op === Op.mg || op === Op.ms || op === Op.ma;
}

/** Replaces the replies of mutations that could not be committed. */
function failReplies(dialect: Dialect, held: Buffer, spans: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  // A reply written in several parts is replaced by one error.
  let failed = 0;
  for (let i = 0; i + 2 < spans.length; i += 3) {
    parts.push(held.subarray(at, spans[i]));
    if (spans[i + 1]! > spans[i]! && spans[i + 2] !== failed) {
      parts.push(dialect.writeFailure(held.subarray(spans[i], spans[i + 1])));
      failed = spans[i + 2]!;
    }
    at = spans[i + 1]!;
  }
  parts.push(held.subarray(at));
  return Buffer.concat(parts);
}
