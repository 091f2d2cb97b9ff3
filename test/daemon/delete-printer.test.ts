import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { deleteLine, DeletePrinter } from '../../daemon/delete-printer.ts';

const latin1 = (key: string): Buffer => Buffer.from(key, 'latin1');

describe('deleteLine()', () => {
  it.each([
    ['a:b%41', 'delete a:b%41\r\n'],
    ['\xff\xfe', 'delete \xff\xfe\r\n'],
    ['x'.repeat(250), `delete ${'x'.repeat(250)}\r\n`],
  ])('keeps the bytes of %j', (key, line) => {
    expect(deleteLine(latin1(key))?.toString('latin1')).toBe(line);
  });

  it.each(['', 'a b', 'a\nflush_all', 'a\r', 'a\0b', 'x'.repeat(251)])('refuses %j', (key) => {
    expect(deleteLine(latin1(key))).toBeUndefined();
  });
});

describe('DeletePrinter', () => {
  it('prints in order and notes what it skips, the first ten singly', async () => {
    const out = new PassThrough();
    const notes: string[] = [];
    const printer = new DeletePrinter(out, (note) => void notes.push(note), (key) => JSON.stringify(key.toString()));
    await printer.print(latin1('a'));
    for (let n = 0; n < 12; n++) await printer.print(latin1(`bad ${n}`));
    await printer.print(latin1('b'));
    await printer.end();
    out.end();
    expect(await text(out)).toBe('delete a\r\ndelete b\r\n');
    expect(notes).toHaveLength(11);
    expect(notes[0]).toBe('skipped a key that no text line can carry: "bad 0"');
    expect(notes[10]).toBe('skipped 12 such keys in all');
  });

  it('waits for a slow reader, but not for one that is gone', async () => {
    const out = new Writable({ highWaterMark: 1, write: () => undefined });
    const printer = new DeletePrinter(out, () => undefined, String);
    await printer.print(latin1('a'));
    const ended = printer.end();
    out.destroy();
    await ended;
    await printer.print(latin1('b'));
    await printer.end();
  });
});
