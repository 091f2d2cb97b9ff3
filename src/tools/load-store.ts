import { readdir } from 'node:fs/promises';
import { systemCodeOf, TugelaError } from '../errors.ts';
import type { DumpItem } from './dump-format.ts';
import type { Progress } from './progress.ts';
import { withAdvice } from './store-reader.ts';
import { StoreWriter } from './store-writer.ts';

/** Which items of a dump are loaded. */
export interface LoadChoice {
  /** Keys that begin so (latin1). */
  readonly prefix: string;
  /** Items that expire up to this Unix time are left out. */
  readonly now: number;
  readonly progress?: Progress;
}

/** What became of the items of a dump. */
export interface LoadReport {
  loaded: number;
  bytes: number;
  /** Left out, because they expired since. */
  expired: number;
  /** Left out, because of their key. */
  other_keys: number;
}

/**
 * Loads a dump into a directory, which must be empty or not there; with `merge` into a store that is there, whose
 * items are replaced where keys are the same. In an empty one the cas uniques stay what they were; in another they
 * are raised above all that was given out there, in their order.
 *
 * @throws TugelaError TUGELA_USAGE when there is something and `merge` is not given
 */
export async function loadIntoStore(directory: string, pages: AsyncGenerator<readonly DumpItem[], void, undefined>, merge: boolean, choice: LoadChoice): Promise<LoadReport & { replaced: number }> {
  if (!merge) await assertEmpty(directory);
  // Read first, so that what is no dump leaves no store behind.
  let page = await pages.next();
  const writer = await openWriter(directory, choice.now, merge);
  const report: LoadReport = { loaded: 0, bytes: 0, expired: 0, other_keys: 0 };
  try {
    for (; page.done !== true; page = await pages.next()) {
      for (const item of chosen(page.value, choice, report)) await writer.put(item);
      choice.progress?.show(writer.written, writer.bytes);
    }
  } finally {
    choice.progress?.end();
    await writer.finish();
  }
  return { ...report, loaded: writer.written, bytes: writer.bytes, replaced: writer.replaced };
}

/** Those of some items that are to be loaded; counts the others. */
export function chosen(items: readonly DumpItem[], { prefix, now }: LoadChoice, report: LoadReport): DumpItem[] {
  return items.filter(({ key, expiresAt }) => {
    if (!key.startsWith(prefix)) report.other_keys++;
    else if (expiresAt !== 0 && expiresAt <= now) report.expired++;
    else return true;
    return false;
  });
}

/** @throws TugelaError TUGELA_USAGE when a directory has something in it */
export async function assertEmpty(directory: string, hint = 'give --merge to load into the store there'): Promise<void> {
  try {
    const names = (await readdir(directory)).filter((name) => name !== 'lost+found');
    if (names.length > 0) throw new TugelaError('TUGELA_USAGE', `${directory} is not empty; name a new or empty directory, or ${hint}`);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  }
}

async function openWriter(directory: string, now: number, onTop: boolean): Promise<StoreWriter> {
  try {
    return await StoreWriter.open(directory, now, onTop);
  } catch (error) {
    throw withAdvice(error);
  }
}
