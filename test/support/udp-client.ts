import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { DATAGRAM_MAX, FRAME_LENGTH } from '../../src/protocol/datagram-frame.ts';

/** A client that puts the datagrams of replies together. */
export class UdpClient {
  readonly #socket: Socket;
  readonly #parts = new Map<number, Map<number, Buffer>>();
  /** Whole replies that nobody has asked for yet, by request id. */
  readonly #replies = new Map<number, Buffer[]>();
  #waiting: (() => void)[] = [];
  /** Bytes of all datagrams so far, frames included. */
  bytesSent = 0;
  bytesReceived = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (datagram) => this.#take(datagram));
  }

  static async open(port: number, host = '127.0.0.1'): Promise<UdpClient> {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    onTestFinished(() => {
      socket.close();
    });
    socket.connect(port, host);
    await once(socket, 'connect');
    // Replies of many datagrams come faster than they are read.
    socket.setRecvBufferSize(1024 * 1024);
    return new UdpClient(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(requestId: number, request: Buffer | string, count = 1): void {
    const frame = Buffer.alloc(FRAME_LENGTH);
    frame.writeUInt16BE(requestId, 0);
    frame.writeUInt16BE(count, 4);
    this.sendRaw(Buffer.concat([frame, Buffer.from(request as string, 'latin1')]));
  }

  /** Sends bytes without a frame. */
  sendRaw(bytes: Buffer): void {
    this.bytesSent += bytes.length;
    this.#socket.send(bytes);
  }

  /** The next whole reply to a request. */
  async reply(requestId: number): Promise<Buffer> {
    for (;;) {
      const reply = this.#replies.get(requestId)?.shift();
      if (reply !== undefined) return reply;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  async ask(requestId: number, request: Buffer | string): Promise<string> {
    this.send(requestId, request);
    return (await this.reply(requestId)).toString('latin1');
  }

  #take(datagram: Buffer): void {
    this.bytesReceived += datagram.length;
    if (datagram.length > DATAGRAM_MAX || datagram.length <= FRAME_LENGTH) throw new Error(`a datagram of ${datagram.length} bytes`);
    if (datagram.readUInt16BE(6) !== 0) throw new Error('the reserved bytes are not 0');
    const requestId = datagram.readUInt16BE(0);
    const parts = this.#parts.get(requestId) ?? new Map<number, Buffer>();
    this.#parts.set(requestId, parts);
    parts.set(datagram.readUInt16BE(2), datagram.subarray(FRAME_LENGTH));
    const count = datagram.readUInt16BE(4);
    if (parts.size < count) return;
    this.#parts.delete(requestId);
    const whole = Buffer.concat(Array.from({ length: count }, (_, sequence) => parts.get(sequence)!));
    const replies = this.#replies.get(requestId) ?? [];
    this.#replies.set(requestId, [...replies, whole]);
    for (const goOn of this.#waiting.splice(0)) goOn();
  }
}
