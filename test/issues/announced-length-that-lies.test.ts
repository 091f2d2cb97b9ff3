import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ValueReader } from '../../src/client/value-reader.ts';

it.each([
  ['that no value can have', 'VA 9999999999\r\nabc', /The server says: VA 9999999999/],
  ['of which next to nothing comes', 'VA 2147483645\r\nabc', /Connection closed by the server/],
])('a client that reads values bears a length %s: no memory is taken for it, and the process goes on', async (_name, reply, refusal) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(reply));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = await ValueReader.connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  onTestFinished(() => {
    reader.close();
    server.close();
    vi.restoreAllMocks();
  });
  const asked = [vi.spyOn(Buffer, 'allocUnsafeSlow'), vi.spyOn(Buffer, 'allocUnsafe'), vi.spyOn(Buffer, 'alloc')];
  await expect(reader.read([{ key: Buffer.from('k'), length: 3 }]).next()).rejects.toThrow(refusal);
  expect(Math.max(0, ...asked.flatMap((spy) => spy.mock.calls.map(([size]) => size)))).toBeLessThan(2 ** 20);
});
