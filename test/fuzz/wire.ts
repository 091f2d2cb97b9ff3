import { EventEmitter } from 'node:events';
import type { Random } from '../faults/random.ts';
import type { Wire } from '../../src/server/wire.ts';

/** Unread bytes above which a write asks for `drain`, as a socket does. */
const HIGH_WATER = 16 * 1024;

/** Stands for a socket whose other side reads at once, or, with numbers to go by, now and then. */
export class FuzzWire extends EventEmitter implements Wire {
  readonly #random: Random | undefined;
  readonly #received: Buffer[] = [];
  /** Written and not read; the writer may not change it. */
  #unread: Buffer[] = [];
  writableLength = 0;
  writableNeedDrain = false;
  #isPaused = false;
  #onResume: (() => void) | undefined;
  #ends = false;
  isOver = false;

  constructor(random?: Random) {
    super();
    this.#random = random;
  }

  get received(): Buffer {
    return Buffer.concat(this.#received);
  }

  write(bytes: Buffer): boolean {
    if (this.isOver) return false;
    if (this.#random === undefined || (this.writableLength === 0 && this.#random.chance(0.5))) {
      this.#received.push(Buffer.from(bytes));
      return true;
    }
    this.#unread.push(bytes);
    this.writableLength += bytes.length;
    this.writableNeedDrain = this.writableLength >= HIGH_WATER;
    this.#readLater();
    return !this.writableNeedDrain;
  }

  cork(): void {}

  uncork(): void {}

  resume(): this {
    this.#isPaused = false;
    this.#onResume?.();
    return this;
  }

  /** Nothing more is read from it until `resume`. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Resolves when the next piece of input may come: at once, or after others had their turn. */
  async beforeRead(): Promise<void> {
    if (this.#random?.chance(0.5) === true) await new Promise((resolve) => setImmediate(resolve));
    if (!this.#isPaused || this.isOver) return;
    await new Promise<void>((resolve) => {
      this.#onResume = resolve;
    });
  }

  peerEnds(): void {
    if (!this.isOver) this.emit('end');
  }

  destroySoon(): void {
    this.#ends = true;
    if (this.writableLength === 0) this.destroy();
  }

  destroy(): this {
    if (this.isOver) return this;
    this.isOver = true;
    // What was written has left: a reset that loses it would tell nothing.
    this.#received.push(...this.#unread.map((bytes) => Buffer.from(bytes)));
    this.#unread = [];
    this.writableLength = 0;
    this.#onResume?.();
    setImmediate(() => this.emit('close'));
    return this;
  }

  #readLater(): void {
    const turns = this.#random?.between(0, 3) ?? 0;
    const wait = (left: number): void => {
      setImmediate(() => (left > 0 ? wait(left - 1) : this.#read()));
    };
    wait(turns);
  }

  #read(): void {
    if (this.isOver || this.#unread.length === 0) return;
    this.#received.push(...this.#unread.map((bytes) => Buffer.from(bytes)));
    this.#unread = [];
    this.writableLength = 0;
    const needed = this.writableNeedDrain;
    this.writableNeedDrain = false;
    if (needed) this.emit('drain');
    if (this.#ends) this.destroy();
  }
}
