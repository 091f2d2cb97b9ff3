import { expectedExpiry, type Presence } from '../trace/expected-items.ts';

/** A part of a value: a mark, repeated. So that many values are remembered in little memory. */
export interface Piece {
  readonly mark: string;
  readonly bytes: number;
}

/** The server's clock may tick late, and what is read of it is rounded. */
const TICK_MS = 1100;

/** What a key was, between two operations on it. */
export interface Version {
  /** Number of the operation that made it, among those of its connection, which are executed in order. */
  readonly op: number;
  /** From this operation on, what was before cannot be found any more. */
  readonly sureOp: number;
  /** Number of the operation that wrote the value: a touch is not one. Tells whose cas unique it is. */
  readonly contentOp: number;
  /** Undefined = no item. */
  readonly content: readonly Piece[] | undefined;
  readonly flags: number;
  /** Unix milliseconds: it must be there before the first, and be gone after the second. */
  readonly aliveUntil: number;
  readonly deadFrom: number;
  /** It may have gone by itself: flushed at about the same time, or evicted. */
  readonly mayBeGone: boolean;
}

/** An item as the server shows it. */
export interface Found {
  readonly value: Buffer;
  readonly flags: number;
  readonly cas: number;
  /** Seconds left; -1 = it does not expire. */
  readonly ttl: number;
}

/** When it was asked for and shown, in Unix milliseconds. */
export interface Seen {
  readonly sentMs: number;
  readonly answeredMs: number;
}

/** How a comparison came out: a fault, or between which operations of its connection the server stopped. */
export interface Comparison {
  readonly fault: string | undefined;
  /** The operation that certainly took effect; and the first that certainly did not. */
  readonly from: number;
  readonly before: number;
}

export interface KnownItemOptions {
  /** What was acknowledged may be lost in a crash (`--ack memory`), so all that went before it may be found again. */
  readonly mayLose: boolean;
  /** Items may go at any time (`--disk-limit`). */
  readonly evicts: boolean;
}

const ANYWHERE: Comparison = { fault: undefined, from: 0, before: Number.POSITIVE_INFINITY };

/**
 * What must be found under one key: its newest acknowledged state, or that which the operation under way would
 * have made. One operation at a time.
 */
export class KnownItem {
  readonly key: string;
  /** Its cas unique, of the value that the operation `contentOp` wrote. */
  cas: { readonly contentOp: number; readonly unique: number } | undefined;
  readonly #options: KnownItemOptions;
  /** Oldest first; only with `mayLose` more than the newest. */
  #history: Version[] = [absent(0)];
  #underWay: Version | undefined;
  #isBusy = false;
  #isFlushOpen = false;
  /** What was there, whole and acknowledged, before the flush_all or the delete of its prefix that is under way. */
  #beforeFlush: Version | undefined;
  /** A delete of its prefix is not over. */
  #isDeleteOpen = false;
  /** A flush_all overlaps the operation under way; or a delete of its prefix does, which may take what the operation makes. */
  #isDoubtful = false;

  constructor(key: string, options: KnownItemOptions) {
    this.key = key;
    this.#options = options;
  }

  /** The state acknowledged last. */
  get newest(): Version {
    return this.#history.at(-1)!;
  }

  /** An operation on it has not been answered. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** More than one state may be found. */
  get isInDoubt(): boolean {
    return this.#underWay !== undefined || this.#history.length > 1 || (this.newest.mayBeGone && !this.#options.evicts);
  }

  /** Whether it must be there for a request sent and answered at these times. */
  presence(sentMs: number, answeredMs: number): Presence {
    const { content, mayBeGone, aliveUntil, deadFrom } = this.newest;
    if (content === undefined || sentMs > deadFrom) return 'absent';
    return mayBeGone || answeredMs >= aliveUntil ? 'open' : 'present';
  }

  /** An operation was sent that would make this of it; undefined = it only reads. */
  begin(version: Version | undefined): void {
    this.#isBusy = true;
    // A touch stores nothing: what it touches stays as old as it was.
    const isDoomed = this.#isDeleteOpen && this.newest.mayBeGone && version?.contentOp !== version?.op;
    this.#isDoubtful = this.#isFlushOpen || isDoomed;
    this.#underWay = version;
  }

