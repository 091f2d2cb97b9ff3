import { afterEach, describe, expect, it, vi } from 'vitest';
import { Store } from '../../src/store/store.ts';
import { Opcode, Status } from '../../src/protocol/binary-header.ts';
import { BinaryClient, u32s } from '../support/binary-client.ts';
import { eventually } from '../support/process.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';
import { failNextWrite, holdNextWrite } from './held-writes.ts';

const FAILED = 'SERVER_ERROR cannot write to disk\r\n';

afterEach(() => vi.restoreAllMocks());

// Each part of the reply that was sent by itself became an error line, and the next command's reply was taken for an answer.
describe('a gat of many keys that cannot be committed is answered with one error line', () => {
  it.each([0, 1, 2, 3])('instead of what is left after %i parts that were', async (parts) => {
    const { port } = await startTestServer();
    vi.spyOn(Store.prototype, 'reopen').mockRejectedValue(new Error('still full'));
    const client = await TestClient.connect(port);
    const value = 'v'.repeat(100_000);
    // A part is what exceeds 256 KiB: three values.
    const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
    for (const key of keys) await client.ask(`set ${key} 0 0 ${value.length}\r\n${value}\r\n`);
    failNextWrite(parts);
    client.send(`gat 100 ${keys.join(' ')}\r\nmn\r\n`);
    const sent = keys.slice(0, parts * 3).map((key) => `VALUE ${key} 0 ${value.length}\r\n${value}\r\n`);
    const replied = `${sent.join('')}${FAILED}MN\r\n`;
    expect(shortened(await client.receive(replied.length))).toBe(shortened(replied));
    expect(await client.ask('mn\r\n')).toBe('MN\r\n');
  });

  it.each([
    ['a gat whose first key is absent and whose second has to be read', 'gat 100 none big', FAILED],
    ['one behind a touch', 'touch small 100\r\ngat 100 none big', `${FAILED}${FAILED}`],
    ['not a get behind a touch', 'touch small 100\r\nget none big small', `${FAILED}VALUE big 0 600000\r\n(600000 bytes)\r\nVALUE small 0 1\r\nx\r\nEND\r\n`],
  ])('also %s', async (_what, commands, replied) => {
    const { port } = await startTestServer({ memory: 1 });
    vi.spyOn(Store.prototype, 'reopen').mockRejectedValue(new Error('still full'));
    const client = await TestClient.connect(port);
    const value = 'v'.repeat(600_000);
    await client.ask('set small 0 0 1\r\nx\r\n');
    await client.ask(`set big 0 0 ${value.length}\r\n${value}\r\n`);
    failNextWrite();
    expect(shortened(await client.ask(`${commands}\r\nmn\r\n`, 'MN\r\n'))).toBe(`${replied}MN\r\n`);
    expect(await client.ask('mn\r\n')).toBe('MN\r\n');
  });

  it('also when the commit of its first key fails while its second is being read', async () => {
    const { port } = await startTestServer({ memory: 1 });
    vi.spyOn(Store.prototype, 'reopen').mockRejectedValue(new Error('still full'));
    const client = await TestClient.connect(port);
    const value = 'v'.repeat(600_000);
    await client.ask('set small 0 0 1\r\nx\r\n');
    await client.ask(`set big 0 0 ${value.length}\r\n${value}\r\n`);
    const other = await TestClient.connect(port);
    const fetch: (this: Store, keys: readonly string[]) => ReturnType<Store['fetch']> = Reflect.get(Store.prototype, 'fetch');
    vi.spyOn(Store.prototype, 'fetch').mockImplementationOnce(async function slow(this: Store, keys) {
      await eventually(async () => (await other.ask('stats storage\r\n', 'END\r\n')).includes('STAT writable 0\r\n'), 'the commit fails');
      return fetch.call(this, keys);
    });
    failNextWrite();
    expect(shortened(await client.ask('gat 100 small big\r\nmn\r\n', 'MN\r\n'))).toBe(`${FAILED}MN\r\n`);
    expect(await client.ask('mn\r\n')).toBe('MN\r\n');
  });
});

