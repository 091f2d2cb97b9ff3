import zlib from 'node:zlib';
import { openSync, closeSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { joinInSteps, nextStep, STEP_BYTES } from '../../src/steps.ts';
import { crc32InSteps } from '../../src/store/crc32-steps.ts';
import { RECORD_HEAD_BYTES } from '../../src/store/item-row.ts';
import type { Store } from '../../src/store/store.ts';
import { checkedValueOf, sumInSteps, valueOfRecord, writeRecord, writeUnsummed } from '../../src/store/value-record.ts';
import { buildItem, bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { openStore } from '../support/open-store.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const LARGE = 2 * STEP_BYTES + 12_345;
const MAGIC_BYTES = 16;

async function valueIn(store: Store, key: string): Promise<Buffer | undefined> {
  const item = store.pending(key) ?? (await store.fetch([key]))[0];
  return item === undefined ? undefined : store.readValue(key, item);
}

/** Turns of the event loop until the work is done. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await work;
  isOver = true;
  return turns;
}

describe('work on a large value', () => {
  it('comes to the CRC of the whole, wherever it is cut', async () => {
    const bytes = bytesOf(LARGE, 1);
    for (const cut of [0, 1, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, LARGE]) {
      expect(await crc32InSteps([bytes.subarray(0, cut), bytes.subarray(cut)], 7)).toBe(zlib.crc32(bytes, 7));
    }
    expect(await crc32InSteps([], 7)).toBe(7);
  });

  it('comes to the whole when it is joined', async () => {
    const bytes = bytesOf(LARGE, 1);
    for (const cut of [0, 1, STEP_BYTES, STEP_BYTES + 1, LARGE]) {
      expect((await joinInSteps([bytes.subarray(0, cut), bytes.subarray(cut)])).equals(bytes)).toBe(true);
    }
  });

  it('takes a turn of the event loop for each step, however many work at the same time', async () => {
    const bytes = bytesOf(LARGE, 1);
    // Three steps each, and the turn of the last is not counted.
    expect(await turnsOf(crc32InSteps([bytes]))).toBeGreaterThanOrEqual(2);
    expect(await turnsOf(Promise.all([crc32InSteps([bytes]), joinInSteps([bytes]), nextStep()]))).toBeGreaterThanOrEqual(6);
  });
});

describe('the record of a large value', () => {
  const value = bytesOf(LARGE, 2);
  const item = buildItem({ value, flags: 5, cas: 77 });
  const whole = Buffer.alloc(RECORD_HEAD_BYTES + 1 + LARGE);
  writeRecord(whole, 0, 'k', item);

  it('is the same in steps as at once', async () => {
    const head = Buffer.alloc(RECORD_HEAD_BYTES + 1);
    writeUnsummed(head, 0, 'k', item);
    await sumInSteps(head, [value.subarray(0, 99), value.subarray(99)]);
    expect(Buffer.concat([head, value]).equals(whole)).toBe(true);
  });

  it('gives its value, but not when it is damaged or of another key', async () => {
    expect((await checkedValueOf(whole, 'k'))?.equals(value)).toBe(true);
    expect(await checkedValueOf(whole, 'j')).toBeUndefined();
    expect(await checkedValueOf(whole.subarray(0, -1), 'k')).toBeUndefined();
    for (const at of [4, 30, RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + 1, STEP_BYTES + 4, whole.length - 1]) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 1;
      expect(await checkedValueOf(damaged, 'k')).toBeUndefined();
      expect(valueOfRecord(damaged, 'k')).toBeUndefined();
    }
  });
});

describe('Store with large values', () => {
  it('shows one before, while and after it is committed, and after a start', async () => {
    const directory = tempDirectory();
    const value = bytesOf(LARGE, 3);
    const store = await openStore(directory);
    store.put('k', undefined, buildItem({ value, cas: store.nextCas() }));
    expect((await valueIn(store, 'k'))?.equals(value)).toBe(true);
    const committed = store.inLevel();
    await nextStep();
    expect((await valueIn(store, 'k'))?.equals(value)).toBe(true);
    await committed;
    expect(store.pending('k')).toBeUndefined();
    expect((await valueIn(store, 'k'))?.equals(value)).toBe(true);
    await store.close();
    await checkStore(directory);
    const again = await openStore(directory);
    expect((await valueIn(again, 'k'))?.equals(value)).toBe(true);
    await again.close();
  });

  it('takes one in two pieces, and writes it as one', async () => {
    const directory = tempDirectory();
    const value = bytesOf(LARGE, 4);
    const store = await openStore(directory);
    const old = store.put('k', undefined, buildItem({ value: bytesOf(100, 1), cas: store.nextCas() }));
    const item = { ...buildItem({ value, cas: store.nextCas() }), value: undefined };
    const stored = store.putJoined('k', old, item, [value.subarray(0, 1000), value.subarray(1000)]);
    expect(stored).toMatchObject({ length: LARGE, value: undefined });
    expect((await valueIn(store, 'k'))?.equals(value)).toBe(true);
    await store.inLevel();
    expect((await valueIn(store, 'k'))?.equals(value)).toBe(true);
    expect(store.bytes).toBe(1 + LARGE);
    await store.close();
    await checkStore(directory);
  });

  it('writes the one that replaces another in the same group, or after it', async () => {
    const directory = tempDirectory();
    const [first, second, third] = [bytesOf(LARGE, 5), bytesOf(LARGE, 6), bytesOf(LARGE, 7)];
    const store = await openStore(directory);
    let item = store.put('k', undefined, buildItem({ value: first, cas: store.nextCas() }));
    item = store.put('k', item, buildItem({ value: second, cas: store.nextCas() }));
    const committed = store.inLevel();
    await nextStep();
    store.put('k', item, buildItem({ value: third, cas: store.nextCas() }));
    await committed;
    expect((await valueIn(store, 'k'))?.equals(third)).toBe(true);
    await store.close();
    const { items } = await checkStore(directory);
    expect([...items.keys()]).toEqual(['k']);
  });

  it('takes a damaged one for gone, and counts it', async () => {
    const directory = tempDirectory();
    const store = await openStore(directory);
    store.put('k', undefined, buildItem({ value: bytesOf(LARGE, 8), cas: store.nextCas() }));
    await store.close();
    flipByte(join(directory, 'values/000001.values'), MAGIC_BYTES + RECORD_HEAD_BYTES + 1 + STEP_BYTES + 100);
    const damaged: string[] = [];
    const again = await openStore(directory, { onDamaged: (where) => damaged.push(where) });
    expect(await valueIn(again, 'k')).toBeUndefined();
    expect(damaged).toEqual([`value segment 1, offset ${MAGIC_BYTES}`]);
    expect(again.commits.damaged).toBe(1);
    await again.close();
  });

  it('keeps one in memory alone without a copy when nothing else shares its memory', async () => {
    const clock = new ManualClock();
    const store = await openStore(tempDirectory(), { ephemeral: { seconds: 60, limitBytes: 2 ** 26, clock } });
    const own = Buffer.allocUnsafeSlow(LARGE + 2).subarray(0, LARGE);
    const shared = Buffer.allocUnsafeSlow(2 * LARGE).subarray(0, LARGE);
    const expiring = { expiresAt: clock.now() + 10, storedAt: clock.now() };
    expect(store.put('own', undefined, buildItem({ value: own, cas: store.nextCas(), ...expiring })).value).toBe(own);
    const kept = store.put('shared', undefined, buildItem({ value: shared, cas: store.nextCas(), ...expiring })).value;
    expect(kept?.buffer.byteLength).toBe(LARGE);
    await store.close();
  });
});

function flipByte(path: string, at: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte[0]! ^= 0x20;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}
