import { expect, it, test } from 'vitest';
import { lines, Refusal } from '../../src/protocol/lines.ts';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.ts';
import { end, numberLine, refusalLine, statLine, valueLine, versionLine } from '../../src/protocol/text-replies.ts';

function write(fill: (out: ReplyBuffer) => void): string {
  const out = new ReplyBuffer();
  fill(out);
  return out.bytes.toString('latin1', 0, out.length);
}

it('valueLine() writes key, flags and length, and the cas id for gets', () => {
  const key = Buffer.from('xxkeyxx');
  expect(write((out) => valueLine(out, key, 2, 5, 4294967295, 0, undefined))).toBe('VALUE key 4294967295 0\r\n');
  expect(write((out) => valueLine(out, key, 2, 5, 0, 1048576, 0))).toBe('VALUE key 0 1048576 0\r\n');
  expect(write((out) => valueLine(out, key, 2, 5, 0, 1, 2n ** 64n - 1n))).toBe('VALUE key 0 1 18446744073709551615\r\n');
});

it('the other lines', () => {
  expect(write((out) => statLine(out, 'pid', 17))).toBe('STAT pid 17\r\n');
  expect(write((out) => statLine(out, 'version', '1.2'))).toBe('STAT version 1.2\r\n');
  expect(write((out) => numberLine(out, 2n ** 64n - 1n))).toBe('18446744073709551615\r\n');
  expect(write((out) => versionLine(out, '1.2'))).toBe('VERSION 1.2\r\n');
  expect(write((out) => refusalLine(out, Refusal.error))).toBe('ERROR\r\n');
  expect(write((out) => refusalLine(out, ''))).toBe('');
  expect(write(end)).toBe('END\r\n');
});

test.each([
  [lines.crlf, ''], [lines.stored, 'STORED'], [lines.notStored, 'NOT_STORED'], [lines.exists, 'EXISTS'],
  [lines.notFound, 'NOT_FOUND'], [lines.deleted, 'DELETED'], [lines.touched, 'TOUCHED'], [lines.ok, 'OK'],
  [lines.end, 'END'], [lines.mn, 'MN'], [lines.reset, 'RESET'], [lines.error, 'ERROR'],
  [lines.tooManyConnections, 'ERROR Too many open connections'],
  [lines.badLineFormat, 'CLIENT_ERROR bad command line format'],
  [lines.badDataChunk, 'CLIENT_ERROR bad data chunk'],
  [lines.badExptime, 'CLIENT_ERROR invalid exptime argument'],
  [lines.badDelta, 'CLIENT_ERROR invalid numeric delta argument'],
  [lines.deleteUsage, 'CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]'],
  [lines.nonNumericValue, 'CLIENT_ERROR cannot increment or decrement non-numeric value'],
  [lines.flushNotAllowed, 'CLIENT_ERROR flush_all not allowed'],
  [lines.tooLarge, 'SERVER_ERROR object too large for cache'],
  [lines.outOfMemoryStoring, 'SERVER_ERROR out of memory storing object'],
  [lines.outOfMemory, 'SERVER_ERROR out of memory'],
  [lines.outOfMemoryWriting, 'SERVER_ERROR out of memory writing get response'],
  [lines.outOfMemoryReading, 'SERVER_ERROR out of memory reading request'],
])('a fixed line reads %s%s', (line, text) => {
  expect(line.toString('latin1')).toBe(`${text}\r\n`);
});