describe('gat of a value over 32 KB', () => {
  // It went to the socket at once, and then the error line behind it.
  it.each([
    ['from RAM', 8],
    ['from disk', 1],
  ])('%s is not sent before the touch is committed', async (_where, memory) => {
    const { port } = await startTestServer({ memory });
    const client = await TestClient.connect(port);
    const value = 'v'.repeat(100_000);
    await client.ask(`set big 0 0 ${value.length}\r\n${value}\r\n`);
    const write = holdNextWrite();
    client.send('gat 100 big\r\n');
    await write.begun;
    const other = await TestClient.connect(port);
    await other.ask('mn\r\n');
    expect(client.received).toBe('');
    write.release();
    const replied = `VALUE big 0 ${value.length}\r\n${value}\r\nEND\r\n`;
    expect(await client.receive(replied.length)).toBe(replied);
  });

  it.each([
    ['mg, from RAM', 8],
    ['mg, from disk', 1],
  ])('nor is one that was touched by %s, when that fails', async (_where, memory) => {
    const { port } = await startFull(memory);
    const client = await TestClient.connect(port);
    const value = 'v'.repeat(100_000);
    await client.ask(`set big 0 0 ${value.length}\r\n${value}\r\n`);
    failNextWrite();
    expect(shortened(await client.ask('mg big v T100\r\nmn\r\n', 'MN\r\n'))).toBe(`${FAILED}MN\r\n`);
  });

  it.each([
    ['from RAM', 8],
    ['from disk', 1],
  ])('nor in the binary protocol, %s', async (_where, memory) => {
    const { port } = await startFull(memory);
    const client = await TestClient.connect(port);
    const value = 'v'.repeat(100_000);
    await client.ask(`set big 0 0 ${value.length}\r\n${value}\r\n`);
    failNextWrite();
    const binary = await BinaryClient.connect(port);
    binary.send({ opcode: Opcode.gat, extras: u32s(100), key: 'big', opaque: 7 }, { opcode: Opcode.noop, opaque: 8 });
    expect(await binary.take()).toMatchObject({ opaque: 7, status: Status.outOfMemory, value: Buffer.from('cannot write to disk') });
    expect(await binary.take()).toMatchObject({ opaque: 8, status: Status.ok });
  });
});

describe('a get of values over 32 KB behind the touch of another key', () => {
  it.each([
    ['comes behind its reply', false],
    ['is answered also when the touch fails', true],
  ])('%s', async (_what, fails) => {
    const { port } = await startFull(1);
    const client = await TestClient.connect(port);
    const value = 'v'.repeat(600_000);
    await client.ask('set small 0 0 1\r\nx\r\n');
    await client.ask(`set big 0 0 ${value.length}\r\n${value}\r\n`);
    if (fails) failNextWrite();
    const replied = await client.ask('touch small 100\r\nget big none big small\r\nmg big s v\r\nmn\r\n', 'MN\r\n');
    const big = 'VALUE big 0 600000\r\n(600000 bytes)\r\n';
    expect(shortened(replied)).toBe(`${fails ? FAILED : 'TOUCHED\r\n'}${big}${big}VALUE small 0 1\r\nx\r\nEND\r\nVA 600000 s600000\r\n(600000 bytes)\r\nMN\r\n`);
  });
});

/** A server whose store stays closed to writes after one has failed. */
async function startFull(memory: number): Promise<{ port: number }> {
  vi.spyOn(Store.prototype, 'reopen').mockRejectedValue(new Error('still full'));
  return await startTestServer({ memory });
}

/** A reply to be shown when it is not what it should be. */
function shortened(reply: string): string {
  return reply.replaceAll(/v{100,}/g, (values) => `(${values.length} bytes)`);
}
