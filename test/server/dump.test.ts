import { describe, expect, it } from 'vitest';
import { BASE64_KEY } from '../../src/item.ts';
import { Dump } from '../../src/server/dump.ts';
import { buildItem, bytesOf } from '../support/build-item.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

async function openDump(): Promise<{ open: OpenCache; dump: Dump }> {
  const open = await OpenCache.open(tempDirectory());
  return { open, dump: new Dump(open.cache, open.store) };
}

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk.toString('latin1');
  return text;
}

/** Stores an item as a client that sent its key in base64. */
function setBinary(open: OpenCache, key: string): void {
  open.store.put(key, undefined, buildItem({ value: bytesOf(3, 1), cas: open.store.nextCas(), bits: BASE64_KEY }));
}

describe('Dump.metadump', () => {
  it('says OK and END around no items', async () => {
    const { open, dump } = await openDump();
    expect(await textOf(dump.metadump())).toBe('OK\r\nEND\r\n');
    await open.close();
  });

  it('tells of each live item when it was last asked for, its cas unique, size and flags', async () => {
    const { open, dump } = await openDump();
    const stored = open.clock.now();
    await open.set('a:1', bytesOf(10, 1), 0, 5);
    await open.set('b', bytesOf(3000, 1), 100);
    await open.set('expired', bytesOf(10, 1), 2);
    setBinary(open, '\0 \n');
    open.clock.advance(7);
    await open.get('b');
    expect(await textOf(dump.metadump())).toBe(
      'OK\r\n' +
        `key=%00%20%0A exp=-1 la=1700000000 cas=4 fetch=no cls=1 size=65 flags=0 \n` +
        `key=a%3A1 exp=-1 la=${stored} cas=1 fetch=no cls=1 size=76 flags=5 \n` +
        `key=b exp=${stored + 100} la=${stored + 7} cas=2 fetch=yes cls=1 size=3060 flags=0 \n` +
        'END\r\n',
    );
    await open.close();
  });

  it('counts an item that was stored anew as not fetched', async () => {
    const { open, dump } = await openDump();
    await open.set('k', bytesOf(10, 1));
    await open.get('k');
    expect(await textOf(dump.metadump())).toContain(' fetch=yes ');
    open.clock.advance(3);
    await open.set('k', bytesOf(10, 2));
    expect(await textOf(dump.metadump())).toContain(`la=${open.clock.now()} cas=2 fetch=no `);
    await open.close();
  });

  it('comes in portions, as fast as they are asked for', async () => {
    const { open, dump } = await openDump();
    for (let i = 0; i < 1000; i++) await open.set(`key ${i}`.replace(' ', '-'), bytesOf(10, 1));
    const chunks: Buffer[] = [];
    for await (const chunk of dump.metadump()) {
      expect(chunk.length).toBeLessThan(64 * 1024);
      chunks.push(chunk);
    }
    expect(chunks[0]!.toString()).toBe('OK\r\n');
    expect(chunks.length).toBeGreaterThan(5);
    expect(Buffer.concat(chunks).toString().split('\n')).toHaveLength(1003);
    await open.close();
  });

  it('ends when its reader stops', async () => {
    const { open, dump } = await openDump();
    for (let i = 0; i < 500; i++) await open.set(`k${i}`, bytesOf(10, 1));
    const chunks = dump.metadump();
    await chunks.next();
    await chunks.next();
    await chunks.return();
    await open.close();
  });
});

describe('Dump.mgdump', () => {
  it('lists the keys as mg commands, between OK and EN', async () => {
    const { open, dump } = await openDump();
    await open.set('key:\xff', bytesOf(10, 1));
    await open.set('expired', bytesOf(10, 1), 2);
    setBinary(open, 'binary\xff');
    open.clock.advance(2);
    expect(await textOf(dump.mgdump())).toBe('OK\r\nmg YmluYXJ5/w== b\r\nmg key:\xff\r\nEN\r\n');
    await open.close();
  });
});

describe('Dump.cachedump', () => {
  it('lists keys, lengths and expiry times up to its limit', async () => {
    const { open, dump } = await openDump();
    await open.set('a', bytesOf(10, 1));
    setBinary(open, 'binary');
    await open.set('c', bytesOf(3000, 1), 100);
    await open.set('d', bytesOf(0, 1));
    const a = 'ITEM a [10 b; 0 s]\r\n';
    const c = `ITEM c [3000 b; ${open.clock.now() + 100} s]\r\n`;
    expect(await dump.cachedump(1)).toBe(`${a}END\r\n`);
    expect(await dump.cachedump(2)).toBe(`${a}${c}END\r\n`);
    expect(await dump.cachedump(0)).toBe(`${a}${c}ITEM d [0 b; 0 s]\r\nEND\r\n`);
    await open.close();
  });

  it('stops at 2 MB', async () => {
    const { open, dump } = await openDump();
    const count = 9000;
    for (let i = 0; i < count; i++) await open.set(String(i).padStart(250, 'k'), bytesOf(1, 1));
    const text = await dump.cachedump(0);
    expect(text.length).toBeGreaterThan(2 ** 21 - 300);
    expect(text.length).toBeLessThan(2 ** 21);
    expect(text.endsWith('s]\r\nEND\r\n')).toBe(true);
    await open.close();
  });
});
