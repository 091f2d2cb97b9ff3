import type { CommitWaiter } from '../store/commit-group.ts';
import type { Arrivals } from './arrivals.ts';
import { type CommandContext, CommandLoop, type Wait } from './command-loop.ts';
import type { MemoryHolder } from './connection-memory.ts';
import type { Dialect } from './dialect.ts';
import type { LargeReader, ReadQueue } from './read-queue.ts';
import { ReplySender } from './reply-sender.ts';
import type { ConnectionState, Session } from './session.ts';
import { LARGE_BYTES } from './turn-queue.ts';
import type { Wire } from './wire.ts';

/** Input above which a connection stands in line while others do: more than a few small requests. */
const MUCH_INPUT_BYTES = 2048;
/** Bytes of replies above which a connection stands in line for its next turn, whoever else does: they took as long as a hundred small ones. */
const MUCH_OUTPUT_BYTES = 64 * 1024;

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
export interface ConnectionContext extends CommandContext {
  /** Who sends large requests. */
  readonly reads: ReadQueue;
  /** Who connects while the server is busy. */
  readonly arrivals: Arrivals;
  /** Told when a connection is over. */
  onClose(connection: Connection): void;
  /** Told of a fault that is not the client's. */
  onFault(connection: Connection, error: Error): void;
}

/**
 * One client: bytes in, commands executed one after the other, replies out in the same order.
 *
 * Its command loop runs until the input is used up or there is something to wait for. Here is what it waits for and how it goes
 * on, what is read meanwhile, up to a bound, and how it ends.
 */
export class Connection implements Session, CommitWaiter, MemoryHolder, LargeReader {
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
  readonly #sender: ReplySender;
  readonly #loop: CommandLoop;
  #waiting: Wait = 'nothing';
  #running = false;
  /** Told when the client has read what a stream waits for, or is gone. */
  #onRead: (() => void) | undefined;
  #readBytes = 0;
  #readingPaused = false;
  /** No further input is taken; what came before is still answered. */
  #peerEnded = false;
  #closing = false;

  constructor(socket: Wire, origin: Origin, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.id = origin.id;
    this.peer = origin.peer;
    this.listener = origin.listener;
    this.transport = origin.transport;
    this.isLocal = origin.isLocal;
    this.#isEncrypted = origin.isEncrypted;
    this.lastCommandAt = context.clock.now();
    this.#sender = new ReplySender(socket, context.traffic, context.turns, origin.transport !== 'udp' && !origin.isEncrypted, () => this.#drained());
    this.#loop = new CommandLoop(this, origin.dialect, context, this.#sender, () => this.#goOn());
    socket.on('end', () => {
      this.finish();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      context.memory.leave(this);
      this.#loop.close();
      this.#onRead?.();
      context.onClose(this);
    });
  }

