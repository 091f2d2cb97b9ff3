import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { gather, roomOf } from '../../src/server/gathered-input.ts';
import { startTestServer } from '../support/test-server.ts';

describe('input that is gathered', () => {
  it('is what came, and for each byte of a long line only so much is copied', () => {
    const line = Buffer.from(`get ${'key '.repeat(100_000)}`);
    let input: Buffer = Buffer.from(line.subarray(0, 1));
    let room: ArrayBufferLike | undefined;
    let moves = 0;
    for (let i = 1; i < line.length; i++) {
      const longer = gather(input, line.subarray(i, i + 1), room);
      // Below 4 KiB all is copied each time; behind that each move gives room for up to 64 KiB more.
      if (longer.length >= 4096 && longer.buffer !== room) moves++;
      input = longer;
      room = roomOf(input);
    }
    expect(input.equals(line)).toBe(true);
    expect(moves).toBeLessThan(12);
  });

  it('goes on behind what is left of it, and leaves alone what was used', () => {
    const first = gather(Buffer.alloc(5000, 'a'), Buffer.from('b'), undefined);
    const used = first.subarray(0, 4000);
    const left = first.subarray(4000);
    const longer = gather(left, Buffer.from('ccc'), roomOf(first));
    expect(longer.buffer).toBe(first.buffer);
    expect(longer.toString('latin1')).toBe(`${'a'.repeat(1000)}bccc`);
    expect(used.equals(Buffer.alloc(4000, 'a'))).toBe(true);
  });

  it('takes memory of its own where there is no room, or the memory is not its own', () => {
    const small = Buffer.from('abc');
    expect(roomOf(small)).toBeUndefined();
    expect(gather(small, Buffer.from('def'), undefined).toString()).toBe('abcdef');
    const full = Buffer.alloc(8192, 'x');
    const longer = gather(full, Buffer.from('y'), full.buffer);
    expect(longer.buffer).not.toBe(full.buffer);
    expect(longer.toString('latin1')).toBe(`${'x'.repeat(8192)}y`);
  });
});

it('a get line of half a megabyte in many pieces is answered as one in a single piece', async () => {
  const { port } = await startTestServer();
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  socket.setEncoding('latin1');
  const line = `set k0 0 0 5\r\nvalue\r\nget ${Array.from({ length: 60_000 }, (_, i) => `miss${i}`).join(' ')} k0\r\nmn\r\n`;
  for (let at = 0; at < line.length; ) {
    // Around the sizes at which memory is taken anew.
    const piece = line.slice(at, at + (at % 7 === 0 ? 1 : 3001));
    at += piece.length;
    await new Promise<void>((resolve) => {
      socket.write(piece, 'latin1', () => resolve());
    });
  }
  let received = '';
  for await (const text of socket) {
    received += text as string;
    if (received.endsWith('MN\r\n')) break;
  }
  expect(received).toBe('STORED\r\nVALUE k0 0 5\r\nvalue\r\nEND\r\nMN\r\n');
});