  /** The operation was acknowledged, and made this. */
  acknowledge(version: Version): void {
    this.#push({ ...version, mayBeGone: this.#isDoubtful || this.#options.evicts });
    this.#end();
  }

  /** The operation had no effect, because there is no item, or for another reason. */
  refuse(isAbsent: boolean): void {
    if (isAbsent) this.#learnAbsent();
    this.#end();
  }

  /** The connection broke: whether the operation was executed is not known, nor, unless `isSure`, whether it would have had an effect. */
  cutOff(version: Version | undefined, isSure: boolean): void {
    const mayBeGone = this.#isDoubtful || this.#options.evicts;
    this.#underWay = version === undefined ? undefined : { ...version, mayBeGone, sureOp: isSure ? version.sureOp : Number.POSITIVE_INFINITY };
    // Nobody else begins anything on it until it was compared, or what was under way would be forgotten.
    this.#isBusy = this.#underWay !== undefined;
  }

  /** A flush_all was sent. */
  flushBegins(): void {
    this.#isFlushOpen = true;
    this.#isDoubtful = true;
    if (!this.#isBusy && this.newest.content !== undefined) {
      this.#replaceNewest({ ...this.newest, mayBeGone: true });
      this.#beforeFlush = this.newest;
    } else {
      this.#replaceNewest({ ...this.newest, mayBeGone: true });
    }
  }

  /** The flush_all was acknowledged. `nextOp` is the next operation of the connection. */
  flushEnds(nextOp: number): void {
    // A request under way may have been executed before it, and be answered after it.
    if (!this.#isBusy && this.#beforeFlush !== undefined && this.newest === this.#beforeFlush) {
      this.#push({ ...absent(this.newest.op), sureOp: nextOp });
    }
    this.#isFlushOpen = false;
    this.#beforeFlush = undefined;
  }

  /** A delete of its prefix was sent. */
  deleteBegins(): void {
    this.flushBegins();
    this.#isDeleteOpen = true;
  }

  /** The delete was acknowledged: what is stored by operations from now on is not meant by it. */
  deleteIsSure(): void {
    this.#isFlushOpen = false;
  }

  /** The delete came to its end, before a crash or after it. `nextOp` is the next operation of the connection. */
  deleteEnds(nextOp: number): void {
    const before = this.#beforeFlush;
    const { content, contentOp, op } = this.newest;
    // All that was stored before it was acknowledged is on disk, so that nothing older can be found even with `mayLose`.
    if (!this.#isBusy && content !== undefined && contentOp === before?.contentOp) this.#history = [{ ...absent(op), sureOp: nextOp }];
    this.#isFlushOpen = false;
    this.#isDeleteOpen = false;
    this.#beforeFlush = undefined;
  }

  /** After a crash during a flush_all or a delete of its prefix, and the end of that: whether the item shows that it took effect; undefined = it does not tell. */
  tellsFlushed(found: Found | undefined, { answeredMs }: Seen): boolean | undefined {
    const before = this.#beforeFlush;
    if (before === undefined || this.newest !== before || this.#underWay !== undefined || this.#options.evicts || this.#options.mayLose) return undefined;
    if (before.content === undefined || answeredMs >= before.aliveUntil) return undefined;
    return found === undefined;
  }

  /** Compares what the server shows while it runs with what was acknowledged last. Returns what is wrong. */
  observe(found: Found | undefined, seen: Seen): string | undefined {
    return this.#compare([this.newest], found, seen).fault;
  }

  /** Compares what the server shows after a crash with all that may be. */
  compare(found: Found | undefined, seen: Seen): Comparison {
    return this.#compare(this.#candidates, found, seen);
  }

  /** Takes what was found for what is. REQUIRES: it was compared. */
  settle(found: Found | undefined, seen: Seen): void {
    const match = found === undefined ? undefined : this.#candidates.findLast((candidate) => this.#fit(candidate, found, seen) === 'yes');
    this.#history = [match === undefined ? absent(this.newest.op) : { ...match, mayBeGone: this.#options.evicts }];
    this.#underWay = undefined;
    this.#isBusy = false;
    this.#isFlushOpen = false;
    this.#isDeleteOpen = false;
    this.#beforeFlush = undefined;
    this.cas = match === undefined || found === undefined ? undefined : { contentOp: match.contentOp, unique: found.cas };
  }

  /** All that it may be, oldest first. */
  get #candidates(): readonly Version[] {
    return this.#underWay === undefined ? this.#history : [...this.#history, this.#underWay];
  }

  #compare(candidates: readonly Version[], found: Found | undefined, seen: Seen): Comparison {
    let from = Number.POSITIVE_INFINITY;
    let before = 0;
    let sureBefore = Number.POSITIVE_INFINITY;
    for (const candidate of candidates.toReversed()) {
      const fit = this.#fit(candidate, found, seen);
      if (fit === 'by itself') return ANYWHERE;
      if (fit === 'yes') {
        from = Math.min(from, candidate.op);
        before = Math.max(before, sureBefore);
      }
      sureBefore = Math.min(sureBefore, candidate.sureOp);
    }
    if (before === 0) return { ...ANYWHERE, fault: `${this.key} is ${describe(found)}, must be ${candidates.slice(-4).map(describeVersion).join(' or ')}` };
    return { fault: undefined, from, before };
  }

