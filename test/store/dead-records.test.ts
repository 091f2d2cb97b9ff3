import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeadRecords } from '../../src/store/dead-records.ts';

const SEGMENT = 64 * 1024;

describe('DeadRecords', () => {
  it('knows the records that died, and no others, of segments that are there', () => {
    // Records do not begin in the same 256 bytes.
    const record = fc.record({ segment: fc.nat(5), offset: fc.nat(SEGMENT / 256 - 1).map((i) => 16 + i * 256), isForget: fc.boolean() });
    fc.assert(
      fc.property(fc.array(record), (steps) => {
        const records = new DeadRecords(SEGMENT);
        const model = new Set<string>();
        for (const { segment, offset, isForget } of steps) {
          if (isForget) {
            records.forget(segment);
            for (const name of model) if (name.startsWith(`${segment} `)) model.delete(name);
          } else {
            records.note({ segment, offset, size: 300 });
            model.add(`${segment} ${offset}`);
          }
        }
        for (const { segment, offset } of steps) expect(records.has(segment, offset)).toBe(model.has(`${segment} ${offset}`));
        records.clear();
        for (const { segment, offset } of steps) expect(records.has(segment, offset)).toBe(false);
      }),
    );
  });

  it('says nothing of records behind the end of a full segment', () => {
    const records = new DeadRecords(SEGMENT);
    records.note({ segment: 1, offset: SEGMENT + 4096, size: 300 });
    expect(records.has(1, SEGMENT + 4096)).toBe(false);
  });

  it('takes no more memory when there are very many segments', () => {
    const records = new DeadRecords(SEGMENT);
    for (let segment = 0; segment < 600; segment++) records.note({ segment, offset: 16, size: 300 });
    expect(records.has(511, 16)).toBe(true);
    expect(records.has(512, 16)).toBe(false);
    records.forget(3);
    records.note({ segment: 512, offset: 16, size: 300 });
    expect(records.has(512, 16)).toBe(true);
  });
});
