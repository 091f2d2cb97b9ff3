import { totalmem } from 'node:os';
import { NOT_HERE } from './control.ts';
import { type Answer, CLOSE, WATCH } from './dialect.ts';
import type { Session } from './session.ts';

const OK = 'OK\r\n';
const ERROR = 'ERROR\r\n';
const BAD_LINE = 'CLIENT_ERROR bad command line format\r\n';

/** MB; memcached takes larger numbers for a mistake in the unit. */
const MEMLIMIT_MIN = 8;
const MEMLIMIT_MAX = 1_000_000_000;
/** MB; what the option --memory allows. */
const MEMORY_MAX = 1_048_576;
const CRAWLER_SLEEP_MAX = 1_000_000;
const SLAB_CLASS_MAX = 63;
/** Items are not sorted into classes: all are in this one. */
const THE_CLASS = 1;

/** What administration works on. */
export interface AdminDeps {
  /** shutdown is allowed. */
  readonly shutdown: boolean;
  /** metadump and mgdump are allowed. */
  readonly dumping: boolean;
  /** watch is allowed. */
  readonly watching: boolean;
  /** True for a connection that may change what concerns all others. */
  mayControl(session: Session): boolean;
  /** Asks for an orderly end of the server. */
  stop(why: string): void;
  /** Logs more or less. */
  setVerbosity(level: number): void;
  /** Gives the RAM tier and what belongs to it another size. */
  setMemory(megabytes: number): void;
  /** Reads the TLS files again; undefined = done, otherwise what is wrong. */
  refreshCertificates(): Promise<string | undefined>;
  /** Starts a sweep of the TTL index; false = one is running. */
  startSweep(): boolean;
  metadump(): AsyncIterable<Buffer>;
  mgdump(): AsyncIterable<Buffer>;
  /** Makes a connection a watcher, or says why not. */
  watch(words: readonly string[], session: Session): 'ok' | 'too_many' | 'unknown_word';
}

/** What `lru_crawler` was told; shown in `stats settings`. */
export interface CrawlerSettings {
  readonly enabled: boolean;
  /** Microseconds. */
  readonly sleep: number;
  readonly toCrawl: number;
}

/**
 * The commands by which memcached is administered (protocol.txt; docs/protocol.md says what each means here).
 * Those about slabs and LRU queues, which do not exist here, are checked and accepted without effect, so that
 * scripts which tune memcached go on working. The crawler is the sweep of the TTL index.
 */
export class Admin {
  readonly #deps: AdminDeps;
  #enabled = false;
  #disabled = false;
  #sleep = 100;
  #toCrawl = 0;

  constructor(deps: AdminDeps) {
    this.#deps = deps;
  }

