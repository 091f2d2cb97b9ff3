import { ValuePool } from './items.ts';
import type { LoadSpec } from './load-spec.ts';
import { Random } from './random.ts';
import type { Request } from './request.ts';

/** Writes requests, in whatever protocol. What is drawn for a spec is the same in all. */
export abstract class Encoder {
  protected readonly spec: LoadSpec;
  readonly #pool: ValuePool;
  readonly #random: Random;

  constructor(spec: LoadSpec) {
    this.spec = spec;
    this.#pool = new ValuePool(spec.seed + 1);
    this.#random = new Random(spec.seed + 2);
  }

  /** The first `count` of `requests`, encoded one after the other in memory of their own. */
  encode(requests: readonly Request[], count: number): Buffer {
    let room = 0;
    for (let index = 0; index < count; index += 1) room += this.roomFor(requests[index] as Request);
    const target = Buffer.allocUnsafe(room);
    let at = 0;
    for (let index = 0; index < count; index += 1) at = this.write(target, at, requests[index] as Request);
    return target.subarray(0, at);
  }

  /** Bytes that a request takes at most. */
  protected abstract roomFor(request: Request): number;

  /** Writes a request; returns where it ends. */
  protected abstract write(target: Buffer, start: number, request: Request): number;

  /** Draws the seconds for which an item is to live, before its value is written. */
  protected drawTimeToLive(): number {
    const [shortest, longest] = this.spec.timeToLive;
    return shortest + this.#random.below(longest - shortest + 1);
  }

  /** Writes a value of an item; returns where it ends. */
  protected writeValue(target: Buffer, at: number, id: number): number {
    const { valueBytes } = this.spec;
    this.#pool.writeValue(target, at, valueBytes, id, this.#random);
    return at + valueBytes;
  }
}
