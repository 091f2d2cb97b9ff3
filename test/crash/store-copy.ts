import { constants, cpSync, rmSync } from 'node:fs';
import { Findings } from '../../src/tools/findings.ts';
import { StoreReader } from '../../src/tools/store-reader.ts';
import { verifyStore } from '../../src/tools/verify-store.ts';

/**
 * Checks what a killed server left behind, on a copy, so that the next server finds it as it was: places where items,
 * index, segments and counters contradict each other.
 */
export async function verifyCopy(directory: string): Promise<readonly string[]> {
  const copy = `${directory}.copy`;
  rmSync(copy, { recursive: true, force: true });
  cpSync(directory, copy, { recursive: true, mode: constants.COPYFILE_FICLONE });
  try {
    const reader = await StoreReader.open(copy);
    try {
      const findings = new Findings(10);
      await verifyStore(reader, { findings });
      return findings.shown;
    } finally {
      await reader.close();
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
