import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { segmentName } from '../../src/store/value-log.ts';
import { GROUP_END_BYTES, recordSizeAt } from '../../src/store/value-record.ts';
import { recordsOf } from '../../src/upkeep/segment-walk.ts';
import { acknowledged, newItem, openStore } from '../support/open-store.ts';
import { withTempDirectory } from '../support/temp-directory.ts';

// Each was looked up in LevelDB under a key of one NUL, and taken for a record that is dead.
it('a walk through a segment passes over the ends of groups', () =>
  withTempDirectory(async (directory) => {
    const store = await openStore(directory);
    const keys = Array.from({ length: 5 }, (_, i) => `key ${i}`);
    for (const key of keys) {
      store.put(key, undefined, newItem(store, 1000));
      await acknowledged(store);
    }
    await store.inLevel();
    const [id] = store.values.ids();
    const found: string[] = [];
    let bytes = 0;
    for await (const records of recordsOf(store, id!)) {
      for (const { key, record } of records) {
        found.push(key);
        bytes += recordSizeAt(record, 0);
      }
    }
    expect(found).toEqual(keys);
    // They are there: of the first group after an opening none, since it waits for its batch.
    const { size } = statSync(join(directory, 'values', segmentName(id!)));
    expect(size - bytes - store.values.firstRecord).toBe(4 * GROUP_END_BYTES);
    await store.close();
  }));
