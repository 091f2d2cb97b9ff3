import { INLINE_MAX } from '../../../src/store/tuning.ts';
import { Random, scramble } from '../load/random.ts';
import { Zipf } from '../load/zipf.ts';

/** What a request does. A get of what is not there stores it, as who reads through a cache does. */
export const Kind = { get: 0, set: 1, delete: 2 } as const;

/** Requests in their order. A key is a number below `keys`. */
export interface Workload {
  readonly name: string;
  readonly keys: number;
  readonly kinds: Uint8Array;
  readonly key: Uint32Array;
  /** Bytes of the value; of a get those that it finds or stores. 0 = there was nothing to be found, and nothing is stored. */
  readonly bytes: Uint32Array;
  /** Requests before this one fill the cache and are not counted. */
  readonly countedFrom: number;
}

/** Made-up traffic: draws of a Zipf distribution, and what disturbs it. */
export interface ZipfChoice {
  readonly exponent: number;
  readonly items: number;
  readonly requests: number;
  readonly seed: number;
  /** Share of requests for keys that are asked for once and never again. */
  readonly once?: number;
  /** Every so many requests, a tenth as many in a row read items that nobody else asks for, one after the other. */
  readonly scanEvery?: number;
  /** Every so many requests, a tenth of the ranks are held by keys that were unpopular before. */
  readonly driftEvery?: number;
  /** Median of the value's bytes, and the deviation of its logarithm; 0 = all alike. */
  readonly valueBytes: number;
  readonly spread: number;
}

/** The share of requests that only fill the cache. */
const WARM_UP = 0.4;
const SCAN_SHARE = 0.1;
const DRIFT_SHARE = 0.1;
/** Values that differ are this large at least and so many times their median at most, and lie where their median does, in rows or in segments. */
const VALUE_BYTES_MIN = 10;
const VALUE_BYTES_TIMES = 40;

/** Requests of a Zipf distribution, the same from the same seed. */
export function zipfWorkload(name: string, choice: ZipfChoice): Workload {
  const { items, requests, once = 0, scanEvery = 0, driftEvery = 0 } = choice;
  const random = new Random(choice.seed);
  const zipf = new Zipf(items, choice.exponent);
  const keyOfRank = Uint32Array.from({ length: items }, (_, rank) => rank);
  const key = new Uint32Array(requests);
  let next = items;
  for (let i = 0; i < requests; i++) {
    if (driftEvery > 0 && i > 0 && i % driftEvery === 0) drift(keyOfRank, random);
    const isScan = scanEvery > 0 && i % scanEvery >= scanEvery * (1 - SCAN_SHARE);
    key[i] = isScan || random.unit() < once ? next++ : keyOfRank[zipf.draw(random)]!;
  }
  return {
    name,
    keys: next,
    kinds: new Uint8Array(requests),
    key,
    bytes: key.map((id) => valueBytes(choice, id)),
    countedFrom: Math.floor(requests * WARM_UP),
  };
}

/** Exchanges keys of popular ranks with any others. */
function drift(keyOfRank: Uint32Array, random: Random): void {
  const count = keyOfRank.length;
  for (let i = 0; i < count * DRIFT_SHARE; i++) {
    const a = random.below(Math.ceil(count * DRIFT_SHARE));
    const b = random.below(count);
    [keyOfRank[a], keyOfRank[b]] = [keyOfRank[b]!, keyOfRank[a]!];
  }
}

/** A key's value always has the same length: log-normal, by two uniform numbers made of the key (Box, Muller). */
function valueBytes({ valueBytes, spread }: ZipfChoice, key: number): number {
  if (spread === 0) return valueBytes;
  const u = (scramble(key) + 1) / (2 ** 32 + 1);
  const v = scramble(key ^ 0x5bd1e995) / 2 ** 32;
  const normal = Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  const isInRows = valueBytes <= INLINE_MAX;
  const least = isInRows ? VALUE_BYTES_MIN : INLINE_MAX + 1;
  const most = isInRows ? INLINE_MAX : valueBytes * VALUE_BYTES_TIMES;
  return Math.round(Math.min(most, Math.max(least, valueBytes * Math.exp(spread * normal))));
}