  get state(): ConnectionState {
    if (this.#closing) return 'conn_closing';
    if (this.#isWatching()) return 'conn_watch';
    if (this.#running || this.#waiting === 'later' || this.#waiting === 'stream') return 'conn_parse_cmd';
    if (this.#waiting === 'drain') return 'conn_write';
    if (this.#waiting !== 'nothing') return 'conn_waiting';
    if (this.#loop.isCollecting) return 'conn_nread';
    return this.#loop.isSkipping ? 'conn_swallow' : 'conn_new_cmd';
  }

  /** True when no command is under way and no reply unsent. */
  get isIdle(): boolean {
    return this.#waiting === 'nothing' && !this.#running && (this.#closing || !this.#loop.isCollecting) && this.unsentBytes === 0;
  }

  /** True for a connection between commands. */
  get isBetweenCommands(): boolean {
    return this.isIdle && !this.#loop.isSkipping && !this.#loop.isCollecting;
  }

  get isPipelined(): boolean {
    return this.#loop.isPipelined;
  }

  get unsentBytes(): number {
    return this.#sender.unsentBytes;
  }

  get heldBytes(): number {
    return this.#loop.heldBytes;
  }

  get movedBytes(): number {
    return this.#readBytes + this.#sender.takenBytes;
  }

  get isHeldUp(): boolean {
    // A listing that waits for its reader does so in the background. Who waits for memory may be one of those that hold it all.
    return this.#sender.isWaitingForTurn || (this.#onRead === undefined && this.#waiting !== 'drain' && this.#waiting !== 'memory' && this.#waiting !== 'nothing');
  }

  push(bytes: Buffer): void {
    this.#sender.send(bytes);
    this.#loop.account();
  }

  /** Goes on with what waited for memory. */
  roomMade(): void {
    if (this.#waiting === 'memory') this.#goOn();
  }

  /** Ends the connection because it holds too much while memory is short. */
  evict(): void {
    this.closeReason = 'error';
    this.#loop.close();
    this.#socket.destroy();
  }

  /** Takes what was read. Returns false when reading must pause. */
  read(bytes: Buffer, length: number): boolean {
    // A watcher has nothing more to say.
    if (this.#sender.isClosed || this.#closing || this.#peerEnded || this.#isWatching()) return true;
    const loop = this.#loop;
    this.#context.traffic.bytesRead += length;
    this.#readBytes += length;
    if (this.#waiting !== 'nothing' || this.#running) {
      loop.input.add(bytes.subarray(0, length));
      this.#readingPaused = this.#hasEnough() || !this.#mayReadMore(length);
      loop.account();
      return !this.#readingPaused;
    }
    if (this.#context.arrivals.isRush || this.#sender.turnBytes > MUCH_OUTPUT_BYTES || (length > MUCH_INPUT_BYTES && this.#context.turns.isCrowded)) {
      loop.input.add(bytes.subarray(0, length));
      loop.account();
      this.#wait('turn');
      this.#readingPaused = this.#context.memory.isShort;
      return !this.#readingPaused;
    }
    if (!loop.collect(bytes, length)) this.#runWith(bytes, length);
    this.#holdLarge();
    if (this.#waiting === 'nothing' && loop.incompleteBytes > 0 && !this.#mayReadMore(length)) this.#readingPaused = true;
    return !this.#readingPaused;
  }

  /** Others who send large requests have had their turn. */
  readOn(): void {
    // Who waits for something else reads on after that.
    if (this.#readingPaused && !this.#sender.isClosed && (this.#waiting === 'nothing' || !this.#hasEnough())) this.#readOn();
  }

  /** Takes no further input, answers what is complete of the input there is, and ends. */
  finish(): void {
    this.#peerEnded = true;
    if ((this.#waiting === 'nothing' || this.#waiting === 'watch') && !this.#running) this.#close();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** The commit that the held replies waited for is done, or failed: then they become errors. */
  committed(error: Error | undefined): void {
    this.#waiting = 'nothing';
    this.#loop.settle(error);
    this.#resume();
  }

  /** True when nothing more should be read before what came is executed. */
  #hasEnough(): boolean {
    const { memory } = this.#context;
    return this.#loop.input.length > memory.backlogBytes || memory.isShort;
  }

  /** False when a piece of so many bytes was large, and enough of those were read in this turn: then `readOn` will be called. */
  #mayReadMore(length: number): boolean {
    return length <= MUCH_INPUT_BYTES || this.#context.reads.note(this);
  }

  /** True once it is only there to receive log lines. */
  #isWatching(): boolean {
    return this.#loop.ended === 'watch';
  }

  /** Executes what was read, behind what is there. */
  #runWith(bytes: Buffer, length: number): void {
    const { input } = this.#loop;
    if (input.length === 0) {
      this.#run(bytes, length, false, true);
      return;
    }
    input.add(bytes.subarray(0, length));
    const all = input.take();
    this.#run(all, all.length, true, true);
  }

  /** Executes the commands in some bytes, as `CommandLoop.run`, and begins to wait for what there is to wait for. */
  #run(bytes: Buffer, end: number, owned: boolean, isAtOnce: boolean): void {
    const loop = this.#loop;
    const { clock } = this.#context;
    let wait: Wait = 'nothing';
    this.#running = true;
    clock.hold();
    try {
      wait = loop.run(bytes, end, owned, isAtOnce);
    } catch (error) {
      this.#context.onFault(this, error as Error);
      this.#socket.destroy();
    } finally {
      clock.release();
    }
    this.#running = false;
    this.#context.out.shrink();
    loop.account();
    if (loop.ended === undefined || loop.ended === 'watch') {
      if (wait !== 'nothing') this.#wait(wait);
      return;
    }
    if (loop.ended === 'refused') this.closeReason = 'error';
    this.#closing = true;
    if (wait === 'commit') this.#wait(wait);
    else this.#end();
  }

  #wait(wait: Wait): void {
    this.#waiting = wait;
    switch (wait) {
      case 'load':
        this.#load();
        break;
      case 'commit':
        this.#context.store.whenCommitted(this);
        break;
      case 'later':
        this.#awaitReply();
        break;
      case 'stream':
        void this.#sendStream();
        break;
      case 'turn':
        (this.#context.arrivals.isRush ? this.#context.arrivals : this.#context.turns).wait(() => this.#goOn());
        break;
      case 'memory':
        this.#context.memory.wait(this);
        break;
      case 'nothing':
      case 'room':
      case 'drain':
      case 'watch':
        // Who ends these has been told, or need not be.
        break;
    }
  }

  /** Leaves the rest of a large data block, or line, with the client while there is no room for it. */
  #holdLarge(): void {
    if (this.#waiting !== 'nothing' || this.#loop.incompleteBytes <= LARGE_BYTES || !this.#loop.lacksRoom) return;
    this.#wait('memory');
    this.#readingPaused = true;
  }

  /** Ends a wait. */
  #goOn(): void {
    this.#waiting = 'nothing';
    this.#resume();
  }

  /** Goes on after a wait. */
  #resume(): void {
    if (this.#sender.isClosed) return;
    if (this.#closing) {
      this.#end();
      return;
    }
    if (this.#loop.mustDrain) {
      this.#wait('drain');
      this.#loop.account();
      return;
    }
    if (this.#isWatching() && !this.#peerEnded) {
      this.#wait('watch');
      return;
    }
    if (this.#loop.hasWork) {
      const input = this.#loop.input.take();
      this.#run(input, input.length, true, false);
    } else {
      this.#sender.turnBytes = 0;
      this.#loop.account();
    }
    this.#holdLarge();
    if (this.#waiting !== 'nothing' || this.#sender.isClosed) return;
    if (this.#readingPaused) this.#readOn();
    if (this.#peerEnded) this.#close();
  }

  #drained(): void {
    this.#loop.account();
    this.#onRead?.();
    // Those whose clients read again are many at once, and have much to send.
    if (this.#waiting === 'drain') this.#wait('turn');
  }

  #load(): void {
    this.#context.cache.residency.load(this.#loop.keysToLoad(), (error) => {
      this.#waiting = 'nothing';
      if (this.#sender.isClosed) return;
      if (error !== undefined) {
        this.#context.onFault(this, error);
        this.#loop.failLoad();
      }
      this.#resume();
    });
  }

  #awaitReply(): void {
    const answer = (reply: Buffer): void => {
      this.#waiting = 'nothing';
      this.#loop.done();
      if (this.#sender.isClosed) return;
      this.#loop.answer(reply);
      // Many answers are there at once, and a pipeline of them would leave no turn to anybody else.
      this.#wait('turn');
    };
    this.#loop.dialect.pending?.then(answer, (error: Error) => {
      this.#context.onFault(this, error);
      answer(this.#loop.laterFailure(error));
    });
  }

  /** Sends the pieces of a reply as the client reads them. */
  async #sendStream(): Promise<void> {
    try {
      for await (const chunk of this.#loop.dialect.stream ?? []) {
        // Also ends the stream: nobody is there to read it.
        if (this.#sender.isClosed) return;
        this.#loop.answer(chunk);
        this.#loop.account();
        if (this.#loop.mustDrain) await this.#clientReads();
      }
    } catch (error) {
      this.#context.onFault(this, error as Error);
      // An error line in the middle of a listing would be taken for a part of it.
      this.#socket.destroy();
      return;
    }
    this.#loop.done();
    this.#goOn();
  }

  /** Resolves when the client has read, or is gone. */
  #clientReads(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRead = () => {
        this.#onRead = undefined;
        resolve();
      };
      if (this.#sender.isClosed) this.#onRead();
    });
  }

  /** Ends the connection once its replies are sent. */
  #close(): void {
    if (this.#closing || this.#sender.isClosed) return;
    this.#closing = true;
    this.#end();
  }

  /** Sends what is unsent and then the end. Reading goes on, without use, or the client's own end would not be noticed. */
  #end(): void {
    // After a client's mistake all may be with the kernel: closing at once spares it from writing to what is half gone.
    if (this.closeReason === 'error' && this.unsentBytes === 0 && this.transport !== 'udp' && !this.#isEncrypted) this.#socket.destroy();
    else this.#sender.end();
    if (this.#readingPaused) this.#readOn();
  }

  #readOn(): void {
    this.#readingPaused = false;
    this.#socket.resume();
  }
}
