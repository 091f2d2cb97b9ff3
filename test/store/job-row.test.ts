import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeJob, encodeJob, jobKey, JOBS_FROM, JOBS_TO, numberOfJob } from '../../src/store/job-row.ts';
import { STATE_KEY } from '../../src/store/keys.ts';

const bytes = (most: number) => fc.uint8Array({ minLength: 1, maxLength: most }).map((array) => Buffer.from(array).toString('latin1'));
const counter = fc.maxSafeNat();
const row = fc.record({ prefix: bytes(250), after: fc.option(bytes(250), { nil: undefined }), deleted: counter, bytes: counter });

describe('job rows', () => {
  it('read as they were written', () => {
    fc.assert(
      fc.property(row, (job) => {
        expect(decodeJob(encodeJob(job))).toEqual(job);
      }),
    );
  });

  it('are damaged when any byte differs, or is missing', () => {
    fc.assert(
      fc.property(row, fc.nat(), fc.integer({ min: 1, max: 255 }), (job, at, change) => {
        const encoded = encodeJob(job);
        expect(decodeJob(encoded.subarray(0, at % encoded.length))).toBeUndefined();
        encoded[at % encoded.length]! ^= change;
        expect(decodeJob(encoded)).toBeUndefined();
      }),
    );
  });

  it('lie in the order of their numbers, apart from the state row', () => {
    fc.assert(
      fc.property(counter, counter, (a, b) => {
        expect(numberOfJob(jobKey(a))).toBe(a);
        expect(Math.sign(Buffer.compare(jobKey(a), jobKey(b)))).toBe(Math.sign(a - b));
        expect(Buffer.compare(jobKey(a), JOBS_FROM)).toBe(1);
        expect(Buffer.compare(jobKey(a), JOBS_TO)).toBe(-1);
      }),
    );
    expect(Buffer.compare(STATE_KEY, JOBS_TO)).toBe(1);
  });
});
