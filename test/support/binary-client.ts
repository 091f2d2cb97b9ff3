import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { U64 } from '../../src/item.ts';
import { HEADER_LENGTH, Magic, PacketHeader, readHeader, writeU64 } from '../../src/protocol/binary-header.ts';

/** The parts of a request packet. */
export interface Packet {
  readonly opcode: number;
  readonly extras?: Buffer;
  readonly key?: string;
  readonly value?: Buffer | string;
  readonly opaque?: number;
  readonly cas?: U64;
}

/** The parts of a reply packet. */
export interface Reply {
  readonly opcode: number;
  readonly status: number;
  readonly opaque: number;
  readonly cas: U64;
  readonly extras: Buffer;
  readonly key: string;
  readonly value: Buffer;
}

/** The bytes of a request. */
export function packet({ opcode, extras = Buffer.alloc(0), key = '', value = '', opaque = 0, cas = 0 }: Packet): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  const header = Buffer.alloc(HEADER_LENGTH);
  header[0] = Magic.request;
  header[1] = opcode;
  header.writeUInt16BE(key.length, 2);
  header[4] = extras.length;
  header.writeUInt32BE(extras.length + key.length + bytes.length, 8);
  header.writeUInt32BE(opaque, 12);
  writeU64(header, 16, cas);
  return Buffer.concat([header, extras, Buffer.from(key, 'latin1'), bytes]);
}

/** Extras of 32-bit numbers, such as flags and exptime. */
export function u32s(...numbers: number[]): Buffer {
  const extras = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, i) => extras.writeUInt32BE(number, i * 4));
  return extras;
}

/** Extras of incr and decr. */
export function arithmetic(delta: U64, initial: U64, exptime: number): Buffer {
  const extras = Buffer.alloc(20);
  writeU64(extras, 0, delta);
  writeU64(extras, 8, initial);
  extras.writeUInt32BE(exptime, 16);
  return extras;
}

/** A client of the binary protocol that sends packets and takes replies apart. */
export class BinaryClient {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #isEnded = false;
  #changed: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#changed();
    });
    for (const event of ['end', 'error']) {
      socket.on(event, () => {
        this.#isEnded = true;
        this.#changed();
      });
    }
  }

  static async connect(port: number): Promise<BinaryClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    onTestFinished(() => {
      socket.destroy();
    });
    return new BinaryClient(socket);
  }

  send(...packets: Packet[]): void {
    this.socket.write(Buffer.concat(packets.map(packet)));
  }

  async ask(request: Packet): Promise<Reply> {
    this.send(request);
    return await this.take();
  }

  /** The next reply. */
  async take(): Promise<Reply> {
    const header = new PacketHeader();
    await this.#has(HEADER_LENGTH);
    readHeader(this.#received, 0, header);
    const end = HEADER_LENGTH + header.bodyLength;
    await this.#has(end);
    const keyStart = HEADER_LENGTH + header.extrasLength;
    const keyEnd = keyStart + header.keyLength;
    const bytes = this.#received;
    this.#received = bytes.subarray(end);
    if (bytes[0] !== Magic.reply) throw new Error(`not a reply: ${bytes.subarray(0, HEADER_LENGTH).toString('hex')}`);
    return {
      opcode: header.opcode,
      status: header.vbucket,
      opaque: header.opaque,
      cas: header.cas,
      extras: bytes.subarray(HEADER_LENGTH, keyStart),
      key: bytes.toString('latin1', keyStart, keyEnd),
      value: bytes.subarray(keyEnd, end),
    };
  }

  /** Resolves when the server has closed the connection, with the bytes that were not taken. */
  async ended(): Promise<Buffer> {
    await this.#until(() => this.#isEnded);
    return this.#received;
  }

  async #has(bytes: number): Promise<void> {
    await this.#until(() => this.#received.length >= bytes || this.#isEnded);
    if (this.#received.length < bytes) throw new Error('the server closed the connection');
  }

  async #until(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}
