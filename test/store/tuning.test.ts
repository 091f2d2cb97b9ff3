import { describe, expect, it } from 'vitest';
import { writeBufferFor } from '../../src/store/tuning.ts';

const MB = 2 ** 20;

describe("LevelDB's write buffer", () => {
  it('is an eighth of the memory for caching, from 4 to 16 MB', () => {
    expect([8, 32, 64, 128, 1024].map((memory) => writeBufferFor(memory * MB) / MB)).toEqual([4, 4, 8, 16, 16]);
  });
});
