import { setTimeout as sleep } from 'node:timers/promises';
import type { CasUniques } from './cas-uniques.ts';
import type { Faults } from './faults.ts';
import { absent, bytesOf, type Found, KnownItem, type KnownItemOptions, type Piece, type Seen, stored, type Version } from './known-item.ts';
import { ConnectionLost, PipeClient } from './pipe-client.ts';
import type { Random } from './random.ts';
import type { SharedCounters } from './shared-counters.ts';

/** What a connection does. */
export interface Profile {
  readonly keys: number;
  /** Requests under way at once. */
  readonly window: number;
  /** Milliseconds that pass between two requests of the same place in the window, on average. */
  readonly thinkMs: number;
  /** Bytes of a value: a range is picked, then a length from it. */
  readonly valueBytes: readonly (readonly [least: number, most: number])[];
  /** Share of requests that only read. */
  readonly reads: number;
}

export interface WriterDeps {
  readonly random: Random;
  readonly faults: Faults;
  readonly cas: CasUniques;
  readonly counters: SharedCounters;
}

/** What a check came to. */
export interface Checked {
  compared: number;
  inDoubt: number;
}

/** A request, and what its answers mean. */
interface Operation {
  readonly request: string;
  readonly data?: Buffer;
  /** What it makes of the item; undefined = nothing. */
  readonly version: ((op: number, sentMs: number, answeredMs: number) => Version) | undefined;
  /** The reply when it took effect, and what it needs for that. */
  readonly applied: string | RegExp;
  readonly needs: 'present' | 'absent' | 'nothing';
  /** The reply when what it needs is not so. */
  readonly refused?: string;
  /** It stores an item, in the sense of total_items. */
  readonly stores?: boolean;
}

interface Looked {
  readonly found: Found | undefined;
  readonly seen: Seen;
}

const LONG_SECONDS = 5000;
const SHORT_SECONDS = 3;
/** Parts of a value that grew by appending, at most. */
const PIECES_MAX = 12;
const KEYS_PER_CHECK = 64;
/** Share of keys, at the end of the list, that hold decimal numbers. */
const NUMBERS_SHARE = 0.1;

/**
 * A client that writes to keys of its own over one connection, several requests at once, and knows what must have
 * become of them.
 */
export class Writer {
  readonly items: readonly KnownItem[];
  /** Writes acknowledged and stores acknowledged, so far. */
  acknowledged = 0;
  stores = 0;
  readonly #profile: Profile;
  readonly #options: KnownItemOptions;
  readonly #deps: WriterDeps;
  readonly #firstNumber: number;
  #client: PipeClient | undefined;
  #ops = 0;
  /** The first operation of this run of the server. */
  #firstOp = 0;
  #isStopping = false;

  constructor(name: string, profile: Profile, options: KnownItemOptions, deps: WriterDeps) {
    this.#profile = profile;
    this.#options = options;
    this.#deps = deps;
    this.items = Array.from({ length: profile.keys }, (_, i) => new KnownItem(`${name}:${i}`, options));
    this.#firstNumber = Math.ceil(profile.keys * (1 - NUMBERS_SHARE));
  }

