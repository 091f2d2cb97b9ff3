import { afterEach, describe, expect, it, vi } from 'vitest';
import { Store } from '../../src/store/store.ts';
import { ValueLog } from '../../src/store/value-log.ts';
import { eventually } from '../support/process.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';
import { failNextWrite } from './held-writes.ts';

const FAILED = 'SERVER_ERROR cannot write to disk\r\n';

afterEach(() => vi.restoreAllMocks());

describe('while writes are refused', () => {
  // It answered OK: there was nothing staged that could have failed again.
  it('sync does not say OK, and says it again once the store is open anew', async () => {
    const { port, directory } = await startTestServer();
    const reopen = vi.spyOn(Store.prototype, 'reopen').mockRejectedValue(new Error('still full'));
    const client = await TestClient.connect(port);
    failNextWrite();
    expect(await client.ask('set a 0 0 1\r\nx\r\n')).toBe(FAILED);
    for (let i = 0; i < 2; i++) {
      expect(await client.ask('sync\r\n')).toBe(`SERVER_ERROR Cannot write to store at ${directory}: disk full\r\n`);
    }
    reopen.mockRestore();
    await eventually(async () => (await client.ask('set a 0 0 1\r\nx\r\n')) === 'STORED\r\n', 'writes are accepted again');
    expect(await client.ask('sync\r\n')).toBe('OK\r\n');
  });

  // The next sync was answered OK, although what the failed one was to write may be lost.
  it('that is so after a sync that failed', async () => {
    const { port, directory } = await startTestServer();
    vi.spyOn(Store.prototype, 'reopen').mockRejectedValue(new Error('disk gone'));
    const client = await TestClient.connect(port);
    await client.ask('set a 0 0 1\r\nx\r\n');
    vi.spyOn(ValueLog.prototype, 'sync').mockRejectedValueOnce(new Error('EIO'));
    const failed = `SERVER_ERROR Cannot force store at ${directory} to disk: EIO\r\n`;
    expect(await client.ask('sync\r\n')).toBe(failed);
    expect(await client.ask('sync\r\n')).toBe(failed);
    expect(await client.ask('set b 0 0 1\r\nx\r\n')).toBe(FAILED);
    expect(await client.ask('get a b\r\n', 'END\r\n')).toBe('VALUE a 0 1\r\nx\r\nEND\r\n');
  });

  it('a set that is too large is refused like others, and leaves the old item', async () => {
    const { port } = await startTestServer();
    vi.spyOn(Store.prototype, 'reopen').mockRejectedValue(new Error('still full'));
    const client = await TestClient.connect(port);
    await client.ask('set a 0 0 1\r\nx\r\n');
    failNextWrite();
    expect(await client.ask('set b 0 0 1\r\nx\r\n')).toBe(FAILED);
    client.send(`set a 0 0 2000000\r\n${'y'.repeat(2_000_000)}\r\nget a\r\n`);
    const replied = `${FAILED}VALUE a 0 1\r\nx\r\nEND\r\n`;
    expect(await client.receive(replied.length)).toBe(replied);
  });
});
