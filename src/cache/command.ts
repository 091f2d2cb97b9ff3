import type { U64 } from '../item.ts';

/** The commands of the memcached protocol, whatever dialect asked (protocol.md names). */
export const Op = {
  get: 0,
  gets: 1,
  gat: 2,
  gats: 3,
  set: 4,
  add: 5,
  replace: 6,
  append: 7,
  prepend: 8,
  cas: 9,
  incr: 10,
  decr: 11,
  delete: 12,
  touch: 13,
  flush_all: 14,
  version: 15,
  verbosity: 16,
  quit: 17,
  stats: 18,
  /** Tugela's own: everything so far is forced to disk. */
  sync: 19,
  /** Tugela's own: start a sweep; with words, the control commands of the expiry daemon. */
  expire: 20,
  /** Meta no-op. */
  mn: 21,
  /** Not a command: the line was refused, `refusal` says how. */
  refused: 22,
  /** Meta get. */
  mg: 23,
  /** Meta set, in all its modes; followed by a data block. */
  ms: 24,
  /** Meta delete. */
  md: 25,
  /** Meta arithmetic. */
  ma: 26,
  /** Meta debug. */
  me: 27,
  /** Administration: shutdown, cache_memlimit, refresh_certs, slabs, lru, lru_crawler, watch; the first of `words` is which. */
  admin: 28,
} as const;
export type Op = (typeof Op)[keyof typeof Op];

/** The name of a command. */
export function opName(op: Op): string {
  return Object.entries(Op).find(([, value]) => value === op)?.[0] ?? 'unknown';
}

/** True for the commands that are followed by a data block: six classic ones and meta set. */
export function hasDataBlock(op: Op): boolean {
  return (op >= Op.set && op <= Op.cas) || op === Op.ms;
}

/** What ms and ma do to a key, chosen by their M flag. */
export type MetaMode = 'set' | 'add' | 'replace' | 'append' | 'prepend' | 'incr' | 'decr';

/** The flags of a meta command (protocol.txt, "Meta Commands"). Reused like the command it belongs to. */
export class MetaFlags {
  /**
   * Letters of the flags that the reply repeats, in the order of the request: of c f h k l O s t those that the
   * command returns.
   */
  returns = '';
  /** O: the token to repeat, without its letter; empty = none. */
  opaque = '';
  /** q: no reply to what is usual. */
  quiet = false;
  /** b: the key was sent in base64; the command's key range is the decoded key. */
  base64 = false;
  /** The key as a reply shows it, in canonical base64 after b; empty unless k or the command asks for it. */
  sentKey = '';
  /** v: return the value. */
  value = false;
  /** u: does not count as an access. */
  noBump = false;
  /** I: mark stale instead of deleting, or accept an older cas unique. */
  invalidate = false;
  /** x: md empties the value and keeps the item. */
  clearValue = false;
  /** C: act only if the item has this cas unique. */
  compareCas: U64 | undefined = undefined;
  /** E: the cas unique that the item gets. Never 0, which is no item's: E0 asks for nothing. */
  newCas: U64 | undefined = undefined;
  /** F: client flags. */
  clientFlags = 0;
  /** T: new exptime; undefined = not given. */
  ttl: number | undefined = undefined;
  /**
   * Letters of the flags N R T t in the order of the request: what one does to the time to live, those after it see.
   * `t T30` shows the old time, `T30 t` the new.
   */
  ttlSteps = '';
  /** N: exptime of an item that is made when there is none; undefined = do not make one. */
  vivify: number | undefined = undefined;
  /** R: seconds to live below which one client wins the right to recache. */
  recache: number | undefined = undefined;
  /** J: value of a number that ma makes. */
  initial: U64 = 0;
  /** D: what ma adds or subtracts. */
  delta: U64 = 1;
  /** M: what ms and ma do. */
  mode: MetaMode = 'set';

  /** Makes it what a command without flags has. */
  reset(): void {
    this.returns = '';
    this.opaque = '';
    this.quiet = false;
    this.base64 = false;
    this.sentKey = '';
    this.value = false;
    this.noBump = false;
    this.invalidate = false;
    this.clearValue = false;
    this.compareCas = undefined;
    this.newCas = undefined;
    this.clientFlags = 0;
    this.ttl = undefined;
    this.ttlSteps = '';
    this.vivify = undefined;
    this.recache = undefined;
    this.initial = 0;
    this.delta = 1;
    this.mode = 'set';
  }
}

/** What the reply to a meta command can tell of an item; what is undefined, it leaves out. Reused like MetaFlags. */
export class MetaFields {
  /** s: bytes of the value. */
  size: number | undefined = undefined;
  /** c: the cas unique; 0 after an ms that stored nothing. */
  cas: U64 | undefined = undefined;
  /** f: client flags. */
  clientFlags: number | undefined = undefined;
  /** t: seconds to live, -1 = for ever. */
  ttl: number | undefined = undefined;
  /** l: seconds since the access before this one. */
  lastAccess: number | undefined = undefined;
  /** h: whether there was an access before this one. */
  fetched: boolean | undefined = undefined;
  /** W: this client is to store the item anew. */
  won = false;
  /** X: the item is stale. */
  stale = false;
  /** Z: another client was told to store the item anew. */
  winSent = false;
  /** The item was made with a key in base64, and k shows it so. */
  base64Key = false;

  /** Forgets everything. */
  reset(): void {
    this.size = undefined;
    this.cas = undefined;
    this.clientFlags = undefined;
    this.ttl = undefined;
    this.lastAccess = undefined;
    this.fetched = undefined;
    this.won = false;
    this.stale = false;
    this.winSent = false;
    this.base64Key = false;
  }
}

/**
 * One parsed command. Mutable and reused: a parser fills it, the connection executes it, and the
 * next parse overwrites it. Keys are ranges of `buffer`, never copies.
 */
export class Command {
  op: Op = Op.refused;
  /** True when the client asked for no reply. */
  noreply = false;
  /** The bytes that the key ranges refer to. */
  buffer: Buffer = Buffer.alloc(0);
  /** How many keys are valid in `keyStarts` and `keyEnds`. */
  keyCount = 0;
  readonly keyStarts: number[] = [];
  readonly keyEnds: number[] = [];
  /** Client flags, 32 bit unsigned. */
  flags = 0;
  /** Expiry time as sent: 0, relative, absolute or negative seconds, 32 bit signed. */
  exptime = 0;
  /** Bytes of the data block, without its CRLF. */
  length = 0;
  /** cas only: the id the client compares with. */
  casUnique: U64 = 0;
  /** incr and decr only. */
  delta: U64 = 0;
  /** What a dialect keeps with the command for its reply; nobody else looks at it. */
  form: object | undefined = undefined;
  /** mg ms md ma me only. */
  readonly meta: MetaFlags = new MetaFlags();
  /** Words after the command word, for stats and expire; with it, for administration. */
  words: string[] = [];
  /** op refused only: the line to answer, without CRLF; empty = say nothing. */
  refusal = '';
  /** op refused only: bytes of input after the line that belong to the refused command and must be skipped. */
  skip = 0;
  /** op refused only: true when the connection must be closed after the reply. */
  close = false;

  /** Makes the key ranges refer to `buffer`, in which the bytes lie `shift` bytes earlier. */
  rebase(buffer: Buffer, shift: number): void {
    this.buffer = buffer;
    for (let i = 0; i < this.keyCount; i++) {
      this.keyStarts[i] = (this.keyStarts[i] ?? 0) - shift;
      this.keyEnds[i] = (this.keyEnds[i] ?? 0) - shift;
    }
  }
}
