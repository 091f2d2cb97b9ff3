import { afterEach, describe, expect, it, vi } from 'vitest';
import { RowBatch } from '../../src/store/row-batch.ts';
import { ValueLog } from '../../src/store/value-log.ts';
import { captureLogger } from '../daemon/capture-logger.ts';
import { checkStore } from '../support/check-store.ts';
import { eventually } from '../support/process.ts';
import { startTestServer } from '../support/test-server.ts';
import { RawClient } from '../wire/raw-client.ts';

const REFUSED = 'SERVER_ERROR cannot write to disk';
const SAID = 'writes are refused until the store can be opened anew; reads go on';
const MENDED = 'store opened anew, writes are accepted again';
const KEYS = 30;

afterEach(() => vi.restoreAllMocks());

function ioError(call: string): Error {
  return Object.assign(new Error(`EIO: i/o error, ${call}`), { code: 'EIO', syscall: call });
}

/** The disk takes nothing of the next records. */
function refuseRecords(): void {
  vi.spyOn(ValueLog.prototype, 'write').mockRejectedValueOnce(ioError('writev'));
}

/** The disk takes the next records and says that it did not. */
function denyRecords(): void {
  const write: ValueLog['write'] = Reflect.get(ValueLog.prototype, 'write');
  vi.spyOn(ValueLog.prototype, 'write').mockImplementationOnce(async function denied(this: ValueLog, records) {
    await write.call(this, records);
    throw ioError('writev');
  });
}

function refuseRows(): void {
  vi.spyOn(RowBatch.prototype, 'write').mockRejectedValueOnce(ioError('write'));
}

function refuseSync(): void {
  vi.spyOn(ValueLog.prototype, 'sync').mockRejectedValueOnce(ioError('fdatasync'));
}

/** Values in rows and in segments. */
function valueOf(key: string): string {
  return key.padEnd(Number(key.slice(1)) % 2 === 0 ? 100 : 2000, `<${key}>`);
}

const keys = Array.from({ length: KEYS }, (_, i) => `k${i}`);

async function expectAll(client: RawClient): Promise<void> {
  const found = await client.getMany(...keys);
  expect(found.map(({ key, value }) => [key, value.toString('latin1')])).toEqual(keys.map((key) => [key, valueOf(key)]));
}

/** A server whose log is kept, with all keys stored and acknowledged. Nothing is answered from RAM. */
async function startFilled(ack: 'log' | 'sync') {
  const { logger, lines } = captureLogger('info');
  const { server, port, directory } = await startTestServer({ ack, ramTier: false }, { logger });
  const client = await RawClient.connect(port);
  for (const key of keys) expect(await client.set(key, valueOf(key))).toBe('STORED');
  const said = (message: string): number => lines.filter(({ msg }) => msg === message).length;
  return { server, directory, client, said };
}

describe('an I/O error that passes', () => {
  it.each([
    ['of a segment, of which nothing was written', 'log', refuseRecords, 1000],
    ['of a segment, of which all was written', 'log', denyRecords, 1000],
    ["of LevelDB's log", 'sync', refuseRows, 100],
    ["of LevelDB's log, with a value in a segment", 'sync', refuseRows, 1000],
    ['of a segment that is forced to disk', 'sync', refuseSync, 1000],
  ] as const)('%s: the writer is told, the log says it once, writes go on without a restart, and nothing acknowledged is lost', async (_what, ack, fail, bytes) => {
    const { server, directory, client, said } = await startFilled(ack);
    fail();
    expect(await client.set('k1', 'x'.repeat(bytes))).toBe(REFUSED);
    // What was refused is not there, neither from RAM nor from disk.
    await expectAll(client);
    await eventually(async () => (await client.set('k1', valueOf('k1'))) === 'STORED', 'writes are accepted again');
    expect(await client.set('mended', 'y'.repeat(1000))).toBe('STORED');
    await expectAll(client);
    expect(await client.text('mended')).toBe('y'.repeat(1000));
    expect([said(SAID), said(MENDED)]).toEqual([1, 1]);
    await server.stop();
    const { items } = await checkStore(directory);
    expect([...items.keys()].toSorted()).toEqual([...keys, 'mended'].toSorted());
  });

  it.each([1000, 100])("of LevelDB's log, when rows of values of %d bytes are written whose writers were answered: they are made anew", async (bytes) => {
    const { server, directory, client, said } = await startFilled('log');
    // No rows are left to be written.
    expect(await client.ask('sync')).toBe('OK');
    refuseRows();
    expect(await client.set('k1', 'x'.repeat(bytes))).toBe('STORED');
    await eventually(async () => said(SAID) === 1, 'the rows cannot be written');
    // What was answered counts all the time.
    expect(await client.text('k1')).toBe('x'.repeat(bytes));
    await eventually(async () => (await client.set('mended', 'y')) === 'STORED', 'writes are accepted again');
    expect(await client.text('k1')).toBe('x'.repeat(bytes));
    expect(await client.set('k1', valueOf('k1'))).toBe('STORED');
    await expectAll(client);
    expect([said(SAID), said(MENDED)]).toEqual([1, 1]);
    await server.stop();
    const { items } = await checkStore(directory);
    expect([...items.keys()].toSorted()).toEqual([...keys, 'mended'].toSorted());
  });

  it('of a sync that was asked for: it is told, the log says it once, and writes go on without a restart', async () => {
    const { server, directory, client, said } = await startFilled('log');
    refuseSync();
    expect(await client.ask('sync')).toBe(`SERVER_ERROR Cannot force store at ${directory} to disk: EIO: i/o error, fdatasync`);
    await expectAll(client);
    await eventually(async () => (await client.set('mended', 'y')) === 'STORED', 'writes are accepted again');
    expect(await client.ask('sync')).toBe('OK');
    await expectAll(client);
    expect([said(SAID), said(MENDED)]).toEqual([1, 1]);
    await server.stop();
    await checkStore(directory);
  });
});
