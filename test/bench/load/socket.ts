import { connect, type Socket } from 'node:net';

/** All sockets read into this: what is read is looked at before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

/** Connects to the server. `onBytes` gets what is read, valid only during the call; what it throws ends the socket. */
export function connectTo(port: number, onBytes: (bytes: Buffer) => void): Socket {
  const socket: Socket = connect({
    host: '127.0.0.1',
    port,
    noDelay: true,
    onread: {
      buffer: readBuffer,
      callback: (length) => {
        try {
          onBytes(readBuffer.subarray(0, length));
        } catch (error) {
          socket.destroy(error as Error);
        }
        return true;
      },
    },
  });
  return socket;
}
