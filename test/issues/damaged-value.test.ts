import { openSync, closeSync, readSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

const MAGIC_BYTES = 16;
const HEAD_BYTES = 32;

// Only a counter said so, and nothing where to look. Records up to 16 KiB are read in another way than larger ones, and those above 4 MiB checked in steps.
it.each([1000, 100_000, 9_000_000])('a flipped byte in a value of %i bytes is a miss, said once and where, and mended by a set', async (length) => {
  const first = await workspace.serve({ args: ['--max-item-size', '16m'] });
  const client = await RawClient.connect(first.port);
  await client.set('before', Buffer.alloc(length, 'b'));
  await client.set('k', Buffer.alloc(length, 'v'));
  await client.set('behind', Buffer.alloc(length, 'a'));
  expect(await first.stop()).toBe(0);
  const offset = MAGIC_BYTES + HEAD_BYTES + 'before'.length + length;
  flipByte(workspace.path('data/values/000001.values'), offset + HEAD_BYTES + 1 + length / 2);

  const server = await workspace.serve({ args: ['--max-item-size', '16m'] });
  const again = await RawClient.connect(server.port);
  const found = await again.getMany('before', 'k', 'behind');
  expect(found.map(({ key, value }) => [key, value.length])).toEqual([['before', length], ['behind', length]]);
  expect(await again.get('k')).toBeUndefined();
  expect(await again.stat('damaged_values', 'storage')).toBe(1);
  expect(await again.stat('items', 'storage')).toBe(2);
  expect(await again.set('k', 'mended')).toBe('STORED');
  expect(await again.text('k')).toBe('mended');
  expect(await server.stop()).toBe(0);
  const said = server.log.filter(({ msg }) => String(msg).includes('damaged'));
  expect(said).toHaveLength(1);
  expect(said[0]).toMatchObject({ level: 40, where: `value segment 1, offset ${offset}` });
});

function flipByte(path: string, at: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte[0]! ^= 0x20;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}
