import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Command } from '../../src/cache/command.ts';
import { NEED_MORE, parseLine, peekKeys } from '../../src/protocol/text-parser.ts';
import { bytes, describeCommand, parseChunks, split } from './parsed.ts';

const key = fc.stringMatching(/^[!-~]{1,12}$/);
const number = fc.oneof(fc.integer({ min: -5, max: 5000 }).map(String), fc.constantFrom('x', '18446744073709551615', '+1'));
const end = fc.constantFrom('\r\n', '\n', ' \r\n', ' noreply\r\n');

const storage = fc
  .tuple(fc.constantFrom('set', 'add', 'replace', 'append', 'prepend', 'cas'), key, number, number, end, fc.string({ maxLength: 40 }))
  .map(([op, key, flags, exptime, end, data]) => {
    const id = op === 'cas' ? ` ${flags}` : '';
    return `${op} ${key} ${flags} ${exptime} ${bytes(data).length}${id}${end}${data}\r\n`;
  });
const other = fc.oneof(
  fc.tuple(fc.constantFrom('get', 'gets', 'gat 0', 'stats', 'expire', 'foo'), fc.array(key, { maxLength: 5 }), end)
    .map(([op, keys, end]) => `${[op, ...keys].join(' ')}${end}`),
  fc.tuple(fc.constantFrom('incr', 'decr', 'touch', 'delete', 'gat'), key, number, end)
    .map(([op, key, number, end]) => `${op} ${key} ${number}${end}`),
  fc.constantFrom('mn\r\n', 'mn\n', '\r\n', 'quit\r\n', 'version\n', 'flush_all 10 noreply\r\n', `get ${'k'.repeat(260)}\r\n`,
    `set ${'k'.repeat(251)} 0 0 5\r\n\r\n\r\n\n\r\n`, 'set a 0 0 -1\r\nget b\r\n'),
);
const stream = fc.array(fc.oneof(storage, other), { minLength: 1, maxLength: 12 }).map((commands) => bytes(commands.join('')));
const cuts = fc.array(fc.nat(600), { maxLength: 20 });

test('any split of any commands gives the same requests as one chunk', () => {
  fc.assert(fc.property(stream, cuts, (stream, cuts) => {
    expect(parseChunks(split(stream, cuts))).toEqual(parseChunks([stream]));
  }), { numRuns: 500 });
});

test('byte by byte gives the same requests as one chunk', () => {
  fc.assert(fc.property(stream, (stream) => {
    expect(parseChunks(Array.from(stream, (byte) => Buffer.of(byte)))).toEqual(parseChunks([stream]));
  }), { numRuns: 300 });
});

test('any bytes are consumed or waited for, never past the end', () => {
  const piece = fc.oneof(
    fc.constantFrom('get ', 'gat ', 'set ', 'cas ', 'incr ', 'expire ', 'noreply', ' ', '\r', '\n', '\r\n', '0 ', '-1', '4294967296 '),
    fc.uint8Array({ maxLength: 8 }).map((garbage) => Buffer.from(garbage).toString('latin1')),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), fc.nat(8), fc.nat(40), (pieces, before, hidden) => {
    const buffer = bytes(`${'\n'.repeat(before)}${pieces.join('')}`);
    const limit = Math.max(before, buffer.length - hidden);
    const command = new Command();
    let start = before;
    while (start < limit) {
      const consumed = parseLine(buffer, start, limit, start, command);
      if (consumed === NEED_MORE) {
        expect(buffer.subarray(start, limit).includes(0x0a)).toBe(false);
        break;
      }
      expect(consumed).toBeGreaterThan(0);
      expect(start + consumed).toBeLessThanOrEqual(limit);
      describeCommand(command);
      for (let i = 0; i < command.keyCount; i++) {
        expect(command.keyStarts[i]).toBeGreaterThan(start);
        expect(command.keyEnds[i]).toBeGreaterThan(command.keyStarts[i] ?? 0);
        expect(command.keyEnds[i]).toBeLessThan(start + consumed);
      }
      start += consumed;
    }
    peekKeys(buffer, before, limit, 10, (start, end) => {
      expect(before < start && start < end && end < limit).toBe(true);
    });
  }), { numRuns: 1000 });
});
