/**
 * The least that a memcached server on Node's ordinary sockets can do: constant values for every get, `STORED` for
 * every set, nothing stored. What a server costs above this is its own work. One argument: bytes per value.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';

const LF = 10;
const SPACE = 32;
const LETTER_G = 0x67;
const LETTER_Q = 0x71;
const LETTER_S = 0x73;
/** Where keys begin after `get `. */
const KEYS_AT = 4;

const valueBytes = Number(process.argv[2] ?? 1000);
const itemHead = Buffer.from('VALUE ');
const itemTail = Buffer.from(` 0 ${valueBytes}\r\n${'x'.repeat(valueBytes)}\r\n`);
const end = Buffer.from('END\r\n');
const stored = Buffer.from('STORED\r\n');
const version = Buffer.from('VERSION canned replies\r\n');
const error = Buffer.from('ERROR\r\n');

function serve(socket: Socket): void {
  let rest: Buffer | undefined;
  let dataLeft = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    rest = undefined;
    const replies: Buffer[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (dataLeft > 0) {
        const taken = Math.min(dataLeft, bytes.length - at);
        dataLeft -= taken;
        at += taken;
        if (dataLeft === 0) replies.push(stored);
        continue;
      }
      const lineEnd = bytes.indexOf(LF, at);
      if (lineEnd < 0) {
        rest = Buffer.from(bytes.subarray(at));
        break;
      }
      const letter = bytes[at];
      if (letter === LETTER_G) pushItems(replies, bytes, at + KEYS_AT, lineEnd - 1);
      else if (letter === LETTER_S) dataLeft = Number(bytes.toString('latin1', bytes.lastIndexOf(SPACE, lineEnd), lineEnd - 1)) + 2;
      else if (letter === LETTER_Q) socket.end();
      else replies.push(bytes.toString('latin1', at, lineEnd).startsWith('version') ? version : error);
      at = lineEnd + 1;
    }
    if (replies.length > 0) socket.write(replies.length === 1 ? (replies[0] as Buffer) : Buffer.concat(replies));
  });
}

function pushItems(replies: Buffer[], bytes: Buffer, keysAt: number, lineEnd: number): void {
  let at = keysAt;
  while (at < lineEnd) {
    const space = bytes.indexOf(SPACE, at);
    const keyEnd = space < 0 || space > lineEnd ? lineEnd : space;
    replies.push(itemHead, bytes.subarray(at, keyEnd), itemTail);
    at = keyEnd + 1;
  }
  replies.push(end);
}

const server = createServer({ noDelay: true }, serve);
server.listen(0, '127.0.0.1', 511, () => {
  process.stdout.write(`listening on 127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
