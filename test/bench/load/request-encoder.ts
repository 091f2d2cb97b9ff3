import { Encoder } from './encoder.ts';
import { NAME_BYTES, writeName } from './items.ts';
import type { LifeTable } from './life-table.ts';
import type { LoadSpec } from './load-spec.ts';
import type { Request } from './request.ts';

/** Room for `set`, flags, a time to live, a length and the line ends, beside key and value. */
const SET_OVERHEAD = 64;

/** Writes requests as the text protocol has them. */
export class RequestEncoder extends Encoder {
  readonly #getKey: Buffer;
  readonly #setKey: Buffer;
  readonly #lives: LifeTable | undefined;

  /** `lives` is told what is sent. */
  constructor(spec: LoadSpec, lives?: LifeTable) {
    super(spec);
    this.#lives = lives;
    this.#getKey = Buffer.from(` ${spec.keyPrefix}`, 'latin1');
    this.#setKey = Buffer.from(`set ${spec.keyPrefix}`, 'latin1');
  }

  protected override roomFor(request: Request): number {
    if (request.kind === 'set') return this.#setKey.length + NAME_BYTES + SET_OVERHEAD + this.spec.valueBytes;
    return 'get\r\n'.length + request.count * (this.#getKey.length + NAME_BYTES);
  }

  protected override write(target: Buffer, start: number, request: Request): number {
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
    const exptime = this.drawTimeToLive();
    this.#lives?.sent(id, exptime);
    target.set(this.#setKey, start);
    let at = start + this.#setKey.length;
    writeName(target, at, id);
    at += NAME_BYTES;
    at += target.write(` 0 ${exptime} ${this.spec.valueBytes}\r\n`, at, 'latin1');
    at = this.writeValue(target, at, id);
    return at + target.write('\r\n', at, 'latin1');
  }
}
