import { mkdir, open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';
import { accessAdvice } from './open-advice.ts';
import { syncDirectory } from './value-log.ts';

/** Version of everything under the directory. A store of a higher one is refused (docs/storage-format.md). */
export const FORMAT_VERSION = 1;

const FORMAT_FILE = 'TUGELA';
const OWNER_FILE = 'OWNER';
const FORMAT_LINES = `tugela-ts store\nformat ${FORMAT_VERSION}\n`;
const FORMAT_TEXT = /^tugela-ts store\nformat (\d+)\n/;

/**
 * Makes sure that a directory is, or can become, a store: it must not exist, be empty, or say of
 * itself that it is a store of a format we know. Anything else is refused and left untouched. With
 * `mustExist` it must be a store already.
 *
 * @throws TugelaError TUGELA_STORE_FOREIGN, TUGELA_STORE_FORMAT, TUGELA_STORE_FAILED
 */
export async function prepareDirectory(directory: string, mustExist: boolean): Promise<void> {
  let names: string[];
  try {
    if (!mustExist) await makeDirectory(resolve(directory));
    names = (await readdir(directory)).filter((name) => name !== 'lost+found' && name !== `${FORMAT_FILE}.new`);
  } catch (cause) {
    throw new TugelaError('TUGELA_STORE_FAILED', `Cannot open store at ${directory}: ${messageOf(cause)}${accessAdvice(messageOf(cause))}`, { cause });
  }
  if (names.length === 0 && mustExist) {
    throw new TugelaError('TUGELA_STORE_FOREIGN', `Cannot open store at ${directory}: the directory is empty`);
  }
  if (names.length === 0) {
    try {
      await writeDurably(directory, FORMAT_FILE, FORMAT_LINES);
    } catch (cause) {
      throw new TugelaError('TUGELA_STORE_FAILED', `Cannot make a store at ${directory}: ${messageOf(cause)}${accessAdvice(messageOf(cause))}`, { cause });
    }
    return;
  }
  if (!names.includes(FORMAT_FILE)) {
    const advice =
      names.includes('CURRENT') && names.includes('values')
        ? `if it is one that lost this file, "printf '${FORMAT_LINES.replaceAll('\n', '\\n')}' > ${join(directory, FORMAT_FILE)}" puts it back`
        : 'name an empty or new directory';
    throw new TugelaError('TUGELA_STORE_FOREIGN', `Cannot open store at ${directory}: it is not empty and not a tugela-ts store (no file ${FORMAT_FILE}); ${advice}`);
  }
  let text: string;
  try {
    text = await readFile(join(directory, FORMAT_FILE), 'utf8');
  } catch (cause) {
    throw new TugelaError('TUGELA_STORE_FAILED', `Cannot open store at ${directory}: ${messageOf(cause)}${accessAdvice(messageOf(cause))}`, { cause });
  }
  const match = FORMAT_TEXT.exec(text);
  const version = match === null ? undefined : Number(match[1]);
  if (version === undefined) {
    throw new TugelaError('TUGELA_STORE_FOREIGN', `Cannot open store at ${directory}: its file ${FORMAT_FILE} is not readable as ours; take it from a backup, or name an empty or new directory`);
  }
  if (version > FORMAT_VERSION) {
    throw new TugelaError(
      'TUGELA_STORE_FORMAT',
      `Cannot open store at ${directory}: it has format ${version}, this version knows up to ${FORMAT_VERSION}; use the newer tugela-ts`,
    );
  }
}

/**
 * Makes a directory and those above it. Not with Node's own `recursive`, which tries for ever where the
 * file system answers that a part does not exist whatever is made (under /proc, for one).
 */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'EEXIST') return;
    const parent = dirname(directory);
    if (code !== 'ENOENT' || parent === directory || (await isThere(parent))) throw error;
    await makeDirectory(parent);
    await mkdir(directory, { mode: 0o700 });
  }
}

/** True when users of this machine who are neither the directory's owner nor of its group may look into it, as far as known. */
export async function isOpenToOthers(directory: string): Promise<boolean> {
  try {
    return ((await stat(directory)).mode & 0o007) !== 0;
  } catch {
    // It only serves a warning, which is not worth a failed start.
    return false;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Leaves this process's pid in the directory, for the message that a second server gives. */
export async function writeOwner(directory: string): Promise<void> {
  await writeFile(join(directory, OWNER_FILE), `${process.pid}\n`, { mode: 0o600 });
}

/** The pid that last opened the directory, where known. */
export async function readOwner(directory: string): Promise<number | undefined> {
  try {
    const pid = Number.parseInt(await readFile(join(directory, OWNER_FILE), 'utf8'), 10);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    // The file only serves a better message; without it the message is shorter.
    return undefined;
  }
}

async function writeDurably(directory: string, name: string, text: string): Promise<void> {
  const path = join(directory, name);
  const handle = await open(`${path}.new`, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
  await syncDirectory(directory);
}
