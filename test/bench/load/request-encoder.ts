import { NAME_BYTES, ValuePool, writeName } from './items.ts';
import type { LifeTable } from './life-table.ts';
import type { LoadSpec } from './load-spec.ts';
import { Random } from './random.ts';
import type { Request } from './request.ts';

/** Room for `set`, flags, a time to live, a length and the line ends, beside key and value. */
const SET_OVERHEAD = 64;

/** Writes requests as the text protocol has them. */
export class RequestEncoder {
  readonly #spec: LoadSpec;
  readonly #getKey: Buffer;
  readonly #setKey: Buffer;
  readonly #pool: ValuePool;
  readonly #random: Random;
  readonly #lives: LifeTable | undefined;

  /** `lives` is told what is sent. */
  constructor(spec: LoadSpec, lives?: LifeTable) {
    this.#lives = lives;
    this.#spec = spec;
    this.#getKey = Buffer.from(` ${spec.keyPrefix}`, 'latin1');
    this.#setKey = Buffer.from(`set ${spec.keyPrefix}`, 'latin1');
    this.#pool = new ValuePool(spec.seed + 1);
    this.#random = new Random(spec.seed + 2);
  }

  /** The first `count` of `requests`, encoded one after the other in memory of their own. */
  encode(requests: readonly Request[], count: number): Buffer {
    let room = 0;
    for (let index = 0; index < count; index += 1) room += this.#roomFor(requests[index] as Request);
    const target = Buffer.allocUnsafe(room);
    let at = 0;
    for (let index = 0; index < count; index += 1) at = this.#write(target, at, requests[index] as Request);
    return target.subarray(0, at);
  }

  #roomFor(request: Request): number {
    if (request.kind === 'set') return this.#setKey.length + NAME_BYTES + SET_OVERHEAD + this.#spec.valueBytes;
    return 'get\r\n'.length + request.count * (this.#getKey.length + NAME_BYTES);
  }

  #write(target: Buffer, start: number, request: Request): number {
    if (request.kind === 'set') return this.#writeSet(target, start, request.ids[0] ?? 0);
    let at = start + target.write('get', start, 'latin1');
    for (let index = 0; index < request.count; index += 1) {
      target.set(this.#getKey, at);
      at += this.#getKey.length;
      writeName(target, at, request.ids[index] ?? 0);
      at += NAME_BYTES;
    }
    return at + target.write('\r\n', at, 'latin1');
  }

  #writeSet(target: Buffer, start: number, id: number): number {
    const { valueBytes, timeToLive } = this.#spec;
    const [shortest, longest] = timeToLive;
    const exptime = shortest + this.#random.below(longest - shortest + 1);
    this.#lives?.sent(id, exptime);
    target.set(this.#setKey, start);
    let at = start + this.#setKey.length;
    writeName(target, at, id);
    at += NAME_BYTES;
    at += target.write(` 0 ${exptime} ${valueBytes}\r\n`, at, 'latin1');
    this.#pool.writeValue(target, at, valueBytes, id, this.#random);
    at += valueBytes;
    return at + target.write('\r\n', at, 'latin1');
  }
}
