import type { Item } from '../../../src/item.ts';
import { AccessTable } from '../../../src/ram/access-table.ts';
import { hashKey } from '../../../src/ram/hash.ts';
import { RamTier } from '../../../src/ram/ram-tier.ts';
import { ReadSketch } from '../../../src/ram/read-sketch.ts';
import { type Contest, type ContestGroup, mustAgree, type Pass } from './contest.ts';
import { NOW, remembered } from './items.ts';
import { keyOf } from './requests.ts';

/** Items that are remembered: with their rows they fit no processor's cache. */
const COUNT = 50_000;
/** Of them, so many are used in a pass, far apart; the next pass goes on with others. */
const USED = 1000;
/** Prime to COUNT, so that all have their turn. */
const STRIDE = 7919;
const SEED = 12_345;
const TIER_BYTES = 64 * 2 ** 20;
const TABLE_BYTES = 2 ** 20;

/**
 * What is in memory beside the store: the RAM tier, the hash of keys, the table of last accesses, the sketch of reads.
 * The naive way has a Map with strings as keys.
 */
export function rememberingGroup(): ContestGroup {
  const keys = Array.from({ length: COUNT }, (_, i) => Buffer.from(keyOf(i), 'latin1'));
  return {
    title: 'Memory, ns per key',
    contestants: ['tugela', 'naive'],
    references: ['naive'],
    showsExtra: false,
    contests: [hashing(keys), finding(keys), putting(keys), noting(keys), sketching(keys)],
  };
}

/** The naive way: making the string that a Map needs, which hashes it. */
function hashing(keys: readonly Buffer[]): Contest {
  const known = new Set<string>();
  return contest(
    'hash of a key',
    (i) => (hashKey(keys[i]!, 0, keys[i]!.length, SEED) >= 0 ? 1 : 0),
    (i) => (known.has(keys[i]!.toString('latin1')) ? 0 : 1),
  );
}

function finding(keys: readonly Buffer[]): Contest {
  const { tier, map } = filled(keys);
  return contest(
    'find an item, hash included',
    (i) => (tier.find(hashOf(keys[i]!), keys[i]!, 0, keys[i]!.length) >= 0 ? 1 : 0),
    (i) => (map.get(keys[i]!.toString('latin1')) === undefined ? 0 : 1),
  );
}

/** The naive way copies the value, since what is read is overwritten by the next read. */
function putting(keys: readonly Buffer[]): Contest {
  const { tier, map } = filled(keys);
  const items = keys.map((_, i) => remembered(i));
  return contest(
    'put an item of 100 B over another, hash included',
    (i) => (tier.put(hashOf(keys[i]!), keys[i]!, 0, keys[i]!.length, items[i]) ? 1 : 0),
    (i) => {
      const item = items[i]!;
      map.set(keys[i]!.toString('latin1'), { ...item, value: Buffer.from(item.value!) });
      return 1;
    },
  );
}

function noting(keys: readonly Buffer[]): Contest {
  const hashes = keys.map(hashOf);
  const table = new AccessTable(TABLE_BYTES);
  const map = new Map<number, number>();
  return contest(
    'note an access, hash known',
    (i) => {
      table.note(hashes[i]!, NOW);
      return table.last(hashes[i]!) === NOW ? 1 : 0;
    },
    (i) => {
      map.set(hashes[i]!, NOW);
      return map.get(hashes[i]!) === NOW ? 1 : 0;
    },
  );
}

function sketching(keys: readonly Buffer[]): Contest {
  const hashes = keys.map(hashOf);
  const sketch = new ReadSketch(COUNT);
  const counts = new Map<number, number>();
  return contest(
    'count a read and take it off, hash known',
    (i) => {
      sketch.add(hashes[i]!);
      return sketch.take(hashes[i]!) ? 1 : 0;
    },
    (i) => {
      counts.set(hashes[i]!, (counts.get(hashes[i]!) ?? 0) + 1);
      const count = counts.get(hashes[i]!)!;
      counts.set(hashes[i]!, count - 1);
      return count > 0 ? 1 : 0;
    },
  );
}

function contest(name: string, tugela: (index: number) => number, naive: (index: number) => number): Contest {
  const sumOf = (one: (index: number) => number): Pass => {
    let at = 0;
    return () => {
      let sum = 0;
      for (let i = 0; i < USED; i++) {
        at = (at + STRIDE) % COUNT;
        sum += one(at);
      }
      return sum;
    };
  };
  const passes = new Map([['tugela', sumOf(tugela)], ['naive', sumOf(naive)]]);
  mustAgree(name, [...passes.values()].map((pass) => pass()));
  return { name, count: USED, bytes: keyOf(0).length, passes };
}

function filled(keys: readonly Buffer[]): { tier: RamTier; map: Map<string, Item> } {
  const tier = new RamTier(TIER_BYTES);
  const map = new Map<string, Item>();
  for (const [i, key] of keys.entries()) {
    const item = remembered(i);
    tier.put(hashOf(key), key, 0, key.length, item);
    map.set(key.toString('latin1'), item);
  }
  return { tier, map };
}

function hashOf(key: Buffer): number {
  return hashKey(key, 0, key.length, SEED);
}
