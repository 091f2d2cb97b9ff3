import * as fc from 'fast-check';
import type { Cache } from '../../src/cache/cache.ts';
import { Hit, NEEDS_LOAD } from '../../src/cache/hit.ts';
import { Op } from '../../src/cache/command.ts';
import type { StoreOp } from '../../src/cache/store-item.ts';
import type { U64 } from '../../src/item.ts';
import { keyRange, type OpenCache } from '../support/open-cache.ts';

/** A command with what it needs; `cas` tells whether the right unique is sent. */
export type ModelCommand =
  | { readonly kind: 'get' | 'delete'; readonly key: string }
  | { readonly kind: 'gat' | 'touch'; readonly key: string; readonly exptime: number }
  | { readonly kind: 'store'; readonly op: StoreOp; readonly key: string; readonly flags: number; readonly exptime: number; readonly value: Buffer; readonly isCasRight: boolean }
  | { readonly kind: 'incr' | 'decr'; readonly key: string; readonly delta: U64 }
  | { readonly kind: 'tooLarge'; readonly op: StoreOp; readonly key: string }
  | { readonly kind: 'flush'; readonly exptime: number };

interface ModelItem {
  value: Buffer;
  flags: number;
  expiresAt: number;
  cas: number;
}

/** What a command came to, and what is found under its key afterwards. */
type Outcome = unknown;

const THIRTY_DAYS = 30 * 86_400;
/** Longest value that memcached looks for a number in. */
const NUMBER_BYTES = 512 * 1024;

/** memcached in a Map: what the cache must be indistinguishable from. */
export class CacheModel {
  readonly #items = new Map<string, ModelItem>();
  #flushAt = 0;

  /** Executes a command; `cas` is the unique that a store gave the item. */
  execute(command: ModelCommand, now: number, cas: number): Outcome {
    if (this.#flushAt !== 0 && now >= this.#flushAt) {
      this.#items.clear();
      this.#flushAt = 0;
    }
    if (command.kind === 'flush') {
      if (command.exptime <= 0) {
        this.#items.clear();
        this.#flushAt = 0;
      } else {
        this.#flushAt = now + command.exptime;
      }
      return 'ok';
    }
    const item = this.find(command.key, now);
    switch (command.kind) {
      case 'get':
        return item === undefined ? false : { ...item, expiresAt: undefined };
      case 'gat': {
        if (item === undefined) return false;
        const found = { ...item, expiresAt: undefined };
        this.#expire(command.key, item, command.exptime, now);
        return found;
      }
      case 'touch':
        if (item === undefined) return 'not_found';
        this.#expire(command.key, item, command.exptime, now);
        return 'touched';
      case 'delete':
        return this.#items.delete(command.key) && item !== undefined ? 'deleted' : 'not_found';
      case 'incr':
      case 'decr':
        return this.#count(command.key, item, command.kind === 'incr' ? BigInt(command.delta) : -BigInt(command.delta), cas);
      case 'tooLarge':
        if (command.op === Op.set) this.#items.delete(command.key);
        return 'too_large';
      case 'store':
        return this.#store(command, item, now, cas);
    }
  }

  find(key: string, now: number): ModelItem | undefined {
    const item = this.#items.get(key);
    return item === undefined || (item.expiresAt !== 0 && item.expiresAt <= now) ? undefined : item;
  }

  #store(command: ModelCommand & { kind: 'store' }, item: ModelItem | undefined, now: number, cas: number): Outcome {
    const { op, key, flags, exptime, value } = command;
    if (op === Op.cas && item === undefined) return 'not_found';
    if (op === Op.cas && !command.isCasRight) return 'exists';
    if (op === Op.add && item !== undefined) return 'not_stored';
    if ((op === Op.replace || op === Op.append || op === Op.prepend) && item === undefined) return 'not_stored';
    if (item !== undefined && (op === Op.append || op === Op.prepend)) {
      const joined = Buffer.concat(op === Op.append ? [item.value, value] : [value, item.value]);
      this.#items.set(key, { ...item, value: joined, cas });
      return 'stored';
    }
    this.#items.set(key, { value, flags, expiresAt: 0, cas });
    this.#expire(key, this.#items.get(key)!, exptime, now);
    return 'stored';
  }

  #count(key: string, item: ModelItem | undefined, delta: bigint, cas: number): Outcome {
    if (item === undefined) return 'not_found';
    const text = item.value.toString('latin1');
    // As strtoull has it: blanks of all kinds before and behind, any number of zeros in front.
    const digits = text.length > NUMBER_BYTES ? undefined : /^[ \t-\r]*\+?(\d+)(?:[ \t-\r\0]|$)/.exec(text)?.[1];
    if (digits === undefined || BigInt(digits) >= 2n ** 64n) return 'non_numeric';
    let number = BigInt(digits) + delta;
    if (number < 0n) number = 0n;
    number %= 2n ** 64n;
    this.#items.set(key, { ...item, value: Buffer.from(String(number).padEnd(text.length, ' ')), cas });
    return String(number);
  }

  #expire(key: string, item: ModelItem, exptime: number, now: number): void {
    if (exptime === 0) item.expiresAt = 0;
    else {
      item.expiresAt = exptime > THIRTY_DAYS ? exptime : now + exptime;
      if (exptime < 0 || item.expiresAt <= now) this.#items.delete(key);
    }
  }
}

