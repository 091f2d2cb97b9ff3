import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ValueReader } from '../../src/client/value-reader.ts';

/** A server that is handed what comes in, and its client. */
async function readerOf(answer: (text: string, socket: Socket) => void): Promise<ValueReader> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => answer(chunk.toString('latin1'), socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = await ValueReader.connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  onTestFinished(() => {
    reader.close();
    server.close();
  });
  return reader;
}

async function readAll(reader: ValueReader, keys: readonly (string | Buffer)[], length = 1): Promise<(string | undefined)[]> {
  const values: (string | undefined)[] = [];
  for await (const [, value] of reader.read(keys.map((key) => ({ key: Buffer.from(key), length })))) values.push(value?.toString('latin1'));
  return values;
}

describe('ValueReader', () => {
  it('reads values in the order of the keys, however the reply is cut', async () => {
    const value = fc.option(fc.string({ unit: fc.constantFrom('a', '\r', '\n', 'E', 'N', 'V', 'A', ' '), maxLength: 12 }), { nil: undefined });
    let reply: Buffer = Buffer.alloc(0);
    let cuts: number[] = [];
    let asked = 0;
    const reader = await readerOf((text, socket) => {
      asked += text.split('\r\n').length - 1;
      const send = (from: number, [cut, ...more]: number[]): void => {
        const to = cut === undefined ? reply.length : Math.min(reply.length, from + cut);
        socket.write(reply.subarray(from, to), () => {
          if (to < reply.length) setImmediate(() => send(to, more));
        });
      };
      socket.setNoDelay(true);
      send(0, cuts);
    });
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 6 }), async (values, cut) => {
        reply = Buffer.from(values.map((each) => (each === undefined ? 'EN\r\n' : `VA ${each.length}\r\n${each}\r\n`)).join(''), 'latin1');
        cuts = cut;
        asked = 0;
        expect(await readAll(reader, values.map((_, i) => `k${i}`))).toEqual(values);
        expect(asked).toBe(values.length);
      }),
      { numRuns: 50 },
    );
  });

  it('asks for few values at once when they are large, and so that it is no use of them', async () => {
    const lines: string[] = [];
    const reader = await readerOf((text, socket) => {
      lines.push(text);
      socket.write('EN\r\n'.repeat(text.split('\r\n').length - 1));
    });
    await readAll(reader, ['a', 'b', 'c'], 400_000);
    expect(lines).toEqual(['mg a v u\r\nmg b v u\r\n', 'mg c v u\r\n']);
  });

  it('asks in base64 for keys that cannot stand in a line, and not at all for those too long for it', async () => {
    const lines: string[] = [];
    const reader = await readerOf((text, socket) => {
      lines.push(text);
      socket.write('VA 1\r\nx\r\n'.repeat(text.split('\r\n').length - 1));
    });
    expect(await readAll(reader, ['a b', 'x'.repeat(200), `${'x'.repeat(200)} `])).toEqual(['x', 'x', undefined]);
    expect(lines).toEqual([`mg YSBi b v u\r\nmg ${'x'.repeat(200)} v u\r\n`]);
  });

  it.each([
    ['an error line', 'SERVER_ERROR out of sorts\r\n', 'out of sorts'],
    ['something else', 'VALUE k 0 1\r\n', 'VALUE k 0 1'],
    ['a value that does not end', 'VA 1\r\nxyz', 'does not end'],
    ['an endless line', 'x'.repeat(5000), 'too long'],
  ])('gives up after %s', async (_what, reply, message) => {
    const reader = await readerOf((_text, socket) => socket.write(reply));
    await expect(readAll(reader, ['k'])).rejects.toThrow(message);
    await expect(readAll(reader, ['k'])).rejects.toThrow(message);
  });

  it('gives up when the server hangs up', async () => {
    const reader = await readerOf((_text, socket) => socket.end('VA 100\r\nabc'));
    await expect(readAll(reader, ['k'])).rejects.toThrow('Connection');
  });
});
