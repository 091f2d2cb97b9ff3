import { createHash } from 'node:crypto';
import { keyOf, type Trace, type TraceCommand, type TraceWord } from './trace.ts';

/** Keys of one kind, as a wiki uses them. */
interface KeyClass {
  readonly name: string;
  readonly keys: number;
  /** Share of the gets. */
  readonly weight: number;
  readonly medianBytes: number;
  readonly maxBytes: number;
  readonly exptime: number;
  readonly store: 'set' | 'add' | 'cas';
}

/** The busiest classes of a recorded MediaWiki, with their shares, sizes and exptimes. */
const CLASSES: readonly KeyClass[] = [
  { name: 'WANCache:wikidb:messages-big|#|v', keys: 19, weight: 285, medianBytes: 74, maxBytes: 74, exptime: 86_400, store: 'set' },
  { name: 'WANCache:global:resourceloader-titleinfo:wikidb|#|v', keys: 4, weight: 59, medianBytes: 59, maxBytes: 59, exptime: 3600, store: 'add' },
  { name: 'WANCache:global:resourceloader-titleinfo:wikidb|#|t', keys: 1, weight: 58, medianBytes: 20, maxBytes: 20, exptime: 2_592_000, store: 'add' },
  { name: 'WANCache:global:rdbms-server-readonly:localhost|#|v', keys: 1, weight: 35, medianBytes: 54, maxBytes: 54, exptime: 5, store: 'add' },
  { name: 'WANCache:global:revision-row-1.29:wikidb|#|v', keys: 207, weight: 34, medianBytes: 731, maxBytes: 738, exptime: 604_800, store: 'add' },
  { name: 'WANCache:global:jobqueue:wikidb|#|v', keys: 68, weight: 30, medianBytes: 78, maxBytes: 78, exptime: 30, store: 'add' },
  { name: 'global:ChronologyProtector', keys: 1, weight: 30, medianBytes: 109, maxBytes: 109, exptime: 60, store: 'cas' },
  { name: 'wikidb:pcache:idoptions', keys: 149, weight: 29, medianBytes: 598, maxBytes: 599, exptime: 86_400, store: 'set' },
  { name: 'WANCache:wikidb:messages:hash|#|v', keys: 1, weight: 30, medianBytes: 124, maxBytes: 124, exptime: 0, store: 'set' },
  { name: 'WANCache:wikidb:page-content-model|#|v', keys: 196, weight: 28, medianBytes: 71, maxBytes: 71, exptime: 2_592_000, store: 'add' },
  { name: 'WANCache:wikidb:page-restrictions:v1|#|v', keys: 195, weight: 28, medianBytes: 60, maxBytes: 60, exptime: 86_400, store: 'add' },
  { name: 'wikidb:messages', keys: 1, weight: 29, medianBytes: 110, maxBytes: 110, exptime: 0, store: 'set' },
  { name: 'wikidb:lightncandy-compiled', keys: 2, weight: 29, medianBytes: 3898, maxBytes: 3898, exptime: 604_800, store: 'set' },
  { name: 'wikidb:pcache:idhash', keys: 149, weight: 26, medianBytes: 7930, maxBytes: 34_378, exptime: 86_400, store: 'set' },
  { name: 'WANCache:global:SqlBlobStore-blob:wikidb|#|v', keys: 183, weight: 17, medianBytes: 2468, maxBytes: 22_657, exptime: 604_800, store: 'add' },
  { name: 'WANCache:global:user:id|#|v', keys: 9, weight: 13, medianBytes: 381, maxBytes: 384, exptime: 11, store: 'cas' },
  { name: 'global:resourceloader-less:v1', keys: 30, weight: 10, medianBytes: 914, maxBytes: 5813, exptime: 86_400, store: 'set' },
  { name: 'WANCache:wikidb:preprocess-hash|#|v', keys: 245, weight: 6, medianBytes: 3416, maxBytes: 33_745, exptime: 86_400, store: 'add' },
  { name: 'WANCache:wikidb:numbacklinks|#|v', keys: 64, weight: 3, medianBytes: 57, maxBytes: 57, exptime: 3600, store: 'set' },
];

/** Looked for and never stored. */
const ABSENT_CLASS = 'WANCache:wikidb:linktargetstore-id|#|v';
const SESSION_CLASS = 'wikidb:MWSession';
const MUTEX_CLASS = 'WANCache:global:user:id|#|m';
const LOCK_CLASS = 'global:ChronologyProtector:lock';

const WORKERS = 3;
const REQUEST_MS = 110;
const EPOCH = 1_795_222_239;

/**
 * Makes traffic like that of a wiki: workers that open a connection for each request, get a dozen keys, mostly one at
 * a time and mostly hits, store what they missed, and quit. The same seed gives the same traffic.
 */
