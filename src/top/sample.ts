import type { LineClient } from '../../daemon/line-client.ts';
import { LinkError } from '../../daemon/link-error.ts';
import { isEnd, isSingle, parseState, parseStats } from '../../daemon/replies.ts';
import type { IndexState } from '../../daemon/target.ts';
import { decodeUriKey } from '../protocol/uri-key.ts';

/** A key that is often asked for: how often about, and by how much that may be too much. */
export interface HotKey {
  readonly key: Buffer;
  readonly count: number;
  readonly error: number;
}

/** A key with a large value. */
export interface BigValue {
  readonly key: Buffer;
  readonly size: number;
}

/** What a server says of itself at one moment. */
export interface Sample {
  readonly atMs: number;
  /** Milliseconds of a round trip that costs the server nothing. */
  readonly probeMs: number;
  readonly stats: ReadonlyMap<string, string>;
  readonly storage: ReadonlyMap<string, string>;
  /** `stats prefixes`; empty without quotas. */
  readonly prefixes: ReadonlyMap<string, string>;
  /** Undefined when the server does not accept control commands from here, or does not know them. */
  readonly index: IndexState | undefined;
  readonly hot: { readonly keys: readonly HotKey[]; readonly big: readonly BigValue[] } | undefined;
}

/** Asks a server for all that `top` shows. Hot keys are there from the second time on: asking begins the sampling. */
export async function takeSample(client: LineClient): Promise<Sample> {
  const began = performance.now();
  await client.request('mn', isSingle);
  const probeMs = performance.now() - began;
  const stats = parseStats(await client.request('stats', isEnd));
  const atMs = performance.now();
  const storage = parseStats(await client.request('stats storage', isEnd));
  // Only with quotas: with a delimiter many prefixes may be counted that have none.
  const prefixes = storage.has('quotas') ? parseStats(await client.request('stats prefixes', isEnd)) : new Map<string, string>();
  const index = await ifAllowed(async () => parseState(await client.request('expire state', isEnd)));
  const hot = await ifAllowed(async () => parseHotKeys(await client.request('expire hotkeys', isEnd)));
  return { atMs, probeMs, stats, storage, prefixes, index, hot };
}

/** Reads `HOT key count error` and `BIG key size` lines. */
export function parseHotKeys(lines: readonly string[]): { keys: HotKey[]; big: BigValue[] } {
  const keys: HotKey[] = [];
  const big: BigValue[] = [];
  for (const line of lines) {
    if (isEnd(line)) continue;
    const [word, name = '', ...numbers] = line.split(' ');
    const key = decodeUriKey(name);
    const [first, second] = numbers.map((each) => (/^\d{1,16}$/.test(each) ? Number(each) : Number.NaN));
    if (word === 'HOT' && key !== undefined && isNumber(first) && isNumber(second)) keys.push({ key, count: first, error: second });
    else if (word === 'BIG' && key !== undefined && isNumber(first)) big.push({ key, size: first });
    else throw new LinkError('bad_reply', `Unexpected reply from the server: ${line.slice(0, 120)}`);
  }
  return { keys, big };
}

function isNumber(value: number | undefined): value is number {
  return value !== undefined && !Number.isNaN(value);
}

async function ifAllowed<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof LinkError && (error.code === 'refused' || error.code === 'unsupported' || error.code === 'client_error')) return undefined;
    throw error;
  }
}
