/**
 * LevelDB called directly: a memcached server that asks LevelDB at every get and writes one batch per turn of the event
 * loop, with no memory of its own, no flags, no expiry. What the store alone costs in Node; what tugela-ts has on top
 * must pay for itself. One argument: the directory.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { ClassicLevel } from 'classic-level';

const LF = 10;
const CRLF = Buffer.from('\r\n');
const END = Buffer.from('END\r\n');
const STORED = Buffer.from('STORED\r\n');

interface Put {
  readonly type: 'put';
  readonly key: Buffer;
  readonly value: Buffer;
}

const db = new ClassicLevel<Buffer, Buffer>(process.argv[2] ?? 'level', { keyEncoding: 'buffer', valueEncoding: 'buffer' });
await db.open();

let batch: Put[] = [];
let batchWritten: Promise<void> | undefined;

/** Resolves when this item is in LevelDB's log, with all that came in the same turn. */
async function put(key: Buffer, value: Buffer): Promise<Buffer> {
  batch.push({ type: 'put', key, value });
  batchWritten ??= new Promise((resolve, reject) => {
    setImmediate(() => {
      const puts = batch;
      batch = [];
      batchWritten = undefined;
      db.batch(puts).then(resolve, reject);
    });
  });
  await batchWritten;
  return STORED;
}

async function get(keys: readonly string[]): Promise<Buffer> {
  const values = await Promise.all(keys.map((key) => db.get(Buffer.from(key, 'latin1'))));
  const pieces: Buffer[] = [];
  for (const [index, value] of values.entries()) {
    if (value !== undefined) pieces.push(Buffer.from(`VALUE ${keys[index]} 0 ${value.length}\r\n`, 'latin1'), value, CRLF);
  }
  pieces.push(END);
  return Buffer.concat(pieces);
}

function serve(socket: Socket): void {
  let rest: Buffer | undefined;
  let lastReply: Promise<unknown> = Promise.resolve();
  const reply = (answer: Promise<Buffer>): void => {
    lastReply = Promise.all([answer, lastReply]).then(
      ([bytes]) => socket.write(bytes),
      (error: unknown) => socket.destroy(error as Error),
    );
  };
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (;;) {
      const lineEnd = bytes.indexOf(LF, at);
      if (lineEnd < 0) break;
      const [word, ...fields] = bytes.toString('latin1', at, lineEnd - 1).split(' ');
      const data = lineEnd + 1;
      if (word === 'set') {
        const end = data + Number(fields[3]);
        if (end + 2 > bytes.length) break;
        reply(put(Buffer.from(fields[0] ?? '', 'latin1'), Buffer.from(bytes.subarray(data, end))));
        at = end + 2;
        continue;
      }
      if (word === 'get') reply(get(fields));
      else if (word === 'version') reply(Promise.resolve(Buffer.from('VERSION classic-level\r\n')));
      else if (word === 'quit') socket.end();
      else reply(Promise.resolve(Buffer.from('ERROR\r\n')));
      at = data;
    }
    rest = at === bytes.length ? undefined : bytes.subarray(at);
  });
}

const server = createServer({ noDelay: true }, serve);
server.listen(0, '127.0.0.1', 511, () => {
  process.stdout.write(`listening on 127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => {
  void db.close().finally(() => process.exit(0));
});
