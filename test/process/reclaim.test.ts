import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { bytesUnder } from '../support/bytes-under.ts';
import { eventually, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

/** More rows than LevelDB's write buffer holds, and values enough that a segment is closed although it is not full. */
const ROWS = 120_000;
const VALUES = 3000;
const BATCH = 500;
const PATIENCE_MS = 60_000;
const LIMIT_MS = 180_000;

let workspace: Workspace | undefined;

afterEach(async () => {
  await workspace?.close();
});

/** Sends requests of one line of reply each. */
async function askAll(client: RawClient, count: number, request: (n: number) => string | undefined): Promise<void> {
  for (let n = 0; n < count; n += BATCH) {
    const requests = Array.from({ length: Math.min(BATCH, count - n) }, (_, i) => request(n + i)).filter((one) => one !== undefined);
    client.send(requests.join(''));
    for (let i = 0; i < requests.length; i++) await client.line();
  }
}

function set(key: string, length: number): string {
  return `set ${key} 0 0 ${length}\r\n${key.padEnd(length, 'v')}\r\n`;
}

function deleteMost(prefix: string): (n: number) => string | undefined {
  return (n) => (n % 10 === 0 ? undefined : `delete ${prefix}${n}\r\n`);
}

describe('a store of which nine tenths are deleted', () => {
  it.each([
    ['the daemon asks for it', true],
    ['there is no daemon', false],
  ])('gives most of its directory back while %s', async (_, hasDaemon) => {
    workspace = new Workspace();
    const server = await workspace.serve({ args: ['-m', '8'] });
    const client = await RawClient.connect(server.port);
    await askAll(client, ROWS, (n) => set(`row-${n}`, 100));
    await askAll(client, VALUES, (n) => set(`value-${n}`, 2000));
    const full = bytesUnder(workspace.path('data'));
    expect(full).toBeGreaterThan(18 * 2 ** 20);
    if (hasDaemon) {
      const daemon = workspace.start(['expire', '-P', String(server.port), '--interval', '0.2', '--no-stats']);
      await daemon.logged('expiry daemon started');
    }
    await askAll(client, ROWS, deleteMost('row-'));
    await askAll(client, VALUES, deleteMost('value-'));
    const { directory } = workspace;
    await eventually(() => Promise.resolve(bytesUnder(join(directory, 'data')) < full / 4), 'the directory shrinks below a quarter', PATIENCE_MS);
    for (const name of ['compactions', 'compacted_bytes', 'value_gc_bytes_given_back']) {
      await eventually(async () => Number((await client.stats('storage')).get(name)) > 0, `${name} counts`, PATIENCE_MS);
    }
    expect(Number((await client.stats('storage')).get('dead_bytes'))).toBeLessThan(full / 4);
    for (const name of hasDaemon ? ['compactions', 'value_gc_bytes_given_back'] : []) {
      await eventually(async () => Number((await client.stats('expire')).get(name)) > 0, `the daemon tells ${name}`, PATIENCE_MS);
    }
    // What stays is there.
    await askAll(client, ROWS, (n) => (n % 10 === 0 ? `mg row-${n} s\r\n` : undefined));
    expect([await client.ask('mg row-100 s'), await client.ask('mg value-100 s'), await client.ask('mg row-101')]).toEqual(['HD s100', 'HD s2000', 'EN']);
    expect(await client.stat('curr_items')).toBe((ROWS + VALUES) / 10);
    client.close();
    await server.stop();
    const verified = await workspace.run(['store', 'verify', workspace.path('data')]);
    expect(verified.code).toBe(0);
  }, LIMIT_MS);
});
