import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startTestServer, TestClient } from '../support/test-server.ts';

// It stayed until it was full, which on a store that had done its work could be never.
describe('a value segment that is still being filled and holds only dead values', () => {
  it.each([
    ['deleted', (client: TestClient, key: string): Promise<string> => client.ask(`delete ${key}\r\n`)],
    ['overwritten by small ones', (client: TestClient, key: string): Promise<string> => client.ask(`set ${key} 0 0 1\r\nx\r\n`)],
  ])('comes back after a sync when they were %s', async (_how, end) => {
    const { port, directory } = await startTestServer();
    const segments = (): string[] => readdirSync(join(directory, 'values'));
    const client = await TestClient.connect(port);
    const value = 'v'.repeat(600_000);
    for (const key of ['a', 'b']) await client.ask(`set ${key} 0 0 ${value.length}\r\n${value}\r\n`);
    expect(segments()).toEqual(['000001.values']);
    await end(client, 'a');
    expect(await client.ask('sync\r\n')).toBe('OK\r\n');
    expect(segments()).toEqual(['000001.values']);
    await end(client, 'b');
    expect(await client.ask('sync\r\n')).toBe('OK\r\n');
    // What else is there tells of the last change, until it is full or a start.
    expect(segments()).toEqual(['000002.values']);
    const [, bytes] = /STAT value_disk_bytes (\d+)\r\n/.exec(await client.ask('stats storage\r\n', 'END\r\n'))!;
    expect(Number(bytes)).toBeLessThan(200);
    await client.ask(`set c 0 0 ${value.length}\r\n${value}\r\n`);
    expect(segments()).toEqual(['000002.values']);
    expect(await client.ask('get c\r\n', 'END\r\n')).toBe(`VALUE c 0 ${value.length}\r\n${value}\r\nEND\r\n`);
  });
});