export function makeTrace(requests: number, seed: number): Trace {
  const random = randomNumbers(seed);
  /** Expiry of what is stored, in milliseconds of the trace. */
  const stored = new Map<string, number>();
  const commands: TraceCommand[] = [];

  const makeRequest = (connection: number, startMs: number): void => {
    let ms = startMs;
    const say = (word: TraceWord, keys: readonly string[], more: { bytes?: number; flags?: number; exptime?: number } = {}): number => {
      ms += 1 + random() * 6;
      const hits = keys.filter((key) => (stored.get(key) ?? 0) > ms).length;
      commands.push({ ms, connection, word, keys, bytes: 0, flags: 0, exptime: 0, hits: word.startsWith('get') ? hits : 0, ...more });
      if (word === 'set' || word === 'add' || word === 'cas') stored.set(keys[0] ?? '', expiryMs(more.exptime ?? 0, ms));
      if (word === 'delete') stored.delete(keys[0] ?? '');
      return hits;
    };
    const isLoggedIn = random() < 0.3;
    const session = keyFor(SESSION_CLASS, Math.floor(random() * 16), 49);
    if (isLoggedIn) say('get', [session]);
    const gets = 4 + Math.floor(random() * random() * 36);
    for (let i = 0; i < gets; i++) {
      const { keyClass, key } = pickKey(random);
      if (keyClass === undefined) {
        say('get', [key]);
        continue;
      }
      const flags = [4, 0, 1, 84, 80][Math.floor(random() ** 2 * 5)] ?? 4;
      const store = { bytes: sizeOf(keyClass, key), flags, exptime: keyClass.exptime };
      if (keyClass.store === 'cas') {
        const isHit = say('gets', [key]) > 0;
        if (!isHit) say('add', [key], store);
        else if (random() < 0.1) say('cas', [key], store);
        continue;
      }
      const other = random() < 0.1 ? pickKey(random).key : undefined;
      const hits = say('get', other === undefined || other === key ? [key] : [key, other]);
      if (hits === 0 && (stored.get(key) ?? 0) <= ms) say(keyClass.store, [key], store);
    }
    if (random() < 0.05) {
      const mutex = keyFor(MUTEX_CLASS, Math.floor(random() * 8), 60);
      say('add', [mutex], { bytes: 1, exptime: 10 });
      say('touch', [mutex], { exptime: EPOCH + Math.floor(ms / 1000) - 1 });
      stored.delete(mutex);
    }
    if (random() < 0.03) {
      say('add', [keyFor(LOCK_CLASS, 0, 50)], { bytes: 1, exptime: 6 });
      say('delete', [keyFor(LOCK_CLASS, 0, 50)]);
    }
    if (isLoggedIn && random() < 0.2) say('set', [session], { bytes: 712, flags: 4, exptime: EPOCH + 3600 + Math.floor(ms / 1000) });
    say('quit', []);
  };

  for (let i = 0; i < requests; i++) makeRequest(i, Math.floor(i / WORKERS) * REQUEST_MS + random() * REQUEST_MS);
  // Requests overlap; those of one connection were made in order, and stay so.
  return { name: `synthetic, seed ${seed}`, epoch: EPOCH, commands: commands.toSorted((a, b) => a.ms - b.ms) };
}

function expiryMs(exptime: number, ms: number): number {
  if (exptime === 0) return Infinity;
  return exptime > 2_592_000 ? (exptime - EPOCH) * 1000 : ms + exptime * 1000;
}

function pickKey(random: () => number): { keyClass: KeyClass | undefined; key: string } {
  if (random() < 0.003) return { keyClass: undefined, key: keyFor(ABSENT_CLASS, Math.floor(random() * 32), 62) };
  const total = CLASSES.reduce((sum, { weight }) => sum + weight, 0);
  let at = random() * total;
  const keyClass = CLASSES.find(({ weight }) => (at -= weight) < 0) ?? CLASSES[0];
  // Few pages get most views.
  const index = Math.floor((keyClass?.keys ?? 1) * random() ** 3);
  return { keyClass, key: keyFor(keyClass?.name ?? '', index, 52 + (index % 40)) };
}

function keyFor(keyClass: string, index: number, length: number): string {
  return keyOf(keyClass, hashOf(`${keyClass} ${index}`), length);
}

/** Half below the median, the others up to the maximum, more of them small; always the same for one key. */
function sizeOf(keyClass: KeyClass, key: string): number {
  const share = Number.parseInt(hashOf(key), 16) / 2 ** 32;
  const { medianBytes, maxBytes } = keyClass;
  if (maxBytes - medianBytes < 10) return medianBytes;
  return Math.round(share < 0.5 ? medianBytes * (0.3 + share * 1.4) : medianBytes + (maxBytes - medianBytes) * (share * 2 - 1) ** 4);
}

function hashOf(text: string): string {
  return createHash('sha1').update(text).digest('hex').slice(0, 8);
}

/** Numbers from 0 to 1, 1 excluded (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