/** Executes a command on a cache, in one go, and tells its outcome as the model does. */
export function executeOnCache(cache: Cache, command: ModelCommand): Outcome {
  switch (command.kind) {
    case 'get':
    case 'gat': {
      const hit = new Hit();
      const found = cache.fetch(keyRange(command.key), command.kind === 'gat' ? command.exptime : undefined, hit);
      if (found === NEEDS_LOAD || !found) return found;
      return { value: Buffer.from(hit.bytes.subarray(hit.start, hit.start + hit.length)), flags: hit.flags, expiresAt: undefined, cas: hit.cas };
    }
    case 'touch':
      return cache.touch(keyRange(command.key), command.exptime);
    case 'delete':
      return cache.delete(keyRange(command.key));
    case 'incr':
    case 'decr': {
      const outcome = cache.addDelta(keyRange(command.key), command.delta, command.kind === 'incr');
      return outcome === 'stored' ? String(cache.deltaResult) : outcome;
    }
    case 'tooLarge':
      return cache.refuseTooLarge(command.op === Op.set, keyRange(command.key));
    case 'flush':
      cache.flushAll(command.exptime);
      return 'ok';
    case 'store':
      return cache.store(command.op, keyRange(command.key), command.flags, command.exptime, 0, command.value);
  }
}

/**
 * Executes a command on a cache and, in the same step, on the model. Resolves with both outcomes: were
 * they not the same, no order of the commands could explain what the cache answered.
 */
export function executeOnBoth(open: OpenCache, model: CacheModel, command: ModelCommand): Promise<{ actual: Outcome; expected: Outcome }> {
  const needsValue = command.kind === 'get' || command.kind === 'gat' || command.kind === 'incr' || command.kind === 'decr' || (command.kind === 'store' && (command.op === Op.append || command.op === Op.prepend));
  return open.run(command.kind === 'flush' ? '' : command.key, needsValue, () => {
    const now = open.clock.now();
    let actual: Outcome;
    if (command.kind === 'store' && command.op === Op.cas) {
      const known = model.find(command.key, now);
      const unique = (known?.cas ?? 1) + (command.isCasRight ? 0 : 1);
      actual = open.cache.store(Op.cas, keyRange(command.key), command.flags, command.exptime, unique, command.value);
    } else {
      actual = executeOnCache(open.cache, command);
    }
    if (actual === NEEDS_LOAD) return NEEDS_LOAD;
    return { actual, expected: model.execute(command, now, open.store.state.cas) };
  });
}

const key = fc.nat(5).map((n) => `key ${n}`);
const exptime = fc.constantFrom(0, 0, 0, 1, 3, 10, 60, 5000, 100_000, -1, THIRTY_DAYS, THIRTY_DAYS + 1, 1_700_000_050);
const value = fc
  .record({ length: fc.constantFrom(0, 5, 200, 256, 257, 2000, 6000, 70_000), fill: fc.nat(255) })
  .map(({ length, fill }) => Buffer.alloc(length, fill));
const number = fc.constantFrom('0', '5', '99', '10   ', '0\t\t', '\r\n7', '+8', '00000000000000000000000012', '18446744073709551615', '12345678901234567890').map((text) => Buffer.from(text));
const delta = fc.constantFrom<U64>(0, 1, 90, 2 ** 40, 18446744073709551615n);
const op = fc.constantFrom<StoreOp>(Op.set, Op.set, Op.set, Op.add, Op.replace, Op.append, Op.prepend, Op.cas);

/** Any command. */
export const modelCommand: fc.Arbitrary<ModelCommand> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('get' as const), key }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('store' as const),
      op,
      key,
      flags: fc.integer({ min: 0, max: 0xffffffff }),
      exptime,
      value: fc.oneof({ weight: 3, arbitrary: value }, { weight: 1, arbitrary: number }),
      isCasRight: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('gat' as const, 'touch' as const), key, exptime }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('incr' as const, 'decr' as const), key, delta }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tooLarge' as const), op, key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const), exptime: fc.constantFrom(0, -1, 2, 20) }) },
);
