import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { maskedCrc32c } from '../../src/store/crc32c.ts';
import { inspectLevel } from '../../src/store/level-check.ts';
import { tempDirectory } from '../support/temp-directory.ts';

it('a manifest that names a table of fewer bytes than a table ends in is damage, not an error of a number out of range', async () => {
  const directory = join(tempDirectory(), 'store');
  mkdirSync(directory);
  // Log 3; table 5 of level 0 has 2 bytes, from "a" to "b".
  const record = Buffer.from([2, 3, 7, 0, 5, 2, 1, 0x61, 1, 0x62]);
  const manifest = Buffer.concat([Buffer.alloc(7), record]);
  manifest.writeUInt16LE(record.length, 4);
  manifest[6] = 1;
  manifest.writeUInt32LE(maskedCrc32c(manifest, 6, manifest.length), 0);
  writeFileSync(join(directory, 'CURRENT'), 'MANIFEST-000001\n');
  writeFileSync(join(directory, 'MANIFEST-000001'), manifest);
  writeFileSync(join(directory, '000003.log'), '');
  writeFileSync(join(directory, '000005.ldb'), 'ab');
  expect(await inspectLevel(directory)).toEqual({ kind: 'damaged', problem: "LevelDB's table 000005.ldb is said to have 2 bytes" });
});
