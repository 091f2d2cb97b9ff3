import type { LineClient } from '../../daemon/line-client.ts';
import { isEnd, parseItems, parseState, parseStats } from '../../daemon/replies.ts';
import type { ItemList, ListedItem } from '../../daemon/target.ts';
import { encodeUriKey } from '../protocol/uri-key.ts';

/** Items asked for at once: the server reads them in one go, so many more would make other clients wait. */
const PAGE_ITEMS = 500;

/** Which items to list. */
export interface KeyQuery {
  /** Only keys that begin with these bytes. */
  readonly prefix: Buffer | undefined;
  /** Items of a page at most. */
  readonly pageItems?: number;
}

/**
 * The items of a running server in key order, a page at a time, dead ones included. The next page is on its way while
 * one is used; more is never held, however many items there are. What is stored meanwhile may come or not.
 */
export async function* keyPages(client: LineClient, { prefix, pageItems = PAGE_ITEMS }: KeyQuery): AsyncGenerator<readonly ListedItem[], void, undefined> {
  const limit = Math.min(pageItems, PAGE_ITEMS);
  const end = prefix === undefined ? '' : ` ${encodeUriKey(prefix, 0, prefix.length)}`;
  const ask = async (after: string): Promise<ItemList> => parseItems(await client.request(`expire list ${limit} ${after} 0${end}`, isEnd));
  let page = ask('-');
  for (;;) {
    const { items, next } = await page;
    if (next !== undefined) {
      page = ask(next);
      // Nobody waits for it when the reader stops here.
      page.catch(() => undefined);
    }
    yield items;
    if (next === undefined) return;
  }
}

/** What tells live items from dead ones that are still on disk. */
export interface Liveness {
  /** The server's clock, in Unix seconds. */
  now(): number;
  isLive(item: ListedItem): boolean;
}

/** Asks a server what time it is and what was flushed. */
export async function askLiveness(client: LineClient): Promise<Liveness> {
  const state = parseState(await client.request('expire state', isEnd));
  const storage = parseStats(await client.request('stats storage', isEnd));
  const askedMs = performance.now();
  const flushedCas = Number(storage.get('flushed_cas') ?? 0);
  const now = (): number => state.now + Math.floor((performance.now() - askedMs) / 1000);
  return {
    now,
    isLive: ({ cas, expiresAt }) => Number(cas) > flushedCas && (expiresAt === 0 || expiresAt > now()),
  };
}
