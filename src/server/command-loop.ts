import type { Cache } from '../cache/cache.ts';
import { type Command, Op } from '../cache/command.ts';
import { PREFETCH_KEYS } from '../cache/prefetch.ts';
import type { Want } from '../cache/residency.ts';
import type { HeldClock } from '../clock.ts';
import { Magic } from '../protocol/binary-header.ts';
import { CommandReader } from './command-reader.ts';
import type { ConnectionMemory } from './connection-memory.ts';
import { CurrentCommand } from './current-command.ts';
import { type Dialect, FLUSH_BYTES } from './dialect.ts';
import { UnusedInput } from './gathered-input.ts';
import { keysToLoad } from './look-ahead.ts';
import { Replies, type ReplyContext } from './replies.ts';
import type { ReplySender } from './reply-sender.ts';
import type { Session } from './session.ts';
import type { Traffic } from './traffic.ts';
import { LARGE_BYTES, type TurnQueue } from './turn-queue.ts';

/** Bytes of replies after which a connection leaves the turn to others, however fast its client reads. */
const TURN_BYTES = 512 * 1024;

/**
 * What a connection has to wait for before it can go on (docs/architecture.md, "Flow control"):
 * - `nothing`: for input, if anything.
 * - `load`: for keys; `keysToLoad` tells which.
 * - `room`: for room for its value; `goOn` will be called.
 * - `commit`: for what it staged; replies are held back until `settle`.
 * - `drain`: for its client to read.
 * - `later`, `stream`: for the reply, or the pieces of it, that the dialect has.
 * - `turn`: for others to have theirs.
 * - `memory`: for memory for something large.
 * - `watch`: for ever; it only receives.
 */
export type Wait = 'nothing' | 'load' | 'room' | 'commit' | 'drain' | 'later' | 'stream' | 'turn' | 'memory' | 'watch';

/** What the commands of all connections of a server share. */
export interface CommandContext extends ReplyContext {
  readonly cache: Cache;
  readonly text: Dialect;
  readonly binary: Dialect;
  readonly traffic: Traffic;
  /** What all connections hold together. */
  readonly memory: ConnectionMemory;
  /** Who waits for a turn. */
  readonly turns: TurnQueue;
  /** Requests that one connection may execute before others get their turn. */
  readonly requestsPerEvent: number;
  /** Held while commands are executed. */
  readonly clock: HeldClock;
  /** Told whose commands are about to be executed. */
  turn(session: Session): void;
  /** Told of each command before it is executed, if anybody wants to know. */
  trace: ((session: Session, command: Command) => void) | undefined;
  /** Told of each command after it was executed, while hot keys are looked for. */
  sample: ((command: Command) => void) | undefined;
}

/**
 * Executes the commands in the input of one connection, one after the other, until that is used up or something must be
 * waited for. It never waits itself: a run says what for, and the next run goes on at the same place.
 */
export class CommandLoop {
  /** Input that came and is not used yet. */
  readonly input: UnusedInput = new UnusedInput();
  /** Why no further command is executed; undefined while there may be more. */
  ended: 'quit' | 'refused' | 'watch' | undefined;
  readonly #session: Session;
  readonly #context: CommandContext;
  readonly #sender: ReplySender;
  readonly #goOn: () => void;
  readonly #current = new CurrentCommand();
  readonly #reader: CommandReader;
  readonly #replies: Replies;
  /** Undefined until the first byte is there. */
  #dialect: Dialect | undefined;
  /** Number of the command that runs. */
  #serial = 0;
  /** What is executed now has just been read. */
  #isAtOnce = false;
  /** What the common account of memory knows of. */
  #heldBytes = 0;

  /** `dialect` is the first one, undefined = chosen by the first byte; `goOn` is called when a wait for room is over. */
  constructor(session: Session, dialect: Dialect | undefined, context: CommandContext, sender: ReplySender, goOn: () => void) {
    this.#session = session;
    this.#dialect = dialect;
    this.#context = context;
    this.#sender = sender;
    this.#goOn = goOn;
    this.#reader = new CommandReader(session, this.#current, context.out);
    this.#replies = new Replies(context, sender);
  }

  /** The dialect that is spoken now; the text one until that is known. */
  get dialect(): Dialect {
    return this.#dialect ?? this.#context.text;
  }

  /** True while a data block is arriving. */
  get isCollecting(): boolean {
    return this.#reader.isCollecting;
  }

  /** True while the rest of a refused data block is to come. */
  get isSkipping(): boolean {
    return this.#reader.isSkipping;
  }

  /** True while there are replies that are not sent. */
  get isPipelined(): boolean {
    return this.#replies.isPending;
  }