  get crawler(): CrawlerSettings {
    return { enabled: this.#enabled, sleep: this.#sleep, toCrawl: this.#toCrawl };
  }

  /** Answers a command; `words` begins with which. */
  answer(words: readonly string[], session: Session): Answer {
    const [command, ...rest] = words;
    switch (command) {
      case 'shutdown':
        return this.#shutdown(rest, session);
      case 'cache_memlimit':
        return this.#memlimit(rest, session);
      case 'refresh_certs':
        return this.#refreshCerts(session);
      case 'slabs':
        return slabs(rest);
      case 'lru':
        return lru(rest);
      case 'lru_crawler':
        return this.#crawlerCommand(rest, session);
      case 'watch':
        return this.#watch(rest, session);
      default:
        return ERROR;
    }
  }

  /** Answers verbosity: at its highest level the log has all keys, and can fill a disk. */
  setVerbosity(level: number, session: Session): string {
    if (!this.#deps.mayControl(session)) return NOT_HERE;
    this.#deps.setVerbosity(level);
    return OK;
  }

  #shutdown([mode]: string[], session: Session): Answer {
    if (!this.#deps.shutdown) return 'SERVER_ERROR: shutdown not enabled\r\n';
    if (mode !== undefined && mode !== 'graceful') return 'CLIENT_ERROR invalid shutdown mode\r\n';
    if (!this.#deps.mayControl(session)) return NOT_HERE;
    this.#deps.stop(`shutdown command from ${session.peer}`);
    return CLOSE;
  }

  #memlimit([megabytes]: string[], session: Session): string {
    const limit = wholeNumber(megabytes);
    if (limit === undefined) return ERROR;
    if (limit < MEMLIMIT_MIN) return `MEMLIMIT_TOO_SMALL cannot set maxbytes to less than ${MEMLIMIT_MIN}m\r\n`;
    if (limit > MEMLIMIT_MAX) return 'MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n';
    if (limit > Math.min(MEMORY_MAX, totalmem() / 2 ** 20)) return 'MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n';
    if (!this.#deps.mayControl(session)) return NOT_HERE;
    try {
      this.#deps.setMemory(limit);
    } catch (error) {
      // More than the machine has.
      if (error instanceof RangeError) return 'MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n';
      throw error;
    }
    return OK;
  }

  async #refreshCerts(session: Session): Promise<string> {
    if (!this.#deps.mayControl(session)) return NOT_HERE;
    const problem = await this.#deps.refreshCertificates();
    return problem === undefined ? OK : `${problem}\r\n`;
  }

  #crawlerCommand([verb, ...rest]: string[], session: Session): Answer {
    const [value] = rest;
    if (verb === undefined || (rest.length === 0 && verb !== 'enable' && verb !== 'disable')) return ERROR;
    switch (verb) {
      case 'enable':
        if (this.#enabled) return 'ERROR failed to start lru crawler thread\r\n';
        this.#enabled = true;
        this.#disabled = false;
        return OK;
      case 'disable':
        this.#enabled = false;
        this.#disabled = true;
        return OK;
      case 'sleep': {
        const microseconds = wholeNumber(value);
        if (microseconds === undefined) return BAD_LINE;
        if (microseconds > CRAWLER_SLEEP_MAX) return 'CLIENT_ERROR sleep must be one second or less\r\n';
        this.#sleep = microseconds;
        return OK;
      }
      case 'tocrawl': {
        const count = wholeNumber(value);
        if (count === undefined) return BAD_LINE;
        this.#toCrawl = count;
        return OK;
      }
      case 'crawl':
        return this.#crawl(value, session);
      case 'metadump':
      case 'mgdump':
        return this.#dump(verb, value, session);
      default:
        return ERROR;
    }
  }

  #crawl(classes: string | undefined, session: Session): string {
    if (!this.#deps.mayControl(session)) return NOT_HERE;
    const selected = this.#classes(classes, false);
    if (typeof selected === 'string') return selected;
    if (!selected.has(THE_CLASS)) return 'NOTSTARTED no items to crawl\r\n';
    return this.#deps.startSweep() ? OK : 'BUSY currently processing crawler request\r\n';
  }

  #dump(verb: 'metadump' | 'mgdump', classes: string | undefined, session: Session): Answer {
    if (!this.#deps.dumping) return verb === 'metadump' ? 'ERROR metadump not allowed\r\n' : 'ERROR key dump not allowed\r\n';
    // A datagram with a forged sender would have the whole listing sent to somebody else.
    if (session.transport === 'udp') return ERROR;
    if (session.isPipelined) return `ERROR cannot pipeline other commands before ${verb}\r\n`;
    const selected = this.#classes(classes, true);
    if (typeof selected === 'string') return selected;
    if (!selected.has(THE_CLASS)) return verb === 'metadump' ? 'OK\r\nEND\r\n' : 'OK\r\nEN\r\n';
    return verb === 'metadump' ? this.#deps.metadump() : this.#deps.mgdump();
  }

  /** The slab classes that a list names, or what is wrong with it. */
  #classes(list: string | undefined, hashAllowed: boolean): ReadonlySet<number> | string {
    if (this.#disabled) return 'CLIENT_ERROR lru crawler disabled\r\n';
    if (list === 'all' || (hashAllowed && list === 'hash')) return new Set([THE_CLASS]);
    const classes = new Set<number>();
    for (const word of (list ?? '').split(',')) {
      const number = wholeNumber(word);
      if (number === undefined || number < 1 || number > SLAB_CLASS_MAX) return 'BADCLASS invalid class id\r\n';
      classes.add(number);
    }
    return classes;
  }

  #watch(words: readonly string[], session: Session): Answer {
    if (!this.#deps.watching) return 'CLIENT_ERROR watch commands not allowed\r\n';
    if (session.isPipelined) return 'ERROR cannot pipeline other commands before watch\r\n';
    switch (this.#deps.watch(words, session)) {
      case 'unknown_word':
        return ERROR;
      case 'too_many':
        return 'WATCHER_TOO_MANY log watcher limit reached\r\n';
      case 'ok':
        return WATCH;
    }
  }
}

function slabs([verb, ...rest]: string[]): string {
  if (verb === 'reassign' && rest.length >= 2) {
    return rest.slice(0, 2).every((word) => /^-?\d+$/.test(word)) ? 'CLIENT_ERROR slab reassignment disabled\r\n' : BAD_LINE;
  }
  if (verb !== 'automove' || rest[0] === undefined) return ERROR;
  const [mode, value] = rest;
  if (mode === 'ratio' || mode === 'freeratio') return isRatio(value) ? OK : ERROR;
  if (mode === 'window') {
    const window = wholeNumber(value);
    if (window === undefined) return ERROR;
    return window < 3 || window > 1800 ? 'CLIENT_ERROR automove window too low or too high\r\n' : OK;
  }
  const level = wholeNumber(mode);
  if (level === undefined) return BAD_LINE;
  return level <= 2 ? OK : ERROR;
}

function lru([verb, ...rest]: string[]): string {
  switch (verb) {
    case 'tune': {
      const [hot, warm] = rest.slice(0, 2).map(wholeNumber);
      const factors = rest.slice(2, 4).map(Number);
      if (hot === undefined || warm === undefined || factors.length < 2 || factors.some(Number.isNaN)) return ERROR;
      if (hot + warm > 80) return 'ERROR hot and warm pcts must not exceed 80\r\n';
      return factors.some((factor) => factor <= 0) ? 'ERROR hot/warm age factors must be greater than 0\r\n' : OK;
    }
    case 'mode':
      return rest[0] === 'flat' || rest[0] === 'segmented' ? OK : ERROR;
    case 'temp_ttl':
      return rest[0] !== undefined && /^-?\d{1,10}$/.test(rest[0]) ? OK : ERROR;
    default:
      return ERROR;
  }
}

function isRatio(word: string | undefined): boolean {
  const ratio = Number(word);
  return word !== undefined && word !== '' && ratio >= 0.01 && ratio <= 1;
}

/** A number of 32 bits without a sign. */
function wholeNumber(word: string | undefined): number | undefined {
  if (word === undefined || !/^\d{1,10}$/.test(word)) return undefined;
  const number = Number(word);
  return number <= 0xffff_ffff ? number : undefined;
}
