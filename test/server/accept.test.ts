import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createAcceptor } from '../../src/server/accept.ts';

const READ_BYTES = 64 * 1024;

/** The longest read when so many connections that share `readBytes` each receive a lot, besides the first read of each. */
async function longestRead(connections: number, readBytes: number): Promise<number> {
  let longest = 0;
  let accepted = 0;
  let allAccepted: () => void;
  const all = new Promise<void>((resolve) => (allAccepted = resolve));
  let over = 0;
  let allOver: () => void;
  const done = new Promise<void>((resolve) => (allOver = resolve));
  const server = createAcceptor((socket, setReader) => {
    // Nothing is read before all are there.
    let isFirst = true;
    void all.then(() =>
      setReader((_bytes, length) => {
        if (!isFirst) longest = Math.max(longest, length);
        isFirst = false;
        return true;
      }),
    );
    socket.on('end', () => {
      socket.end();
      if (++over === connections) allOver();
    });
    if (++accepted === connections) allAccepted();
  }, readBytes);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: connections }, () => connect(port, '127.0.0.1'));
  for (const client of clients) {
    client.end(Buffer.alloc(300_000));
    client.resume();
  }
  await Promise.all([done, ...clients.map((client) => once(client, 'close'))]);
  server.close();
  return longest;
}

describe('createAcceptor', () => {
  it('reads as much of one connection at once as fits its buffer', async () => {
    expect(await longestRead(1, 8 * 2 ** 20)).toBe(READ_BYTES);
  });

  it('reads less of each where there are many', async () => {
    const sizes = [8 * READ_BYTES, 2 * READ_BYTES, 0].map((share) => longestRead(8, share));
    expect(await Promise.all(sizes)).toEqual([READ_BYTES, READ_BYTES / 4, 4096]);
  });
});
