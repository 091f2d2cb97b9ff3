import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { U64 } from '../../src/item.ts';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.ts';

function written(out: ReplyBuffer): string {
  return out.bytes.toString('latin1', 0, out.length);
}

it('ReplyBuffer.u64() writes what String() does', () => {
  const value: fc.Arbitrary<U64> = fc.oneof(
    fc.maxSafeNat(),
    fc.nat(),
    fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: -1, max: 1 })).map(([power, off]) => Math.max(0, 10 ** power + off)),
    fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, 2n ** 53n, 2n ** 64n - 1n),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  );
  const out = new ReplyBuffer();
  fc.assert(fc.property(value, (value) => {
    out.reset();
    out.u64(value);
    expect(written(out)).toBe(String(value));
  }), { numRuns: 2000 });
});

it('ReplyBuffer appends texts, bytes and line ends of any length in order', () => {
  const part = fc.oneof(fc.string({ unit: 'binary-ascii', maxLength: 100 }), fc.integer({ min: 0, max: 200_000 }).map((n) => 'v'.repeat(n)));
  fc.assert(fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
    const out = new ReplyBuffer();
    let model = '';
    for (const part of parts) {
      out.ascii(part);
      out.copy(Buffer.from(`<${part}>`), 1, part.length + 1);
      out.line(Buffer.from(part));
      out.byte(0x2e);
      out.crlf();
      model += `${part}${part}${part}.\r\n`;
    }
    expect(out.length).toBe(model.length);
    expect(written(out) === model).toBe(true);
  }), { numRuns: 50 });
});

it('ReplyBuffer.truncate() and reset() forget what was written', () => {
  const out = new ReplyBuffer();
  out.ascii('abcdef');
  out.truncate(3);
  out.ascii('x');
  expect(written(out)).toBe('abcx');
  out.reset();
  expect(out.length).toBe(0);
});

it('ReplyBuffer.slice() copies', () => {
  const out = new ReplyBuffer();
  out.ascii('abcdef');
  const copy = out.slice(1, 4);
  out.reset();
  out.ascii('------');
  expect(copy.toString()).toBe('bcd');
});

it('ReplyBuffer.slice() gives what was written whatever was written, and sliced, before', () => {
  const out = new ReplyBuffer();
  const text = fc.oneof(fc.constantFrom('STORED\r\n', 'STORED\r\r', 'DELETED\r\n', 'OK\r\n'), fc.string({ unit: 'binary-ascii', maxLength: 70 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ unit: 'binary-ascii', maxLength: 3 }), text)), (pieces) => {
      const copies = pieces.map(([before, text]) => {
        out.reset();
        out.ascii(before + text);
        return out.slice(before.length, out.length);
      });
      expect(copies.map((copy) => copy.toString('latin1'))).toEqual(pieces.map(([, text]) => text));
    }),
  );
});

it('ReplyBuffer starts at 64 KiB, doubles, and shrinks back once it is over 1 MiB', () => {
  const out = new ReplyBuffer();
  expect(out.bytes.length).toBe(64 * 1024);
  out.copy(Buffer.alloc(64 * 1024 + 1), 0, 64 * 1024 + 1);
  expect(out.bytes.length).toBe(128 * 1024);
  out.copy(Buffer.alloc(900_000), 0, 900_000);
  expect(out.bytes.length).toBe(1024 * 1024);
  out.reset();
  out.shrink();
  expect(out.bytes.length).toBe(1024 * 1024);
  out.copy(Buffer.alloc(1024 * 1024 + 1), 0, 1024 * 1024 + 1);
  expect(out.bytes.length).toBe(2 * 1024 * 1024);
  out.shrink();
  expect(out.bytes.length).toBe(2 * 1024 * 1024);
  out.truncate(0);
  out.ascii('kept');
  out.shrink();
  expect(out.bytes.length).toBe(64 * 1024);
  expect(written(out)).toBe('kept');
});