  /** True when there is something for `run` to go on with: input, a command that is not over, or replies to wait for a commit with. */
  get hasWork(): boolean {
    return this.input.length > 0 || this.#current.command !== undefined || this.#replies.isHolding;
  }

  /** Bytes held here, as the common account has them. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Bytes of a data block or line that is still arriving. */
  get incompleteBytes(): number {
    return this.#reader.collectedBytes + this.input.length;
  }

  /** True while nothing large may be begun. */
  get lacksRoom(): boolean {
    return !this.#context.memory.hasRoom(this.#heldBytes);
  }

  /** True when nothing more may be executed before the client has read. */
  get mustDrain(): boolean {
    return this.#sender.mustDrain(this.#context.memory.isShort);
  }

  /** Takes bytes with which there is nothing to do: they are from the midst of a data block. False when they must be run. */
  collect(bytes: Buffer, length: number): boolean {
    if (this.input.length > 0 || !this.#reader.collect(bytes, length)) return false;
    this.#session.lastCommandAt = this.#context.clock.now();
    this.account();
    return true;
  }

  /**
   * Executes what the first `end` bytes hold. `owned` tells that they may be kept; otherwise what is left of them is
   * copied. `isAtOnce` tells that they have just been read, and nobody stood in line with them. Returns what to wait for; with `ended`
   * set that is only whether the replies can go out.
   */
  run(bytes: Buffer, end: number, owned: boolean, isAtOnce: boolean): Wait {
    const context = this.#context;
    this.#isAtOnce = isAtOnce;
    const { out } = context;
    this.#dialect ??= this.#choose(bytes, end);
    let dialect = this.dialect;
    let turns = context.requestsPerEvent;
    const session = this.#session;
    const current = this.#current;
    const replies = this.#replies;
    this.#sender.turnBytes = 0;
    this.#setFetchLimit();
    context.turn(session);
    session.lastCommandAt = context.clock.now();
    replies.begin();
    dialect.staged = false;
    let staged = false;
    /** Commands until memory is fetched for those that follow. */
    let unfetched = 0;
    let at = 0;
    let wait: Wait = 'nothing';
    for (;;) {
      if (current.command === undefined) {
        at = this.#reader.next(dialect, bytes, at, end);
        if (at < 0) {
          // Nothing complete: -1 - at is where the incomplete rest begins.
          at = -1 - at;
          wait = this.#finish(staged, 'nothing');
          break;
        }
      }
      const { command } = current;
      if (command === undefined) continue;
      if (at < end && unfetched-- === 0) {
        dialect.prefetch?.(bytes, at, end);
        unfetched = PREFETCH_KEYS - 1;
      }
      if (context.store.failure !== undefined && this.#dropFailed()) continue;
      if (isBulky(command.op) && this.lacksRoom) {
        wait = this.#finish(staged, 'memory');
        break;
      }
      if (current.value !== undefined && context.cache.holdForRoom !== undefined && this.#holdForRoom(current.value.length)) {
        replies.finish(staged);
        wait = 'room';
        break;
      }
      if (context.trace !== undefined && current.answered === 0) context.trace(session, command);
      const before = out.length;
      let stagedNow = false;
      if (current.answered === 0) this.#serial++;
      const step = current.isTooLarge
        ? dialect.refuseTooLarge(command, out)
        : dialect.execute(command, current.value, current.answered, session, out);
      if (dialect.staged) {
        dialect.staged = false;
        staged = true;
        stagedNow = true;
        replies.depend(before, this.#serial);
      }
      if (step === 'done' || step === 'authenticated') {
        if (context.sample !== undefined && !current.isTooLarge) context.sample(command);
        if (current.isTooLarge) this.#reader.skip(command.length + dialect.trailer);
        current.done();
        if (step === 'authenticated') {
          session.authenticated = true;
          dialect = context.text;
          this.#dialect = dialect;
        }
        if ((--turns <= 0 || this.#sender.turnBytes > TURN_BYTES) && at < end) {
          wait = this.#yield(staged);
          break;
        }
        // Who asks for no replies would otherwise stage all that has gathered while it waited.
        if (out.length <= FLUSH_BYTES && !(stagedNow && replies.isCrowded)) continue;
        wait = this.#flush(staged);
        if (wait !== 'nothing') break;
        staged = false;
        continue;
      }
      current.answered = dialect.answered;
      if (step === 'close') {
        this.ended = command.op === Op.refused ? 'refused' : 'quit';
        wait = this.#finish(staged, 'nothing');
        break;
      }
      if (step === 'watch') {
        current.done();
        this.ended = 'watch';
        wait = this.#finish(staged, 'watch');
        break;
      }
      if (step === 'turn') {
        wait = this.#yield(staged);
        break;
      }
      if (step === 'room') {
        wait = this.lacksRoom ? this.#finish(staged, 'memory') : this.#yield(staged);
        break;
      }
      if (step === 'load' || step === 'later' || step === 'stream') {
        replies.finish(staged);
        wait = step;
        break;
      }
      if (step === 'value' && !replies.mustHold(staged)) {
        replies.sendValue(dialect);
        if (this.mustDrain) {
          replies.sendWritten();
          wait = 'drain';
          break;
        }
      } else {
        if (step === 'value') replies.holdValue(dialect, stagedNow);
        if (step === 'flush' || replies.heldBytes > FLUSH_BYTES) {
          wait = this.#flush(staged);
          if (wait !== 'nothing') break;
          staged = false;
        }
      }
      if (this.#sender.turnBytes > TURN_BYTES) {
        wait = this.#yield(staged);
        break;
      }
      this.#setFetchLimit();
    }
    current.keep(dialect);
    if (at < end && this.ended === undefined) this.input.leave(bytes, at, end, owned);
    else this.input.drop();
    return wait;
  }

  /** The keys to be loaded for a wait `load`. */
  keysToLoad(): Want[] {
    const { command, answered, isTooLarge } = this.#current;
    if (command === undefined) return [];
    // Behind the command lies its data block, not the next command.
    return keysToLoad(this.#context.cache.residency, this.dialect, command, answered, isTooLarge ? undefined : this.input.bytes);
  }

  /** Answers the command whose keys could not be loaded. */
  failLoad(): void {
    const { command, isTooLarge } = this.#current;
    this.#current.done();
    if (command === undefined) return;
    if (isTooLarge) this.#reader.skip(command.length + this.dialect.trailer);
    this.#replies.add(this.dialect.readFailure(command));
  }

  /** The reply to the command of a wait `later` that failed. */
  laterFailure(error: Error): Buffer {
    return this.dialect.laterFailure(this.#current.command ?? this.dialect.command, error);
  }

  /** Sends a reply, or a part of one, that was waited for, behind those that are held back. */
  answer(reply: Buffer): void {
    this.#replies.add(reply);
  }

  /** The command whose reply was waited for is executed. */
  done(): void {
    this.#current.done();
  }

  /** The commit that was waited for is done, or failed: sends the replies, or errors in their place. */
  settle(error: Error | undefined): void {
    if (error !== undefined) this.#dropFailed();
    this.#replies.settle(this.dialect, error);
  }

  /** Gives up what is unfinished: the client is gone. */
  close(): void {
    this.#sender.close();
    this.input.drop();
    this.#reader.drop();
    this.account();
  }

  /** Tells the common account of memory what is held here. */
  account(): void {
    // Of what the socket holds only what its `drain` tells the end of.
    const held = this.#sender.isClosed
      ? 0
      : this.#sender.drainingBytes + this.#replies.heldBytes + this.incompleteBytes + (this.#current.value?.length ?? 0);
    if (held === this.#heldBytes) return;
    const change = held - this.#heldBytes;
    this.#heldBytes = held;
    this.#context.memory.change(change);
  }

  #choose(bytes: Buffer, end: number): Dialect | undefined {
    if (end === 0) return undefined;
    return bytes[0] === Magic.request ? this.#context.binary : this.#context.text;
  }

  #setFetchLimit(): void {
    this.account();
    const mustWait = this.lacksRoom || (this.#isAtOnce && this.#context.turns.isSpent);
    this.#context.cache.fetchLimit = mustWait ? LARGE_BYTES : Number.POSITIVE_INFINITY;
  }

  /** Has a store wait, once, while there is no room for its value and some is being made. False when it is not to wait. */
  #holdForRoom(bytes: number): boolean {
    if (this.#current.hasWaited || this.#context.cache.holdForRoom?.(bytes, this.#goOn) !== true) return false;
    this.#current.hasWaited = true;
    return true;
  }

  /** Sends or holds back what was written. Returns what to wait for: that comes before what would be `next`. */
  #finish(staged: boolean, next: Wait): Wait {
    if (!this.#replies.finish(staged)) return 'commit';
    return this.mustDrain ? 'drain' : next;
  }

  /** The same in the middle of a run, which goes on if there is nothing to wait for. */
  #flush(staged: boolean): Wait {
    const wait = this.#finish(staged, 'nothing');
    this.#replies.begin();
    return wait;
  }

  /** Leaves the turn to others. */
  #yield(staged: boolean): Wait {
    this.#context.traffic.yields++;
    return this.#finish(staged, 'turn');
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