  /** Writes until the connection breaks or `stop` is called; then nothing is under way any more. */
  async run(port: number): Promise<void> {
    this.#isStopping = false;
    try {
      this.#client = await PipeClient.connect(port);
    } catch (error) {
      if (error instanceof ConnectionLost) return;
      throw error;
    }
    const client = this.#client;
    await Promise.all(Array.from({ length: this.#profile.window }, async () => await this.#runLane(client)));
    client.close();
  }

  stop(): void {
    this.#isStopping = true;
  }

  flushBegins(): void {
    for (const item of this.items) item.flushBegins();
  }

  flushEnds(): void {
    for (const item of this.items) item.flushEnds(this.#ops + 1);
  }

  deleteBegins(prefix: string): void {
    for (const item of this.#under(prefix)) item.deleteBegins();
  }

  deleteIsSure(prefix: string): void {
    for (const item of this.#under(prefix)) item.deleteIsSure();
  }

  deleteEnds(prefix: string): void {
    for (const item of this.#under(prefix)) item.deleteEnds(this.#ops + 1);
  }

  #under(prefix: string): KnownItem[] {
    return this.items.filter(({ key }) => key.startsWith(prefix));
  }

  /**
   * Compares what the server has with what is known: all that is in doubt, and a share of the rest. REQUIRES: nothing
   * is under way. `flushVerdicts` gathers what items tell about a flush_all or a delete of a prefix that was cut off.
   */
  async check(client: PipeClient, share: number, flushVerdicts: Map<boolean, string>): Promise<Checked> {
    const { random, faults, cas } = this.#deps;
    const chosen = this.items.filter((item) => item.isInDoubt || random.chance(share));
    const checked: Checked = { compared: chosen.length, inDoubt: 0 };
    let from = { op: 0, key: 'the first' };
    let before = { op: Number.POSITIVE_INFINITY, key: 'the last' };
    for (let i = 0; i < chosen.length; i += KEYS_PER_CHECK) {
      await Promise.all(
        chosen.slice(i, i + KEYS_PER_CHECK).map(async (item) => {
          if (item.isInDoubt) checked.inDoubt++;
          const { found, seen } = await look(client, item.key);
          const comparison = item.compare(found, seen);
          if (comparison.fault !== undefined) faults.add(comparison.fault);
          if (comparison.from > from.op) from = { op: comparison.from, key: item.key };
          if (comparison.before < before.op) before = { op: comparison.before, key: item.key };
          const verdict = item.tellsFlushed(found, seen);
          if (verdict !== undefined) flushVerdicts.set(verdict, item.key);
          item.settle(found, seen);
          if (found !== undefined) cas.saw(found.cas, `${item.key}@${item.newest.contentOp}`, false);
        }),
      );
    }
    if (from.op >= before.op) {
      faults.add(`operation ${from.op} on ${from.key} took effect, but operation ${before.op} on ${before.key} of the same connection, sent earlier, did not`);
    }
    this.#firstOp = this.#ops + 1;
    return checked;
  }

  async #runLane(client: PipeClient): Promise<void> {
    const { random, counters } = this.#deps;
    const { thinkMs } = this.#profile;
    try {
      while (!this.#isStopping) {
        if (random.chance(0.04)) await counters.count(client, random);
        else await this.#step(client);
        if (thinkMs > 0) await sleep(random.below(2 * thinkMs));
      }
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }

  async #step(client: PipeClient): Promise<void> {
    const { random } = this.#deps;
    let index = random.below(this.items.length);
    while (this.items[index]?.isBusy === true) index = (index + 1) % this.items.length;
    const item = this.items[index]!;
    if (random.chance(this.#profile.reads)) await this.#read(client, item);
    else await this.#execute(client, item, index < this.#firstNumber ? this.#chooseOperation(item) : this.#chooseForNumber(item));
  }

  #chooseOperation(item: KnownItem): Operation {
    const { random } = this.#deps;
    const { newest } = item;
    const { key } = item;
    const content = newest.content ?? [];
    const choice = random.next();
    if (choice < 0.08) return { request: `delete ${key}`, version: (op) => absent(op), applied: 'DELETED', needs: 'present', refused: 'NOT_FOUND' };
    if (choice < 0.18) {
      const exptime = this.#exptime();
      return {
        request: `touch ${key} ${exptime}`,
        version: (op, sent, answered) => ({ ...stored(op, content, newest.flags, exptime, sent, answered), contentOp: newest.contentOp }),
        applied: 'TOUCHED',
        needs: 'present',
        refused: 'NOT_FOUND',
      };
    }
    if (choice < 0.3 && content.length < PIECES_MAX) {
      const isAppend = random.chance(0.7);
      const piece = this.#piece(key, 2000);
      return {
        request: `${isAppend ? 'append' : 'prepend'} ${key} 0 0 ${piece.bytes}`,
        data: bytesOf([piece]),
        version: (op) => ({ ...newest, op, sureOp: op, contentOp: op, content: isAppend ? [...content, piece] : [piece, ...content] }),
        applied: 'STORED',
        needs: 'present',
        refused: 'NOT_STORED',
        stores: true,
      };
    }
    const piece = this.#piece(key);
    const data = bytesOf([piece]);
    const flags = random.below(2 ** 16);
    const exptime = this.#exptime();
    const version: Operation['version'] = (op, sent, answered) => stored(op, [piece], flags, exptime, sent, answered);
    const rest = `${key} ${flags} ${exptime} ${piece.bytes}`;
    const common = { data, version, applied: 'STORED', stores: true } as const;
    if (choice < 0.45 && item.cas !== undefined && item.cas.contentOp === newest.contentOp) {
      return { ...common, request: `cas ${rest} ${item.cas.unique}`, needs: 'present', refused: 'NOT_FOUND' };
    }
    if (choice < 0.52) return { ...common, request: `add ${rest}`, needs: 'absent', refused: 'NOT_STORED' };
    if (choice < 0.6) return { ...common, request: `replace ${rest}`, needs: 'present', refused: 'NOT_STORED' };
    // Not answered itself: the reply to mn, behind it, says that it is done.
    if (choice < 0.7) return { version, request: `set ${rest} noreply\r\n${data.toString('latin1')}\r\nmn`, applied: 'MN', needs: 'nothing', stores: true };
    return { ...common, request: `set ${rest}`, needs: 'nothing' };
  }

  #chooseForNumber(item: KnownItem): Operation {
    const { newest, key } = item;
    const { random } = this.#deps;
    if (newest.content === undefined || random.chance(0.02)) {
      const number = String(random.between(1, 99_990));
      const content = [{ mark: number, bytes: number.length }];
      return {
        request: `set ${key} 0 0 ${number.length}\r\n${number}`,
        version: (op, sent, answered) => stored(op, content, 0, 0, sent, answered),
        applied: 'STORED',
        needs: 'nothing',
        stores: true,
      };
    }
    const delta = random.between(1, 9);
    const number = String(Number(newest.content[0]?.mark) + delta);
    return {
      request: `incr ${key} ${delta}`,
      version: (op) => ({ ...newest, op, sureOp: op, contentOp: op, content: [{ mark: number, bytes: number.length }] }),
      applied: number,
      needs: 'present',
      refused: 'NOT_FOUND',
      stores: true,
    };
  }

  async #execute(client: PipeClient, item: KnownItem, operation: Operation): Promise<void> {
    const { faults } = this.#deps;
    const { version, needs, applied } = operation;
    const op = ++this.#ops;
    const sent = Date.now();
    item.begin(version?.(op, sent, Number.POSITIVE_INFINITY));
    let line: string;
    try {
      ({ line } = await client.ask(operation.request, operation.data));
    } catch (error) {
      // It may have been executed at any time up to now.
      const now = Date.now();
      item.cutOff(version?.(op, sent, now), needs === 'nothing' || item.presence(sent, now) === needs);
      throw error;
    }
    const answered = Date.now();
    const presence = item.presence(sent, answered);
    const isApplied = typeof applied === 'string' ? line === applied : applied.test(line);
    if (isApplied && version !== undefined && (needs === 'nothing' || presence === needs || presence === 'open')) {
      item.acknowledge(version(op, sent, answered));
      this.acknowledged++;
      if (operation.stores === true) this.stores++;
    } else if (line === operation.refused && presence !== needs) {
      item.refuse(needs === 'present');
    } else if (line === 'SERVER_ERROR out of memory storing object' && this.#options.evicts) {
      // A plain set that is refused takes what was there with it, as in memcached.
      item.refuse(operation.request.startsWith('set '));
    } else {
      faults.add(`"${operation.request.slice(0, 40).split('\r\n')[0]}" on an item that is ${presence} is answered with ${line}`);
      item.refuse(false);
    }
  }

  async #read(client: PipeClient, item: KnownItem): Promise<void> {
    const { faults, cas } = this.#deps;
    item.begin(undefined);
    let looked: Looked;
    try {
      looked = await look(client, item.key);
    } catch (error) {
      item.cutOff(undefined, false);
      throw error;
    }
    const { newest } = item;
    const { found, seen } = looked;
    const fault = item.observe(found, seen);
    if (fault !== undefined) faults.add(`while serving, ${fault}`);
    if (found !== undefined) {
      cas.saw(found.cas, `${item.key}@${newest.contentOp}`, newest.contentOp >= this.#firstOp);
      item.cas = { contentOp: newest.contentOp, unique: found.cas };
    }
    item.refuse(found === undefined && newest.content !== undefined);
  }

  #exptime(): number {
    const { random } = this.#deps;
    const choice = random.next();
    return choice < 0.6 ? 0 : choice < 0.8 ? LONG_SECONDS : random.between(1, SHORT_SECONDS);
  }

  /** A value that names its key and operation. */
  #piece(key: string, most = Number.POSITIVE_INFINITY): Piece {
    const { random } = this.#deps;
    const [least, longest] = random.pick(this.#profile.valueBytes);
    const mark = `<${key} ${this.#ops + 1}>`;
    return { mark, bytes: Math.max(mark.length, Math.min(most, random.between(least, longest))) };
  }
}

/** Looks an item up with all that is known of it. */
async function look(client: PipeClient, key: string): Promise<Looked> {
  const sentMs = Date.now();
  const { line, value } = await client.ask(`mg ${key} v f c t`);
  const seen: Seen = { sentMs, answeredMs: Date.now() };
  if (value === undefined) {
    if (line === 'EN') return { found: undefined, seen };
    throw new Error(`not a reply to mg: ${line}`);
  }
  const flag = (letter: string): number => Number(line.split(' ').find((word) => word.startsWith(letter))?.slice(1));
  return { found: { value, flags: flag('f'), cas: flag('c'), ttl: flag('t') }, seen };
}
