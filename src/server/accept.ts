import { createServer, type OnReadOpts, type Server, Socket, type SocketConstructorOpts } from 'node:net';

/** Bytes that one read of a socket takes at most, and the least of that. */
const READ_BYTES = 64 * 1024;
const READ_BYTES_MIN = 4 * 1024;

/** Milliseconds of silence after which the system asks a peer whether it is still there. */
export const KEEPALIVE_MS = 300_000;

/** Called with what was read; `bytes` is valid only during the call. False = stop reading until `resume`. */
export type OnRead = (bytes: Buffer, length: number) => boolean;

/** Called with a new client; `setReader` starts reading. */
export type OnSocket = (socket: Socket, setReader: (onRead: OnRead) => void) => void;

/** The parts of Node's handles that are used here. */
interface Handle {
  onconnection?: (error: number | undefined, client: unknown) => void;
}

/**
 * Makes a server whose sockets all read into one static buffer. Node's ordinary way allocates a chunk per
 * read and pushes it through a stream, which costs as much as all else of a small request (docs/benchmarks.md: `floor` does it so). Only the
 * `onread` option avoids that, and only a socket that we make ourselves can have it, so accepted handles are
 * taken from the server before it makes a socket of its own. Where Node does not let us, the ordinary way
 * is used.
 *
 * `readBytes` is shared out: what clients have sent is read before it is known whether it can be used yet, so where there are many
 * each is read less of at a time, though 4 KB at least.
 */
export function createAcceptor(onSocket: OnSocket, readBytes: number): Server {
  const shared = Buffer.allocUnsafeSlow(READ_BYTES);
  let open = 0;
  let buffer = shared;
  const count = (change: number): void => {
    open += change;
    const bytes = readBytesFor(readBytes, open);
    if (bytes !== buffer.length) buffer = shared.subarray(0, bytes);
  };
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS, allowHalfOpen: true }, (socket) => {
    onSocket(socket, (onRead) => {
      socket.on('data', (chunk: Buffer) => {
        if (!onRead(chunk, chunk.length)) socket.pause();
      });
    });
  });
  server.on('listening', () => {
    const handle = (server as Server & { _handle?: Handle })._handle;
    if (typeof handle?.onconnection !== 'function') return;
    handle.onconnection = (error, client) => {
      if (error !== undefined && error !== 0) {
        server.emit('error', new Error(`Cannot accept a connection: error ${error}`));
        return;
      }
      let reader: OnRead = () => true;
      let current: Buffer | undefined;
      count(1);
      // Node's types know `onread` for outgoing connections only, and the handle not at all.
      const options: SocketConstructorOpts & { handle: unknown; manualStart: boolean; onread: OnReadOpts } = {
        handle: client,
        // Nothing is read before there is a reader.
        manualStart: true,
        allowHalfOpen: true,
        onread: {
          // For the next read; undefined = the same as for the last, which is cheaper. Node's types do not know that.
          buffer: (): Uint8Array => {
            if (buffer === current) return undefined as unknown as Uint8Array;
            current = buffer;
            return buffer;
          },
          callback: (length: number, bytes: Uint8Array) => reader(bytes as Buffer, length),
        },
      };
      const socket = new Socket(options);
      socket.once('close', () => count(-1));
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEPALIVE_MS);
      // Until a connection takes it over.
      socket.on('error', () => socket.destroy());
      onSocket(socket, (onRead) => {
        reader = onRead;
        socket.resume();
      });
    };
  });
  return server;
}

/** Bytes of one read while so many connections share so many: a power of two. */
function readBytesFor(shared: number, connections: number): number {
  let bytes = READ_BYTES;
  while (bytes > READ_BYTES_MIN && bytes * connections > shared) bytes /= 2;
  return bytes;
}
