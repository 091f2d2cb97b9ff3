import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ValueCollector } from '../../src/upkeep/value-collector.ts';
import { bytesOf } from '../support/build-item.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const NEVER = new AbortController().signal;
const SEGMENT_BYTES = 32 * 1024;
const LENGTH = 1000;
const MAGIC_BYTES = 16;
const HEAD_BYTES = 32;
const KEY_BYTES = 'k000'.length;
const RECORD_BYTES = HEAD_BYTES + KEY_BYTES + LENGTH;

const keyOf = (i: number): string => `k${String(i).padStart(3, '0')}`;

/** A store of small segments of which nine tenths are dead; what is written over the third record of the first, which is alive. */
async function damaged(field: number, bytes: Buffer): Promise<OpenCache> {
  const open = await OpenCache.open(tempDirectory(), 0, undefined, SEGMENT_BYTES);
  for (let i = 0; i < 300; i++) await open.set(keyOf(i), bytesOf(LENGTH, i));
  await open.store.sync();
  const fd = openSync(join(open.directory, 'values', '000001.values'), 'r+');
  writeSync(fd, bytes, 0, bytes.length, MAGIC_BYTES + 2 * RECORD_BYTES + field);
  closeSync(fd);
  for (let i = 0; i < 300; i++) if (i % 10 !== 2) await open.delete(keyOf(i));
  await open.store.sync();
  return open;
}

describe('a segment with a damaged record', () => {
  // It was the best candidate for ever, and no other segment was rewritten any more.
  it.each([
    ['value', HEAD_BYTES + KEY_BYTES, 'not what was stored'],
    ['length, too large', 8, '\u0000\u0000\u0000\u007f'],
    ['length, beyond any buffer', 8, '\u0000\u0000\u0000\u00ff'],
  ])('is left as it is, and all others are rewritten: its %s', async (_, field, written) => {
    const open = await damaged(field, Buffer.from(written, 'latin1'));
    const collector = new ValueCollector(open.residency, open.store);
    await collector.run(() => open.clock.now(), NEVER);
    expect(collector.done.segments).toBeGreaterThan(8);
    expect(open.store.values.bytes).toBeLessThan(4 * SEGMENT_BYTES);
    expect(collector.candidate(open.clock.now())).toBeUndefined();
    expect(await open.get(keyOf(2))).toBeUndefined();
    for (let i = 102; i < 300; i += 10) expect((await open.get(keyOf(i)))?.equals(bytesOf(LENGTH, i)), keyOf(i)).toBe(true);
    await open.close();
  });
});
