import { Command, Op } from '../../../src/cache/command.ts';
import { hashKey } from '../../../src/ram/hash.ts';
import { RamTier } from '../../../src/ram/ram-tier.ts';
import { HotKeys, type LengthOf } from '../../../src/server/hot-keys.ts';
import { Random } from '../load/random.ts';
import { Zipf } from '../load/zipf.ts';
import { type Contest, type ContestGroup, mustAgree, type Pass } from './contest.ts';
import { remembered, VALUE_BYTES } from './items.ts';
import { keyOf } from './requests.ts';

const KEYS = 100_000;
/** Keys of all commands of a pass, drawn by Zipf's law: hot ones among many that are named once. */
const NAMED = 16_384;
const KEY_BYTES = keyOf(0).length;
const SEED = 12_345;
const TIER_BYTES = 64 * 2 ** 20;
/** Milliseconds from one look at the clock to the next, such that every key is looked at: slower traffic than sampling bears. */
const SLOW_MS = 13;

/** What a connection has of the sampling: it is called where it is there (`server/command-loop.ts`). */
interface Sampling {
  sample: ((command: Command) => void) | undefined;
}

/**
 * The sampling of hot keys, per command. Which keys are looked at follows the clock, so the clock is made: for one
 * contestant it goes so slowly that each key is looked at, for another it stands, and all but every millionth are passed over.
 * Sampling ends a minute after it was asked for, but not before the event loop has its turn: measuring leaves it none.
 */
export function samplingGroup(): ContestGroup {
  const tier = new RamTier(TIER_BYTES);
  for (let i = 0; i < KEYS; i++) {
    const key = Buffer.from(keyOf(i), 'latin1');
    tier.put(hashKey(key, 0, KEY_BYTES, SEED), key, 0, KEY_BYTES, remembered(i));
  }
  const lengthOf: LengthOf = (bytes, start, end) => {
    const slot = tier.find(hashKey(bytes, start, end, SEED), bytes, start, end);
    return slot < 0 ? undefined : tier.length(slot);
  };
  const zipf = new Zipf(KEYS, 0.99);
  const random = new Random(1);
  const named = Buffer.from(Array.from({ length: NAMED }, () => keyOf(zipf.draw(random))).join(''), 'latin1');
  return {
    title: 'Sampling of hot keys, ns per command',
    contestants: ['looked at', 'passed over', 'off'],
    references: ['off'],
    showsExtra: true,
    contests: [contest('get, 1 key', Op.get, 1, named, lengthOf), contest('get, 16 keys', Op.get, 16, named, lengthOf), contest('set of 100 B', Op.set, 1, named, lengthOf)],
  };
}

function contest(name: string, op: Op, keyCount: number, named: Buffer, lengthOf: LengthOf): Contest {
  const sumOf = (sampling: Sampling): Pass => {
    const command = new Command();
    command.op = op;
    command.buffer = named;
    command.keyCount = keyCount;
    command.length = op === Op.set ? VALUE_BYTES : 0;
    return () => {
      let sum = 0;
      for (let at = 0; at < named.length; ) {
        for (let i = 0; i < keyCount; i++, at += KEY_BYTES) {
          command.keyStarts[i] = at;
          command.keyEnds[i] = at + KEY_BYTES;
        }
        if (sampling.sample !== undefined) sampling.sample(command);
        sum += command.keyCount;
      }
      return sum;
    };
  };
  let now = 0;
  const passes = new Map([
    ['looked at', sumOf(switchedOn(lengthOf, () => (now += SLOW_MS)))],
    ['passed over', sumOf(switchedOn(lengthOf, () => 0))],
    ['off', sumOf({ sample: undefined })],
  ]);
  // In these passes the gap between keys that are looked at grows to a million, where the clock stands.
  const first = Array.from({ length: 300 }, () => passes.get('passed over')!()).at(-1)!;
  mustAgree(name, [first, ...[...passes.values()].map((pass) => pass()), NAMED]);
  return { name, count: NAMED / keyCount, bytes: keyCount * KEY_BYTES, passes };
}

function switchedOn(lengthOf: LengthOf, nowMs: () => number): Sampling {
  const sampling: Sampling = { sample: undefined };
  const hotKeys: HotKeys = new HotKeys(lengthOf, (isOn) => (sampling.sample = isOn ? (command) => hotKeys.note(command) : undefined), nowMs, () => 0.5);
  hotKeys.ask();
  return sampling;
}
