import { Encoder } from './encoder.ts';
import { NAME_BYTES, writeName } from './items.ts';
import type { LoadSpec } from './load-spec.ts';
import type { Request } from './request.ts';

/** Room for the array's and the other strings' heads of a SET, beside key and value. */
const SET_OVERHEAD = 96;
const MGET_OVERHEAD = 32;

/** Writes requests as Redis has them (RESP 2): GET, MGET where a get has several keys, SET, with EX where items expire. */
export class RespEncoder extends Encoder {
  /** A key as a bulk string, up to its name. */
  readonly #keyHead: Buffer;

  constructor(spec: LoadSpec) {
    super(spec);
    this.#keyHead = Buffer.from(`$${spec.keyPrefix.length + NAME_BYTES}\r\n${spec.keyPrefix}`, 'latin1');
  }

  protected override roomFor(request: Request): number {
    const keyRoom = this.#keyHead.length + NAME_BYTES + 2;
    return request.kind === 'set' ? SET_OVERHEAD + keyRoom + this.spec.valueBytes : MGET_OVERHEAD + request.count * keyRoom;
  }

  protected override write(target: Buffer, start: number, request: Request): number {
    if (request.kind === 'set') return this.#writeSet(target, start, request.ids[0] ?? 0);
    const head = this.spec.keysPerGet === 1 ? '*2\r\n$3\r\nGET\r\n' : `*${request.count + 1}\r\n$4\r\nMGET\r\n`;
    let at = start + target.write(head, start, 'latin1');
    for (let index = 0; index < request.count; index += 1) at = this.#writeKey(target, at, request.ids[index] ?? 0);
    return at;
  }

  #writeSet(target: Buffer, start: number, id: number): number {
    const seconds = this.drawTimeToLive();
    let at = start + target.write(`*${seconds === 0 ? 3 : 5}\r\n$3\r\nSET\r\n`, start, 'latin1');
    at = this.#writeKey(target, at, id);
    at += target.write(`$${this.spec.valueBytes}\r\n`, at, 'latin1');
    at = this.writeValue(target, at, id);
    const tail = seconds === 0 ? '\r\n' : `\r\n$2\r\nEX\r\n$${String(seconds).length}\r\n${seconds}\r\n`;
    return at + target.write(tail, at, 'latin1');
  }

  #writeKey(target: Buffer, start: number, id: number): number {
    target.set(this.#keyHead, start);
    let at = start + this.#keyHead.length;
    writeName(target, at, id);
    at += NAME_BYTES;
    return at + target.write('\r\n', at, 'latin1');
  }
}
