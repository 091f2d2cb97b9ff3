import { afterEach, describe, expect, it, vi } from 'vitest';
import { Store } from '../../src/store/store.ts';
import { holdNextWrite } from '../issues/held-writes.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';

const WRITERS = 50;
const VALUE = Buffer.alloc(10_000, 'v');
const SETS_OFFERED = 150;
const KiB = 1024;
/** docs/architecture.md, "Flow control": staged bytes of all and one value for each connection; and its unread input. */
const STAGED_MOST = 4 * KiB * KiB + WRITERS * (VALUE.length + 20 + 512);
const READ_MOST = STAGED_MOST + WRITERS * (256 + 64 + 64) * KiB;

afterEach(() => vi.restoreAllMocks());

/** A pipelined load of sets from one writer, 1.5 MB of it. */
function setsOf(writer: number, ending: string): Buffer {
  return Buffer.concat(Array.from({ length: SETS_OFFERED }, (_, i) => [Buffer.from(`set w${writer}:${i} 0 0 ${VALUE.length}${ending}\r\n`), VALUE, Buffer.from('\r\n')]).flat());
}

async function stat(client: TestClient, group: string, name: string): Promise<number> {
  const text = await client.ask(`stats ${group}`.trim().concat('\r\n'), 'END\r\n');
  return Number(new RegExp(`STAT ${name} (\\d+)`).exec(text)?.[1]);
}

describe.each([
  ['with replies', '', 'log'],
  ['with noreply', ' noreply', 'log'],
  ['with noreply and --ack memory', ' noreply', 'memory'],
] as const)('while the disk takes no writes, and 50 writers push %s', (_name, ending, ack) => {
  it('what is in RAM is read, stats answers, memory is bounded, and then all goes on', async () => {
    const { port } = await startTestServer({ ack, memory: 64 });
    const reader = await TestClient.connect(port);
    expect(await reader.ask('set known 0 0 3\r\nabc\r\n')).toBe('STORED\r\n');
    const held = holdNextWrite();
    const writers = await Promise.all(Array.from({ length: WRITERS }, () => TestClient.connect(port)));
    for (const [i, writer] of writers.entries()) writer.send(setsOf(i, ending));
    await held.begun;
    // Until no more is taken: then all wait.
    let readBefore = -1;
    for (let same = 0; same < 5; ) {
      expect(await reader.ask('get known\r\n', 'END\r\n')).toBe('VALUE known 0 3\r\nabc\r\nEND\r\n');
      const read = await stat(reader, '', 'bytes_read');
      same = Math.abs(read - readBefore) < 200 ? same + 1 : 0;
      readBefore = read;
    }
    expect(await stat(reader, 'storage', 'pending_bytes')).toBeLessThanOrEqual(STAGED_MOST);
    expect(readBefore).toBeLessThanOrEqual(READ_MOST);
    expect(readBefore).toBeLessThan((WRITERS * SETS_OFFERED * VALUE.length) / 2);

    held.release();
    const last = SETS_OFFERED - 1;
    if (ending === '') await Promise.all(writers.map((writer) => writer.receive(SETS_OFFERED * 'STORED\r\n'.length)));
    else for (const writer of writers) expect(await writer.ask('mn\r\n')).toBe('MN\r\n');
    for (let i = 0; i < WRITERS; i += 7) {
      expect(await reader.ask(`mg w${i}:${last} s\r\n`)).toBe(`HD s${VALUE.length}\r\n`);
    }
    expect(await stat(reader, 'storage', 'write_failures')).toBe(0);
  });
});

// A read at once, of what is not in the page cache, would hold up everybody for as long as the disk stalls.
it('nothing is read in a blocking way while the disk has not taken a write for long', async () => {
  const { port } = await startTestServer({ ramTier: false });
  const client = await TestClient.connect(port);
  expect(await client.ask('set cold 0 0 3\r\nabc\r\n')).toBe('STORED\r\n');
  const blocking = vi.spyOn(Store.prototype, 'fetchNow');
  const get = async (): Promise<void> => expect(await client.ask('get cold\r\n', 'END\r\n')).toBe('VALUE cold 0 3\r\nabc\r\nEND\r\n');
  await get();
  expect(blocking).toHaveBeenCalledTimes(1);
  const held = holdNextWrite();
  const writer = await TestClient.connect(port);
  writer.send('set other 0 0 1\r\nx\r\n');
  await held.begun;
  await get();
  const before = blocking.mock.calls.length;
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 1000);
  await get();
  expect(blocking.mock.calls.length).toBe(before);
  held.release();
  expect(await writer.receive(8)).toBe('STORED\r\n');
  await get();
  expect(blocking.mock.calls.length).toBe(before + 1);
});
