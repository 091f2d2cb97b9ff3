import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { itemKey, SEGMENT, STATE_KEY } from '../../src/store/keys.ts';
import { decodeState, encodeState } from '../../src/store/state-row.ts';
import { makeStore, newItem, NOW, tamper } from './dumps.ts';

/** A store of eight items: two with values in segments, one of them among those that expire. */
export async function makeSample(directory: string): Promise<void> {
  await makeStore(directory, [
    newItem('expires', 'x', { expiresAt: NOW + 500, cas: 1 }),
    newItem('large', Buffer.alloc(1000, 'L'), { cas: 2 }),
    newItem('large timed', Buffer.alloc(2000, 'T'), { expiresAt: NOW + 5000, cas: 3 }),
    ...['a', 'b', 'c', 'd', 'e'].map((key, i) => newItem(key, `value of ${key}`, { cas: 4 + i })),
  ]);
}

/** The path of the segment that holds the value of `large`. */
export function segmentOf(directory: string, letter: string): string {
  const values = join(directory, 'values');
  for (const name of readdirSync(values)) {
    if (readFileSync(join(values, name)).includes(letter.repeat(100))) return join(values, name);
  }
  throw new Error(`no segment holds ${letter}`);
}

export function flipInSegment(directory: string): void {
  const path = segmentOf(directory, 'L');
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = 0;
  writeFileSync(path, bytes);
}

/** What can be wrong with the sample: what to call it, how to make it so, what a check says, what a repair loses. */
export const damages: readonly (readonly [string, (directory: string) => Promise<void> | void, readonly RegExp[], readonly string[]])[] = [
  ['a byte of a value', flipInSegment, [/^item large: its value in .*00000\d\.values at offset 16 fails its checksum$/], ['large']],
  ['a missing segment', (directory) => rmSync(segmentOf(directory, 'T')), [/^item large%20timed: its value should be in .*values at offset 16, but there is no such file$/], ['large timed']],
  [
    'a segment cut off',
    (directory) => truncateSync(segmentOf(directory, 'T'), 500),
    [/^item large%20timed: .* offset 16, but the file ends before it does$/],
    ['large timed'],
  ],
  [
    'a damaged item row',
    (directory) =>
      tamper(directory, async (db) => {
        const row = Buffer.from((await db.get(itemKey('c')))!);
        row[30] = row[30]! ^ 1;
        await db.put(itemKey('c'), row);
      }),
    [/^item c: its row of 36 bytes fails its checksum$/, /^state row: items says 8, found are 7$/, /^state row: bytes/, /^state row: rowBytes/],
    ['c'],
  ],
  [
    'a missing index row',
    (directory) => tamper(directory, async (db) => await db.clear({ gte: Buffer.from('t'), lt: Buffer.from('u') })),
    [
      new RegExp(`^item expires: it expires at ${NOW + 500}, but no index row of ${NOW + 500} lists it$`),
      /^item large%20timed: it expires at/,
      /^state row: indexEntries says 2, found are 0$/,
    ],
    [],
  ],
  [
    'wrong counters',
    (directory) =>
      tamper(directory, async (db) => {
        const state = decodeState((await db.get(STATE_KEY))!)!;
        await db.put(STATE_KEY, encodeState({ ...state, items: 100, rowBytes: 200, cas: 3, nextSegment: 1, indexFloor: NOW + 4000 }));
      }),
    [
      /segment .* would be given out again: the next is 1$/,
      /segment .* would be given out again/,
      /^state row: items says 100, found are 8$/,
      // Eight keys with a byte in front, and 26 bytes before what else is in a row: five values of 10 bytes, a short one, two places.
      new RegExp(`^state row: rowBytes says 200, found are ${8 + 'abcde'.length + 'expires'.length + 'large'.length + 'large timed'.length + 8 * 26 + 5 * 10 + 1 + 2 * 12}$`),
      new RegExp(`^state row: indexFloor ${NOW + 4000} hides an index row of ${NOW + 500}$`),
      /^state row: cas 3 is below that of an item, 8$/,
    ],
    [],
  ],
  [
    'a missing state row',
    (directory) => tamper(directory, async (db) => await db.del(STATE_KEY)),
    [/given out again/, /given out again/, /^the state row is missing or damaged$/, /^state row: items/, /^state row: bytes/, /^state row: rowBytes/, /^state row: indexEntries/, /^state row: cas/],
    [],
  ],
  [
    'missing segment pages',
    (directory) => tamper(directory, async (db) => await db.clear({ gte: Buffer.from([SEGMENT]), lt: Buffer.from([SEGMENT + 1]) })),
    [/^segment .* is not counted$/, /^segment .* is not counted$/],
    [],
  ],
  ['a row of no kind', (directory) => tamper(directory, async (db) => await db.put(Buffer.from('zzz'), Buffer.from('x'))), [/^row 7a7a7a is of no known kind$/], []],
];
