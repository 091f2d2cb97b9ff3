import type { Cache } from '../cache/cache.ts';
import { type Command, Op } from '../cache/command.ts';
import { Magic } from '../protocol/binary-header.ts';
import type { ReplyBuffer } from '../protocol/reply-buffer.ts';
import type { CommitWaiter } from '../store/commit-group.ts';
import type { Store } from '../store/store.ts';
import { CommandReader } from './command-reader.ts';
import type { ConnectionMemory, MemoryHolder } from './connection-memory.ts';
import { CurrentCommand } from './current-command.ts';
import { type Dialect, FLUSH_BYTES } from './dialect.ts';
import { UnusedInput } from './gathered-input.ts';
import { keysToLoad } from './look-ahead.ts';
import { Replies } from './replies.ts';
import { ReplySender } from './reply-sender.ts';
import type { ConnectionState, Session } from './session.ts';
import type { Traffic } from './traffic.ts';
import type { Wire } from './wire.ts';

/** Unread input above which a connection that waits is no longer read from. */
const BACKLOG_BYTES = 256 * 1024;
/** Bytes of replies after which a connection leaves the turn to others, however fast its client reads. */
const TURN_BYTES = 2 * 1024 * 1024;
/** Values and data blocks above this are large: they wait when the memory for connections is used up. */
export const LARGE_BYTES: number = 16 * 1024;

/** Where a connection comes from and what it may speak. */
export interface Origin {
  /** As in Session. */
  readonly id: number;
  readonly peer: string;
  readonly listener: string;
  readonly transport: Session['transport'];
  readonly isLocal: boolean;
  readonly isEncrypted: boolean;
  /** The dialect it must speak; undefined = chosen by its first byte, as memcached does. */
  readonly dialect: Dialect | undefined;
}

/** Why a connection ended, as `watch connevents` says it. */
export type CloseReason = 'normal' | 'error' | 'idle_timeout' | 'shutdown';

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly cache: Cache;
  readonly store: Store;
  readonly text: Dialect;
  readonly binary: Dialect;
  /** Replies of the connection that runs now. */
  readonly out: ReplyBuffer;
  /** Mutations are acknowledged before they are committed. */
  readonly ackFromMemory: boolean;
  readonly traffic: Traffic;
  /** What all connections hold together. */
  readonly memory: ConnectionMemory;
  /** Requests that one connection may execute before others get their turn. */
  readonly requestsPerEvent: number;
  nowSeconds(): number;
  /** Told which connection is about to execute commands. */
  turn(connection: Connection): void;
  /** Told of each command before it is executed, if anybody wants to know. */
  trace: ((connection: Connection, command: Command) => void) | undefined;
  /** Told of each command after it was executed, while hot keys are looked for. */
  sample: ((command: Command) => void) | undefined;
  /** Told when a connection is over. */
  onClose(connection: Connection): void;
  /** Told of a fault that is not the client's. */
  onFault(connection: Connection, error: Error): void;
}

/**
 * One client: bytes in, commands executed one after the other, replies out in the same order.
 *
 * It runs until its input is used up or it must wait: for keys to be loaded, for what it staged to be
 * committed (replies are held back until then), for the client to read, or for a command that works in
 * the background. Input that arrives meanwhile is kept, up to a bound.
 */
export class Connection implements Session, CommitWaiter, MemoryHolder {
  readonly id: number;
  readonly peer: string;
  readonly listener: string;
  readonly transport: Session['transport'];
  readonly isLocal: boolean;
  lastCommandAt: number;
  authenticated = false;
  closeReason: CloseReason = 'normal';
  readonly #socket: Wire;
  readonly #isEncrypted: boolean;
  readonly #context: ConnectionContext;
  /** Undefined until the first byte is there. */
  #dialect: Dialect | undefined;
  readonly #input = new UnusedInput();
  readonly #current = new CurrentCommand();
  readonly #reader: CommandReader;
  readonly #sender: ReplySender;
  readonly #replies: Replies;
  #waiting: 'nothing' | 'load' | 'room' | 'commit' | 'drain' | 'later' | 'turn' | 'memory' | 'watch' = 'nothing';
  /** True once it is only there to receive log lines. */
  #watching = false;
  /** Told when the client has read what a stream waits for, or is gone. */
  #onRoom: (() => void) | undefined;
  /** Number of the command that runs. */
  #serial = 0;
  #running = false;
  #readingPaused = false;
  #closing = false;
  /** No further input is taken; what came before is still answered. */
  #peerEnded = false;
  /** What the common account of memory knows of. */
  #heldBytes = 0;
  #readBytes = 0;

