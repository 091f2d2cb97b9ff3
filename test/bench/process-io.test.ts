import { describe, expect, it } from 'vitest';
import { addIo, parseIoCounters, processIo, sessionIo } from './process-io.ts';

const text = 'rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n';

describe('parseIoCounters()', () => {
  it('takes the three counters that the report needs', () => {
    expect(parseIoCounters(text)).toEqual({ readBytes: 5, writeBytes: 6, writtenChars: 2 });
  });

  it('does not take the cancelled bytes for those written', () => {
    expect(parseIoCounters(text.replace('write_bytes: 6\n', ''))).toBeUndefined();
  });

  it('is undefined where the kernel does not count', () => {
    expect(parseIoCounters('')).toBeUndefined();
  });
});

it('adds counters up', () => {
  const one = { readBytes: 1, writeBytes: 2, writtenChars: 3 };
  expect(addIo(one, { readBytes: 10, writeBytes: 20, writtenChars: 30 })).toEqual({ readBytes: 11, writeBytes: 22, writtenChars: 33 });
});

it('is undefined for processes and sessions that do not exist', () => {
  expect(processIo(2 ** 30)).toBeUndefined();
  expect(sessionIo(2 ** 30)).toBeUndefined();
});
