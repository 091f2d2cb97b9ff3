import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Where memcached's tests make their sockets and files, whatever TMPDIR says. */
const TEST_FILES = '/tmp';

/** Ends servers that left the session of their test (`-d`). They are known by their data, which is in `dataDirectory`. */
export function endDetached(dataDirectory: string): void {
  for (const name of entries('/proc')) {
    if (!/^\d+$/.test(name) || !isOurs(name, dataDirectory)) continue;
    try {
      process.kill(Number(name), 'SIGKILL');
    } catch {
      // Ended meanwhile.
    }
  }
}

/** Removes what a test has left behind: the names have the id of its process in them. */
export function removeTestFiles(pid: number): void {
  const theirs = new RegExp(String.raw`^(memcachetest\.?|ports\.|mc_restart\.)${pid}(\D|$)`);
  for (const name of entries(TEST_FILES)) {
    if (theirs.test(name)) rmSync(join(TEST_FILES, name), { recursive: true, force: true });
  }
}

function isOurs(pid: string, dataDirectory: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      .split('\0')
      .some((word) => word.startsWith(`${dataDirectory}/`));
  } catch {
    return false;
  }
}

/** None where there is no such directory. */
function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