  constructor(socket: Wire, origin: Origin, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.id = origin.id;
    this.peer = origin.peer;
    this.listener = origin.listener;
    this.transport = origin.transport;
    this.isLocal = origin.isLocal;
    this.#isEncrypted = origin.isEncrypted;
    this.#dialect = origin.dialect;
    this.#reader = new CommandReader(this, this.#current, context.out);
    this.#sender = new ReplySender(socket, context.traffic);
    this.#replies = new Replies(context, this.#sender);
    this.lastCommandAt = context.nowSeconds();
    socket.on('drain', () => this.#drained());
    socket.on('end', () => {
      this.finish();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sender.isClosed = true;
      this.#input.drop();
      this.#reader.drop();
      context.memory.leave(this);
      this.#account();
      this.#onRoom?.();
      context.onClose(this);
    });
  }

  get state(): ConnectionState {
    if (this.#closing) return 'conn_closing';
    if (this.#watching) return 'conn_watch';
    if (this.#running || this.#waiting === 'later') return 'conn_parse_cmd';
    if (this.#waiting === 'drain') return 'conn_write';
    if (this.#waiting !== 'nothing') return 'conn_waiting';
    if (this.#reader.isCollecting) return 'conn_nread';
    return this.#reader.isSkipping ? 'conn_swallow' : 'conn_new_cmd';
  }

  /** True when no command is under way and no reply unsent. */
  get isIdle(): boolean {
    return this.#waiting === 'nothing' && !this.#running && (this.#closing || !this.#reader.isCollecting) && this.#socket.writableLength === 0;
  }

  get isPipelined(): boolean {
    return this.#replies.isPending;
  }

  get unsentBytes(): number {
    return this.#sender.unsentBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get movedBytes(): number {
    return this.#readBytes + this.#sender.takenBytes;
  }

  get isHeldUp(): boolean {
    // A listing that waits for its reader does so in the background.
    return this.#onRoom === undefined && this.#waiting !== 'drain' && this.#waiting !== 'nothing';
  }

  push(bytes: Buffer): void {
    this.#sender.send(bytes);
    this.#account();
  }

  /** Goes on with what waited for memory. */
  roomMade(): void {
    if (this.#waiting !== 'memory') return;
    this.#waiting = 'nothing';
    this.#resume();
  }

  /** Ends the connection because it holds too much while memory is short. */
  evict(): void {
    this.closeReason = 'error';
    this.#sender.isClosed = true;
    this.#account();
    this.#socket.destroy();
  }

  /** True for a connection between commands. */
  get isBetweenCommands(): boolean {
    return this.isIdle && !this.#reader.isSkipping && !this.#reader.isCollecting;
  }

  /** Takes what was read. Returns false when reading must pause. */
  read(bytes: Buffer, length: number): boolean {
    // A watcher has nothing more to say.
    if (this.#sender.isClosed || this.#closing || this.#peerEnded || this.#watching) return true;
    this.#context.traffic.bytesRead += length;
    this.#readBytes += length;
    if (this.#waiting !== 'nothing' || this.#running) {
      this.#input.add(bytes.subarray(0, length));
      this.#readingPaused = this.#input.length > BACKLOG_BYTES || this.#context.memory.isShort;
      this.#account();
      return !this.#readingPaused;
    }
    if (this.#input.length === 0) {
      this.#run(bytes, 0, length, false);
    } else {
      this.#input.add(bytes.subarray(0, length));
      const input = this.#input.take();
      this.#run(input, 0, input.length, true);
    }
    if (this.#waiting === 'nothing' && this.#incompleteBytes > LARGE_BYTES && this.#lacksRoom) {
      // The rest of the data block, or of the line, stays with the client.
      this.#waitForRoom();
      this.#readingPaused = true;
    }
    return !this.#readingPaused;
  }

  /** Takes no further input, answers what is complete of the input there is, and ends. */
  finish(): void {
    this.#peerEnded = true;
    if ((this.#waiting === 'nothing' || this.#waiting === 'watch') && !this.#running) this.close();
  }

  /** Ends the connection once its replies are sent. */
  close(): void {
    if (this.#closing || this.#sender.isClosed) return;
    this.#closing = true;
    if (this.#waiting === 'nothing' || this.#waiting === 'drain' || this.#waiting === 'watch' || this.#waiting === 'memory') this.#end();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** The commit that the held replies waited for is done, or failed: then they become errors. */
  committed(error: Error | undefined): void {
    this.#waiting = 'nothing';
    if (error !== undefined) this.#dropFailed();
    this.#replies.settle(this.#dialect ?? this.#context.text, error);
    this.#resume();
  }

  /** Goes on after a wait. */
  #resume(): void {
    if (this.#sender.isClosed) return;
    if (this.#closing) {
      this.#end();
      return;
    }
    if (this.#mustDrain) {
      this.#waiting = 'drain';
      this.#account();
      return;
    }
    if (this.#watching && !this.#peerEnded) {
      this.#waiting = 'watch';
      return;
    }
    const input = this.#input.take();
    this.#run(input, 0, input.length, true);
    if (this.#waiting !== 'nothing' || this.#sender.isClosed) return;
    if (this.#readingPaused) {
      this.#readingPaused = false;
      this.#socket.resume();
    }
    if (this.#peerEnded) this.close();
  }

  /** Sends what is unsent and then the end. Reading goes on, without use, or the client's own end would not be noticed. */
  #end(): void {
    // After a client's mistake all may be with the kernel: closing at once spares it from writing to what is half gone.
    if (this.closeReason === 'error' && this.#socket.writableLength === 0 && this.transport !== 'udp' && !this.#isEncrypted) this.#socket.destroy();
    else this.#socket.destroySoon();
    if (!this.#readingPaused) return;
    this.#readingPaused = false;
    this.#socket.resume();
  }

  #drained(): void {
    this.#account();
    this.#onRoom?.();
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
    let dialect = this.#dialect ?? context.text;
    let turns = context.requestsPerEvent;
    const current = this.#current;
    this.#running = true;
    this.#sender.turnBytes = 0;
    this.#setFetchLimit();
    context.turn(this);
    this.lastCommandAt = context.nowSeconds();
    this.#replies.begin();
    dialect.staged = false;
    let staged = false;
    let at = start;
    try {
      for (;;) {
        if (current.command === undefined) {
          at = this.#reader.next(dialect, bytes, at, end);
          if (at < 0) {
            // Nothing complete: -1 - at is where the incomplete rest begins.
            at = -1 - at;
            break;
          }
        }
        const { command } = current;
        if (command === undefined) continue;
        if (context.store.failure !== undefined && this.#dropFailed()) continue;
        if (isBulky(command.op) && this.#lacksRoom) {
          this.#finish(staged);
          if (this.#waiting === 'nothing') this.#waitForRoom();
          break;
        }
        if (current.value !== undefined && context.cache.holdForRoom !== undefined && this.#holdForRoom(current.value.length)) break;
        if (context.trace !== undefined && current.answered === 0) context.trace(this, command);
        const before = out.length;
        let stagedNow = false;
        if (current.answered === 0) this.#serial++;
        const step = current.isTooLarge
          ? dialect.refuseTooLarge(command, out)
          : dialect.execute(command, current.value, current.answered, this, out);
        if (dialect.staged) {
          dialect.staged = false;
          staged = true;
          stagedNow = true;
          this.#replies.depend(before, this.#serial);
        }
        if (step === 'done' || step === 'authenticated') {
          if (context.sample !== undefined && !current.isTooLarge) context.sample(command);
          if (current.isTooLarge) this.#reader.skip(command.length + dialect.trailer);
          current.done();
          if (step === 'authenticated') {
            this.authenticated = true;
            dialect = context.text;
            this.#dialect = dialect;
          }
          if ((--turns <= 0 || this.#sender.turnBytes > TURN_BYTES) && at < end) {
            context.traffic.yields++;
            this.#yield(staged);
            break;
          }
          // Who asks for no replies would otherwise stage all that has gathered while it waited.
          if (out.length <= FLUSH_BYTES && !(stagedNow && this.#replies.isCrowded)) continue;
          if (!this.#flush(staged)) break;
          staged = false;
          continue;
        }
        current.answered = dialect.answered;
        if (step === 'close') {
          this.#closing = true;
          if (command.op === Op.refused) this.closeReason = 'error';
          break;
        }
        if (step === 'watch') {
          current.done();
          this.#watching = true;
          at = end;
          this.#finish(staged);
          if (this.#waiting === 'nothing') this.#waiting = 'watch';
          break;
        }
        if (step === 'turn' || step === 'room') {
          if (step === 'turn') context.traffic.yields++;
          this.#finish(staged);
          if (this.#waiting === 'nothing') {
            if (step === 'turn') this.#takeTurn();
            else this.#waitForRoom();
          }
          break;
        }
        if (step === 'flush') {
          if (!this.#flush(staged)) break;
          staged = false;
        } else if (step === 'value' && this.#replies.mustHold(staged)) {
          this.#replies.holdValue(dialect, stagedNow);
          if (this.#replies.heldBytes > FLUSH_BYTES) {
            if (!this.#flush(staged)) break;
            staged = false;
          }
        } else if (step === 'value') {
          this.#replies.sendValue(dialect);
          if (this.#mustDrain) {
            this.#replies.sendWritten();
            this.#waiting = 'drain';
            break;
          }
        } else {
          if (step === 'load') this.#load(dialect, command, bytes, at, end);
          else if (step === 'stream') this.#pass(dialect);
          else this.#waitFor(dialect, command);
          break;
        }
        if (this.#sender.turnBytes > TURN_BYTES) {
          context.traffic.yields++;
          this.#yield(staged);
          break;
        }
        this.#setFetchLimit();
      }
      if (this.#waiting === 'nothing' || this.#waiting === 'load' || this.#waiting === 'room' || this.#waiting === 'later') this.#finish(staged);
      current.keep(dialect);
      if (at < end && !this.#closing) this.#input.leave(bytes, at, end, owned);
      else this.#input.drop();
    } catch (error) {
      context.onFault(this, error as Error);
      this.#socket.destroy();
    } finally {
      this.#running = false;
    }
    out.shrink();
    this.#account();
  }

  /** Bytes of a data block or line that is still arriving. */
  get #incompleteBytes(): number {
    return this.#reader.collectedBytes + this.#input.length;
  }

  /** True while nothing large may be begun. */
  get #lacksRoom(): boolean {
    return !this.#context.memory.hasRoom(this.#heldBytes);
  }

  /** True when nothing more may be executed before the client has read. */
  get #mustDrain(): boolean {
    return this.#sender.mustDrain(this.#context.memory.isShort);
  }

  #setFetchLimit(): void {
    this.#account();
    this.#context.cache.fetchLimit = this.#lacksRoom ? LARGE_BYTES : Number.POSITIVE_INFINITY;
  }

  #waitForRoom(): void {
    this.#waiting = 'memory';
    this.#account();
    this.#context.memory.wait(this);
  }

  /** Tells the common account what is held here. */
  #account(): void {
    // Of what the socket holds only what its `drain` tells the end of.
    const held = this.#sender.isClosed
      ? 0
      : this.#sender.drainingBytes +
        this.#replies.heldBytes +
        this.#incompleteBytes +
        (this.#current.value?.length ?? 0);
    if (held === this.#heldBytes) return;
    const change = held - this.#heldBytes;
    this.#heldBytes = held;
    this.#context.memory.change(change);
  }

  #choose(bytes: Buffer, start: number, end: number): Dialect | undefined {
    if (start >= end) return undefined;
    return bytes[start] === Magic.request ? this.#context.binary : this.#context.text;
  }

  /** Loads the keys of a command that waits and of those that follow it in the input. */
  #load(dialect: Dialect, command: Command, bytes: Buffer, at: number, end: number): void {
    const { residency } = this.#context.cache;
    const wants = keysToLoad(residency, dialect, command, this.#current.answered, this.#current.isTooLarge ? undefined : bytes.subarray(at, end));
    this.#waiting = 'load';
    residency.load(wants, (error) => {
      this.#waiting = 'nothing';
      if (this.#sender.isClosed) return;
      if (error !== undefined) this.#failCommand(dialect, error);
      this.#resume();
    });
  }

  /** Has a store wait, once, while there is no room for its value and some is being made. False when it is not to wait. */
  #holdForRoom(bytes: number): boolean {
    if (this.#current.hasWaited) return false;
    const isHeld = this.#context.cache.holdForRoom?.(bytes, () => {
      this.#waiting = 'nothing';
      this.#resume();
    });
    if (isHeld !== true) return false;
    this.#current.hasWaited = true;
    this.#waiting = 'room';
    return true;
  }

  /** Answers a command whose keys could not be read. */
  #failCommand(dialect: Dialect, error: Error): void {
    const { command, isTooLarge } = this.#current;
    this.#context.onFault(this, error);
    this.#current.done();
    if (command === undefined) return;
    if (isTooLarge) this.#reader.skip(command.length + dialect.trailer);
    this.#replies.add(dialect.readFailure(command));
  }

  #waitFor(dialect: Dialect, command: Command): void {
    this.#waiting = 'later';
    const answer = (reply: Buffer): void => {
      this.#waiting = 'nothing';
      this.#current.done();
      if (this.#sender.isClosed) return;
      this.#replies.add(reply);
      // Many answers are there at once, and a pipeline of them would leave no turn to anybody else.
      this.#takeTurn();
    };
    dialect.pending?.then(answer, (error: Error) => {
      this.#context.onFault(this, error);
      answer(dialect.laterFailure(this.#current.command ?? command, error));
    });
  }

  /** Sends the pieces of a reply as the client reads them. */
  #pass({ stream }: Dialect): void {
    this.#waiting = 'later';
    const pump = async (): Promise<void> => {
      try {
        for await (const chunk of stream ?? []) {
          // Also ends the stream: nobody is there to read it.
          if (this.#sender.isClosed) return;
          this.#replies.add(chunk);
          this.#account();
          if (this.#mustDrain) await this.#room();
        }
      } catch (error) {
        this.#context.onFault(this, error as Error);
        // An error line in the middle of a listing would be taken for a part of it.
        this.#socket.destroy();
        return;
      }
      this.#waiting = 'nothing';
      this.#current.done();
      this.#resume();
    };
    void pump();
  }

  /** Resolves when the client has read, or is gone. */
  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRoom = () => {
        this.#onRoom = undefined;
        resolve();
      };
      if (this.#sender.isClosed) this.#onRoom();
    });
  }

  /** Leaves the turn to others, and goes on after them. */
  #yield(staged: boolean): void {
    this.#finish(staged);
    if (this.#waiting === 'nothing' && !this.#closing) this.#takeTurn();
  }

  #takeTurn(): void {
    this.#waiting = 'turn';
    setImmediate(() => {
      this.#waiting = 'nothing';
      this.#resume();
    });
  }

  /** Sends or holds back what was written at the end of a run. */
  #finish(staged: boolean): void {
    const isSent = this.#replies.finish(staged);
    if (this.#waiting !== 'nothing') return;
    if (!isSent) {
      this.#waiting = 'commit';
      this.#context.store.whenCommitted(this);
    } else if (this.#closing) {
      this.#end();
    } else if (this.#mustDrain) {
      this.#waiting = 'drain';
    }
  }

  /** In the middle of a run: sends what was written. False when the run must wait first. */
  #flush(staged: boolean): boolean {
    this.#finish(staged);
    this.#replies.begin();
    return this.#waiting === 'nothing';
  }

  /**
   * Ends the command that is to go on when what it staged is not committed and the part of its reply that is held
   * back becomes an error line: that is the end of its reply. False when there is none.
   */
  #dropFailed(): boolean {
    if (this.#current.answered === 0 || !this.#replies.holdsPartOf(this.#serial)) return false;
    this.#current.done();
    return true;
  }
}

/** True for commands whose reply may be long and is no item. */
function isBulky(op: Op): boolean {
  return op === Op.stats || op === Op.expire || op === Op.admin;
}
