import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, type ServerProcess, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

/*
 * What the Tugela of 2004 got wrong, by symptom.
 */

let workspace: Workspace;
let server: ServerProcess;
let client: RawClient;

beforeEach(async () => {
  workspace = new Workspace();
  await start();
});

afterEach(async () => {
  await workspace.close();
});

async function start(...args: string[]): Promise<void> {
  server = await workspace.serve({ args });
  client = await RawClient.connect(server.port);
}

/** Stores an item and waits until it is expired and, with nobody sweeping, still on disk. */
async function expired(key: string, value: string): Promise<void> {
  await client.set(key, value, 0, 1);
  await eventually(async () => (await client.get(key)) === undefined, 'expired');
  expect(await client.stat('items', 'storage')).toBe(1);
}

describe('bugs of the original Tugela', () => {
  it('a refusal is NOT_STORED, without a blank', async () => {
    expect(await client.store('replace', 'a', 'x')).toBe('NOT_STORED');
    await client.set('a', 'x');
    expect(await client.store('add', 'a', 'y')).toBe('NOT_STORED');
  });

  it('expire answers OK when a sweep starts, in one line', async () => {
    expect(await client.ask('expire')).toBe('OK');
    expect(await client.ask('mn')).toBe('MN');
  });

  it('flushed items do not come back after a restart', async () => {
    await client.set('a', 'x');
    expect(await client.ask('flush_all')).toBe('OK');
    await client.set('b', 'x');
    await server.kill();
    await start();
    expect((await client.getMany('a', 'b')).map(({ key }) => key)).toEqual(['b']);
  });

  it('what is stored in the second of a flush is not flushed', async () => {
    for (let i = 0; i < 20; i++) {
      expect(await client.ask('flush_all')).toBe('OK');
      await client.set('a', String(i));
      expect(await client.text('a')).toBe(String(i));
    }
  });

  it('curr_items, total_items and bytes count', async () => {
    await client.set('a', 'x'.repeat(1000));
    await client.set('a', 'y'.repeat(1000));
    await client.set('b', 'z'.repeat(1000));
    await client.ask('delete b');
    const stats = await client.stats();
    expect(stats.get('curr_items')).toBe('1');
    expect(stats.get('total_items')).toBe('3');
    expect(Number(stats.get('bytes'))).toBeGreaterThan(1000);
    expect(Number(stats.get('bytes'))).toBeLessThan(2000);
  });

  it('-f does not mean verbose as well', async () => {
    expect((await client.stats('settings')).get('verbosity')).toBe('0');
    expect(readdirSync(workspace.directory)).toContain('data');
    expect(await client.set('a', 'x')).toBe('STORED');
    expect(server.log.filter(({ level }) => Number(level) < 30)).toEqual([]);
  });

  it('incr and decr do not revive an expired item, and see all 64 bits', async () => {
    await expired('n', '5');
    expect(await client.ask('incr n 1')).toBe('NOT_FOUND');
    expect(await client.ask('decr n 1')).toBe('NOT_FOUND');
    expect(await client.get('n')).toBeUndefined();
    await client.set('n', '4294967295');
    expect(await client.ask('incr n 1')).toBe('4294967296');
  });

  it('incr does not see a flushed item', async () => {
    await client.set('n', '5');
    await client.ask('flush_all');
    expect(await client.ask('incr n 1')).toBe('NOT_FOUND');
  });

  it('delete of an expired item does not say DELETED', async () => {
    await expired('a', 'x');
    expect(await client.ask('delete a')).toBe('NOT_FOUND');
  });

  it('a get of any number of keys is answered in full', async () => {
    // The list of keys once grew one key late; its sizes were powers of two.
    for (const count of [1, 2, 7, 8, 9, 199, 200, 201, 255, 256, 257, 1023, 1024, 1025, 5000]) {
      const keys = Array.from({ length: count }, (_, i) => `k${i}`);
      client.send(keys.map((key) => `set ${key} 0 0 ${key.length} noreply\r\n${key}\r\n`).join(''));
      const found = await client.getMany(...keys);
      expect(found.map(({ key }) => key)).toEqual(keys);
      expect(found.every(({ key, value }) => value.toString() === key)).toBe(true);
    }
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('%s loses nothing that the timer has not synced', async (signal) => {
    await server.stop();
    await start('--sync', '0', '--ack', 'memory');
    for (let i = 0; i < 500; i++) client.send(`set k${i} 0 0 1 noreply\r\nx\r\n`);
    expect(await client.ask('mn')).toBe('MN');
    expect(await server.stop(signal)).toBe(0);
    await start();
    expect(await client.stat('curr_items')).toBe(500);
  });

  it('the timer of the sweep runs: -E sweeps again and again', async () => {
    await server.stop();
    await start('-E', '1');
    for (let round = 0; round < 2; round++) {
      await client.set('a', 'x', 0, 1);
      await eventually(async () => (await client.stat('items', 'storage')) === 0, 'swept');
    }
    expect(await client.stat('sweeps_in_process', 'storage')).toBeGreaterThanOrEqual(2);
  });

  it('flags keep 32 bits', async () => {
    for (const flags of [65_535, 65_536, 2 ** 31, 2 ** 32 - 1]) {
      await client.set(`f${flags}`, 'x', flags);
      expect((await client.get(`f${flags}`))?.flags).toBe(flags);
    }
  });

  it('stats sizes is answered once', async () => {
    expect((await client.list('stats sizes')).at(-1)).toBe('END');
    expect(await client.ask('mn')).toBe('MN');
  });

  it('a key that was stored anew after the sweep saw it is not deleted', async () => {
    await expired('a', 'old');
    const due = await eventually(async () => {
      const lines = await client.list('expire due 10');
      return lines.length > 1 && lines;
    }, 'due');
    const row = due[0]?.split(' ')[1];
    const seen = due.at(-1)?.split(' ')[1];
    const listed = (await client.list('expire list 10 - 0'))[0]?.split(' ') ?? [];
    await client.set('a', 'new');
    expect(await client.ask(`expire remove a ${listed[2]} ${listed[3]}`)).toBe('REAPED 1 0 0 0 1');
    expect(await client.ask(`expire reap ${seen} ${row}`)).toMatch(/^REAPED 1 0 0 1 0$/);
    expect(await client.text('a')).toBe('new');
  });

  it('a store that expired anew after the sweep saw it is left to the next sweep', async () => {
    await expired('a', 'old');
    const lines = await eventually(async () => {
      const found = await client.list('expire due 10');
      return found.length > 1 && found;
    }, 'due');
    const seen = lines.at(-1)?.split(' ')[1];
    await client.set('a', 'again', 0, 1);
    await eventually(async () => (await client.get('a')) === undefined, 'expired again');
    for (const row of lines.slice(0, -1)) await client.ask(`expire reap ${seen} ${row.split(' ')[1]}`);
    expect(await client.stat('items', 'storage')).toBe(1);
  });
});
