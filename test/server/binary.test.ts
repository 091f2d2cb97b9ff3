import { describe, expect, it, vi } from 'vitest';
import { Opcode, Status } from '../../src/protocol/binary-header.ts';
import { RowBatch } from '../../src/store/row-batch.ts';
import { arithmetic, BinaryClient, packet, u32s } from '../support/binary-client.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';

const MISSING_OK = 0xffffffff;

/** Runs with everything in RAM, and with a RAM tier that keeps nothing. */
describe.each([{ memory: 8 }, { memory: 0 }])('the binary protocol with $memory MB', ({ memory }) => {
  async function open(): Promise<{ client: BinaryClient; port: number; advance: (seconds: number) => void }> {
    const { port, clock } = await startTestServer({ memory });
    return { client: await BinaryClient.connect(port), port, advance: (seconds) => clock.advance(seconds) };
  }

  it('stores and returns values with flags and cas unique', async () => {
    const { client } = await open();
    const stored = await client.ask({ opcode: Opcode.set, key: 'a', extras: u32s(0xdeadbeef, 0), value: 'one\0\r\n', opaque: 7 });
    expect(stored).toMatchObject({ opcode: Opcode.set, status: Status.ok, opaque: 7 });
    expect(stored.cas).not.toBe(0);
    const got = await client.ask({ opcode: Opcode.get, key: 'a' });
    expect(got).toMatchObject({ status: Status.ok, cas: stored.cas, key: '', value: Buffer.from('one\0\r\n') });
    expect(got.extras).toEqual(u32s(0xdeadbeef));
    expect(await client.ask({ opcode: Opcode.getK, key: 'a' })).toMatchObject({ key: 'a', value: Buffer.from('one\0\r\n') });
  });

  it('tells a miss, with the key to getk', async () => {
    const { client } = await open();
    expect(await client.ask({ opcode: Opcode.get, key: 'no' })).toMatchObject({ status: Status.notFound, value: Buffer.from('Not found') });
    expect(await client.ask({ opcode: Opcode.getK, key: 'no' })).toMatchObject({ status: Status.notFound, key: 'no', value: Buffer.alloc(0) });
  });

  it('keeps the conditions of add, replace, cas, append and delete', async () => {
    const { client } = await open();
    const status = async (opcode: number, extras: Buffer, value: string, cas = 0 as number | bigint): Promise<number> =>
      (await client.ask({ opcode, key: 'k', extras, value, cas })).status;
    const none = Buffer.alloc(0);
    expect(await status(Opcode.replace, u32s(0, 0), 'x')).toBe(Status.notFound);
    expect(await status(Opcode.append, none, 'x')).toBe(Status.notStored);
    expect(await status(Opcode.set, u32s(0, 0), 'x', 5)).toBe(Status.notFound);
    expect(await status(Opcode.add, u32s(0, 0), 'x')).toBe(Status.ok);
    expect(await status(Opcode.add, u32s(0, 0), 'x')).toBe(Status.exists);
    const { cas } = await client.ask({ opcode: Opcode.get, key: 'k' });
    expect(await status(Opcode.append, none, 'y', BigInt(cas) + 1n)).toBe(Status.exists);
    expect(await status(Opcode.append, none, 'y', cas)).toBe(Status.ok);
    expect(await status(Opcode.set, u32s(0, 0), 'z', cas)).toBe(Status.exists);
    expect((await client.ask({ opcode: Opcode.get, key: 'k' })).value.toString()).toBe('xy');
    expect(await status(Opcode.delete, none, '', cas)).toBe(Status.exists);
    expect(await status(Opcode.delete, none, '')).toBe(Status.ok);
    expect(await status(Opcode.delete, none, '')).toBe(Status.notFound);
  });

  it('counts in 64 bits, and makes a missing number unless told not to', async () => {
    const { client } = await open();
    const count = async (opcode: number, extras: Buffer): Promise<string> => {
      const { status, value } = await client.ask({ opcode, key: 'n', extras });
      return status === Status.ok ? String(value.readBigUInt64BE()) : `status ${status}`;
    };
    expect(await count(Opcode.increment, arithmetic(1, 7, MISSING_OK))).toBe(`status ${Status.notFound}`);
    expect(await count(Opcode.increment, arithmetic(1, 2n ** 64n - 1n, 0))).toBe('18446744073709551615');
    expect(await count(Opcode.increment, arithmetic(3, 0, 0))).toBe('2');
    expect(await count(Opcode.decrement, arithmetic(9, 0, 0))).toBe('0');
    await client.ask({ opcode: Opcode.set, key: 'n', extras: u32s(0, 0), value: 'text' });
    expect(await count(Opcode.increment, arithmetic(1, 0, 0))).toBe(`status ${Status.nonNumeric}`);
  });

  it('touches, and returns with a touch', async () => {
    const { client, advance } = await open();
    await client.ask({ opcode: Opcode.set, key: 't', extras: u32s(3, 10), value: 'v' });
    expect(await client.ask({ opcode: Opcode.touch, key: 't', extras: u32s(100) })).toMatchObject({ status: Status.ok, extras: u32s(3) });
    advance(50);
    const got = await client.ask({ opcode: Opcode.gatK, key: 't', extras: u32s(200) });
    expect(got).toMatchObject({ status: Status.ok, key: 't', value: Buffer.from('v') });
    advance(150);
    expect((await client.ask({ opcode: Opcode.get, key: 't' })).status).toBe(Status.ok);
    advance(51);
    expect((await client.ask({ opcode: Opcode.get, key: 't' })).status).toBe(Status.notFound);
    expect((await client.ask({ opcode: Opcode.touch, key: 't', extras: u32s(1) })).status).toBe(Status.notFound);
  });

  it('hides what quiet forms hide, and answers their errors', async () => {
    const { client } = await open();
    client.send(
      { opcode: Opcode.setQ, key: 'q', extras: u32s(0, 0), value: '1', opaque: 1 },
      { opcode: Opcode.addQ, key: 'q', extras: u32s(0, 0), value: '2', opaque: 2 },
      { opcode: Opcode.getQ, key: 'missing', opaque: 3 },
      { opcode: Opcode.getKQ, key: 'q', opaque: 4 },
      { opcode: Opcode.incrementQ, key: 'q', extras: arithmetic(1, 0, 0), opaque: 5 },
      { opcode: Opcode.deleteQ, key: 'missing', opaque: 6 },
      { opcode: Opcode.noop, opaque: 7 },
    );
    expect(await client.take()).toMatchObject({ opaque: 2, status: Status.exists });
    expect(await client.take()).toMatchObject({ opaque: 4, status: Status.ok, key: 'q', value: Buffer.from('1') });
    expect(await client.take()).toMatchObject({ opaque: 6, status: Status.notFound });
    expect(await client.take()).toMatchObject({ opaque: 7, opcode: Opcode.noop });
    expect((await client.ask({ opcode: Opcode.get, key: 'q' })).value.toString()).toBe('2');
  });

  it('answers commands that arrive byte by byte', async () => {
    const { client } = await open();
    const bytes = Buffer.concat([
      packet({ opcode: Opcode.set, key: 'a', extras: u32s(0, 0), value: 'hello' }),
      packet({ opcode: Opcode.get, key: 'a' }),
      packet({ opcode: Opcode.noop }),
    ]);
    for (const byte of bytes) client.socket.write(Buffer.from([byte]));
    expect((await client.take()).status).toBe(Status.ok);
    expect((await client.take()).value.toString()).toBe('hello');
    expect((await client.take()).opcode).toBe(Opcode.noop);
  });

  it('shares items with the text protocol, whatever bytes a key has', async () => {
    const { client, port } = await open();
    const text = await TestClient.connect(port);
    await client.ask({ opcode: Opcode.set, key: 'both', extras: u32s(5, 0), value: 'v' });
    text.send('get both\r\n');
    expect(await text.receive(24)).toBe('VALUE both 5 1\r\nv\r\nEND\r\n');
    await client.ask({ opcode: Opcode.set, key: 'with blank\n', extras: u32s(0, 0), value: 'odd' });
    expect((await client.ask({ opcode: Opcode.get, key: 'with blank\n' })).value.toString()).toBe('odd');
  });

  it('carries values of any size', async () => {
    const { client } = await open();
    const value = Buffer.alloc(900_000, 'abcdefg');
    expect((await client.ask({ opcode: Opcode.set, key: 'big', extras: u32s(0, 0), value })).status).toBe(Status.ok);
    expect((await client.ask({ opcode: Opcode.get, key: 'big' })).value.equals(value)).toBe(true);
    const refused = await client.ask({ opcode: Opcode.set, key: 'big', extras: u32s(0, 0), value: Buffer.alloc(2 ** 20 + 1) });
    expect(refused.status).toBe(Status.tooLarge);
    expect((await client.ask({ opcode: Opcode.get, key: 'big' })).status).toBe(Status.notFound);
  });

  it('flushes, tells its version and its stats', async () => {
    const { client } = await open();
    await client.ask({ opcode: Opcode.set, key: 'a', extras: u32s(0, 0), value: 'v' });
    expect((await client.ask({ opcode: Opcode.flush })).status).toBe(Status.ok);
    expect((await client.ask({ opcode: Opcode.get, key: 'a' })).status).toBe(Status.notFound);
    expect((await client.ask({ opcode: Opcode.version })).value.toString()).toMatch(/^1\.6\./);
    client.send({ opcode: Opcode.stat });
    const stats = new Map<string, string>();
    for (let reply = await client.take(); reply.key !== ''; reply = await client.take()) stats.set(reply.key, reply.value.toString());
    expect(stats.get('cmd_flush')).toBe('1');
    expect((await client.ask({ opcode: Opcode.stat, key: 'nonsense' })).status).toBe(Status.notFound);
  });

  it('skips an unknown command whole, and closes on what is no packet', async () => {
    const { client } = await open();
    expect((await client.ask({ opcode: 0x70, key: 'k', value: 'body', opaque: 9 }))).toMatchObject({ status: Status.unknownCommand, opaque: 9 });
    expect((await client.ask({ opcode: Opcode.noop })).status).toBe(Status.ok);
    client.socket.write('get a\r\n');
    expect(await client.ended()).toEqual(Buffer.alloc(0));
  });

  it('answers quit before it closes, quitq without a word', async () => {
    const { client, port } = await open();
    expect((await client.ask({ opcode: Opcode.quit })).status).toBe(Status.ok);
    await client.ended();
    const other = await BinaryClient.connect(port);
    other.send({ opcode: Opcode.quitQ });
    expect(await other.ended()).toEqual(Buffer.alloc(0));
  });
});

describe('the binary protocol when a batch cannot be written', () => {
  it('answers the mutation with an error packet, and further ones at once', async () => {
    const { port } = await startTestServer();
    const client = await BinaryClient.connect(port);
    vi.spyOn(RowBatch.prototype, 'write').mockRejectedValueOnce(new Error('disk full'));
    const failed = await client.ask({ opcode: Opcode.set, key: 'a', extras: u32s(0, 0), value: 'v', opaque: 3 });
    expect(failed).toMatchObject({ status: Status.outOfMemory, opaque: 3, opcode: Opcode.set });
    const refused = await client.ask({ opcode: Opcode.delete, key: 'a', opaque: 4 });
    expect(refused).toMatchObject({ status: Status.outOfMemory, opaque: 4, value: Buffer.from('cannot write to disk') });
    expect((await client.ask({ opcode: Opcode.get, key: 'a' })).status).toBe(Status.notFound);
  });
});