  /** A read found no item. */
  #learnAbsent(): void {
    // Why it went is not known, so when it did is not either.
    this.#push({ ...absent(this.newest.op), sureOp: Number.POSITIVE_INFINITY });
  }

  #fit(version: Version, found: Found | undefined, seen: Seen): 'yes' | 'no' | 'by itself' {
    const { content, contentOp } = version;
    if (found === undefined) {
      if (content === undefined) return 'yes';
      if (version.mayBeGone) return 'by itself';
      return seen.answeredMs >= version.aliveUntil ? 'yes' : 'no';
    }
    if (content === undefined || seen.sentMs > version.deadFrom || found.flags !== version.flags || !hasTime(version, found.ttl, seen)) return 'no';
    if (this.cas?.contentOp === contentOp && this.cas.unique !== found.cas) return 'no';
    return bytesOf(content).equals(found.value) ? 'yes' : 'no';
  }

  #push(version: Version): void {
    if (this.#options.mayLose) this.#history.push(version);
    else this.#history = [version];
  }

  #replaceNewest(version: Version): void {
    this.#history[this.#history.length - 1] = version;
  }

  #end(): void {
    this.#underWay = undefined;
    this.#isBusy = false;
    this.#isDoubtful = false;
  }
}

/** Whether an item may have so many seconds left, or be without an end (-1). */
function hasTime({ aliveUntil, deadFrom }: Version, ttl: number, { sentMs, answeredMs }: Seen): boolean {
  if (ttl < 0) return aliveUntil === Number.POSITIVE_INFINITY;
  return answeredMs + ttl * 1000 >= aliveUntil - TICK_MS && sentMs + ttl * 1000 <= deadFrom + TICK_MS;
}

/** No item, because of operation `op`. */
export function absent(op: number): Version {
  const never = { aliveUntil: Number.POSITIVE_INFINITY, deadFrom: Number.POSITIVE_INFINITY };
  return { op, sureOp: op, contentOp: op, content: undefined, flags: 0, mayBeGone: false, ...never };
}

/** What operation `op` stores, sent and answered at these times. */
export function stored(op: number, content: readonly Piece[], flags: number, exptime: number, sentMs: number, answeredMs: number): Version {
  return { op, sureOp: op, contentOp: op, content, flags, mayBeGone: false, ...expectedExpiry(exptime, sentMs, answeredMs) };
}

export function bytesOf(content: readonly Piece[]): Buffer {
  return Buffer.concat(content.map(({ mark, bytes }) => Buffer.alloc(bytes, mark, 'latin1')));
}

function describe(found: Found | undefined): string {
  if (found === undefined) return 'not there';
  return `${found.value.length} bytes ${JSON.stringify(found.value.toString('latin1', 0, 24))} flags ${found.flags} cas ${found.cas} ttl ${found.ttl}`;
}

function describeVersion({ op, content, flags, aliveUntil, deadFrom }: Version): string {
  if (content === undefined) return `nothing (operation ${op})`;
  const bytes = content.reduce((sum, piece) => sum + piece.bytes, 0);
  const expiry = aliveUntil === Number.POSITIVE_INFINITY ? '' : ` expiring ${new Date(aliveUntil).toISOString()} to ${new Date(deadFrom).toISOString()}`;
  return `${bytes} bytes ${JSON.stringify(content[0]?.mark.slice(0, 24))} flags ${flags}${expiry} (operation ${op})`;
}
