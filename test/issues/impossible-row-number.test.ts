import { expect, it } from 'vitest';
import { readDueRowKey } from '../../src/store/due-row.ts';
import { Findings } from '../../src/tools/findings.ts';
import { repairInPlace } from '../../src/tools/repair-in-place.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { makeStore, newItem, NOW, tamper, verify } from '../tools/dumps.ts';

/** The key of an index row with the highest number that it has room for: no batch has it, and it is not exact in a float. */
const IMPOSSIBLE = Buffer.from('t\0\0\0\x01\0\xff\xff\xff\xff\xff\xff\xff\xff', 'latin1');

it('a store with an index row whose number cannot be is found to be wrong, and is repaired', async () => {
  expect(readDueRowKey(IMPOSSIBLE)).toBeUndefined();
  const directory = tempDirectory();
  await makeStore(directory, [newItem('expires', 'x', { expiresAt: NOW + 500 })]);
  await tamper(directory, async (db) => await db.put(IMPOSSIBLE, Buffer.from('\x07expires', 'latin1')));
  expect((await verify(directory)).findings).toContain(`index row ${IMPOSSIBLE.toString('hex')} has no readable key`);
  await repairInPlace(directory, new Findings(10));
  expect((await verify(directory)).findings).toEqual([]);
});
