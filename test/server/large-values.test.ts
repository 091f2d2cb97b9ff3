import { afterEach, describe, expect, it, vi } from 'vitest';
import { Opcode } from '../../src/protocol/binary-header.ts';
import { STEP_BYTES } from '../../src/steps.ts';
import { DumpEncoder } from '../../src/tools/dump-format.ts';
import { failNextWrite, holdNextWrite } from '../issues/held-writes.ts';
import { packet, u32s } from '../support/binary-client.ts';
import { buildItem, bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { startTestServer } from '../support/test-server.ts';
import { RawClient } from '../wire/raw-client.ts';

afterEach(() => vi.restoreAllMocks());

const LENGTH = STEP_BYTES + 999;
const VALUE = bytesOf(LENGTH, 1);
const MAX = { maxItemSize: 64 * 2 ** 20 };

function text(...parts: (string | Buffer)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
}

describe('values so large that work on them goes in steps', () => {
  it('are joined by append and prepend, in every dialect, behind each other and after a restart', async () => {
    const { server, port, directory } = await startTestServer(MAX);
    const client = await RawClient.connect(port);
    expect(await client.set('k', VALUE, 7)).toBe('STORED');
    const { cas: before } = (await client.get('k'))!;
    expect(await client.store('append', 'k', 'end')).toBe('STORED');
    expect(await client.store('prepend', 'k', VALUE)).toBe('STORED');
    client.send('ms k 1 MA q\r\n!\r\nms k 1 MP q\r\n?\r\nmg k s c\r\n');
    expect(await client.line()).toMatch(new RegExp(`^HD s${2 * LENGTH + 5} c\\d+$`));
    const expected = text('?', VALUE, VALUE, 'end!');
    const seen = (await client.get('k'))!;
    expect({ flags: seen.flags, isRight: seen.value.equals(expected), isNew: seen.cas !== before }).toEqual({ flags: 7, isRight: true, isNew: true });

    const binary = await RawClient.connect(port);
    binary.send(text(packet({ opcode: Opcode.append, key: 'k', value: '#' }), packet({ opcode: Opcode.get, key: 'k' })));
    const reply = await binary.take(24 + 24 + 4 + expected.length + 1);
    expect(reply.subarray(24 + 24 + 4).equals(text(expected, '#'))).toBe(true);

    await server.stop();
    await checkStore(directory);
    const again = await startTestServer({ ...MAX, file: directory });
    const late = await RawClient.connect(again.port);
    expect((await late.get('k'))?.value.equals(text(expected, '#'))).toBe(true);
  });

  it('lose nothing of what many append at once', async () => {
    const { port } = await startTestServer(MAX);
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(port)));
    await clients[0]!.set('k', VALUE);
    await Promise.all(clients.map((client, i) => client.store('append', 'k', String(i))));
    const { value } = (await clients[0]!.get('k'))!;
    expect(value.subarray(0, LENGTH).equals(VALUE)).toBe(true);
    expect(value.toString('latin1', LENGTH).split('').toSorted()).toEqual(['0', '1', '2', '3', '4']);
  });

  it('are known to be joined before that is written: get, touch, gat, incr, add and delete go on with them', async () => {
    const { port } = await startTestServer(MAX);
    const client = await RawClient.connect(port);
    const other = await RawClient.connect(port);
    await client.set('k', VALUE);
    const held = holdNextWrite();
    client.send('append k 0 0 1\r\n!\r\n');
    await held.begun;
    const seen = (await other.get('k'))!;
    expect(seen.value.equals(text(VALUE, '!'))).toBe(true);
    expect(client.received.length).toBe(0);
    expect(await other.store('add', 'k', 'x')).toBe('NOT_STORED');
    expect(await other.ask('incr k 1')).toMatch(/^CLIENT_ERROR/);
    other.send('touch k 1000\r\ngat 2000 k\r\ndelete k\r\nget k\r\n');
    held.release();
    expect(await client.line()).toBe('STORED');
    expect(await other.line()).toBe('TOUCHED');
    expect(await other.line()).toBe(`VALUE k 0 ${LENGTH + 1}`);
    expect((await other.take(LENGTH + 3)).equals(text(VALUE, '!\r\n'))).toBe(true);
    expect([await other.line(), await other.line(), await other.line()]).toEqual(['END', 'DELETED', 'END']);
  });

  it('are what they were when what was joined to them cannot be written', async () => {
    const { port } = await startTestServer(MAX);
    const client = await RawClient.connect(port);
    await client.set('k', VALUE);
    failNextWrite();
    expect(await client.store('append', 'k', '!')).toBe('SERVER_ERROR cannot write to disk');
    expect((await client.get('k'))?.value.equals(VALUE)).toBe(true);
  });

  it('are not sent with a new time to live that cannot be written: what is around them is, in every dialect', async () => {
    const { port } = await startTestServer(MAX);
    const client = await RawClient.connect(port);
    await client.set('k', VALUE);
    await client.set('s', 'small');
    failNextWrite();
    client.send('gat 1000 k\r\nget k\r\nmn\r\n');
    expect(await client.line()).toBe('SERVER_ERROR cannot write to disk');
    const rest = text(`VALUE k 0 ${LENGTH}\r\n`, VALUE, '\r\nEND\r\nMN\r\n');
    expect((await client.take(rest.length)).equals(rest)).toBe(true);
    vi.restoreAllMocks();
    while ((await client.set('s', 'small')) !== 'STORED') continue;

    const binary = await RawClient.connect(port);
    failNextWrite();
    binary.send(text(packet({ opcode: Opcode.gat, extras: u32s(2000), key: 'k', opaque: 1 }), packet({ opcode: Opcode.get, key: 's', opaque: 2 }), packet({ opcode: Opcode.noop, opaque: 3 })));
    const failure = await binary.take(24);
    expect(failure.readUInt16BE(6)).not.toBe(0);
    expect(failure.readUInt32BE(12)).toBe(1);
    await binary.take(failure.readUInt32BE(8));
    const small = await binary.take(24 + 4 + 5);
    expect([small.readUInt32BE(12), small.toString('latin1', 28)]).toEqual([2, 'small']);
    expect((await binary.take(24)).readUInt32BE(12)).toBe(3);
  });

  it('are joined up to the largest size, and no further', async () => {
    const { port } = await startTestServer({ maxItemSize: LENGTH + 200 });
    const client = await RawClient.connect(port);
    await client.set('k', VALUE);
    expect(await client.store('append', 'k', 'x'.repeat(100))).toBe('STORED');
    expect(await client.store('append', 'k', 'x'.repeat(100))).toBe('NOT_STORED');
    expect((await client.get('k'))?.value.length).toBe(LENGTH + 100);
  });

  it('stay items in memory alone, until they are joined: then they are on disk', async () => {
    const { port } = await startTestServer({ ...MAX, memory: 512, ephemeralTtl: 60 });
    const client = await RawClient.connect(port);
    await client.set('k', VALUE, 0, 30);
    expect(await client.ask('touch k 20')).toBe('TOUCHED');
    expect(await client.stat('ephemeral_items', 'storage')).toBe(1);
    expect((await client.get('k'))?.value.equals(VALUE)).toBe(true);
    expect(await client.store('append', 'k', '!')).toBe('STORED');
    expect(await client.stat('ephemeral_items', 'storage')).toBe(0);
    expect((await client.get('k'))?.value.equals(text(VALUE, '!'))).toBe(true);
    expect(await client.stat('curr_items')).toBe(1);
  });

  it('are in a dump of a running server as they are', async () => {
    const { port, clock } = await startTestServer(MAX);
    const client = await RawClient.connect(port);
    await client.set('k', VALUE, 7);
    const { cas } = (await client.get('k'))!;
    const dump = new DumpEncoder();
    dump.head();
    dump.item('k', buildItem({ value: VALUE, flags: 7, storedAt: clock.now(), cas: Number(cas) }), VALUE);
    dump.end();
    const expected = text(...dump.take());
    client.send('expire dump\r\n');
    expect((await client.take(expected.length)).equals(expected)).toBe(true);
  });

  it('are stored and read in the binary protocol', async () => {
    const { port } = await startTestServer(MAX);
    const client = await RawClient.connect(port);
    client.send(packet({ opcode: Opcode.set, extras: u32s(3, 0), key: 'b', value: VALUE }));
    await client.take(24);
    client.send(packet({ opcode: Opcode.get, key: 'b' }));
    const reply = await client.take(24 + 4 + LENGTH);
    expect(reply.readUInt32BE(24)).toBe(3);
    expect(reply.subarray(28).equals(VALUE)).toBe(true);
  });
});
