import { setTimeout as sleep } from 'node:timers/promises';
import { bytesUnder } from '../../support/bytes-under.ts';
import { type Gets, getsOf, PORTION_SECONDS, type Portion, showGets } from './phases.ts';
import type { Pipe } from './pipe.ts';
import { Progress } from './progress.ts';
import type { Readers } from './readers.ts';

const MIB = 2 ** 20;
/** Without a change for so long a server is at rest: some work begins only when nothing has died for 30 s (src/upkeep/rest-watch.ts). */
const QUIET_SECONDS = 40;
/** How long that is waited for. */
const MOST_SECONDS_TO_REST = 120;

/** A server that is looked at, phase after phase. */
export class Watch {
  readonly #directory: string;
  readonly #readers: Readers;
  readonly #inspector: Pipe;
  readonly #say: (text: string) => void;
  readonly #full: number;
  readonly #beganMs = performance.now();
  #leastShare = Number.POSITIVE_INFINITY;
  #portions: Portion[] = [];
  #phaseBeganMs = performance.now();
  #itemsAtFirst: number;
  /** As of the last look. */
  #progress: Progress;

  private constructor(directory: string, readers: Readers, inspector: Pipe, progress: Progress, say: (text: string) => void) {
    this.#directory = directory;
    this.#readers = readers;
    this.#inspector = inspector;
    this.#say = say;
    this.#full = bytesUnder(directory);
    this.#progress = progress;
    this.#itemsAtFirst = progress.items;
  }

  /** Begins with a directory that is full. */
  static async begin(directory: string, readers: Readers, inspector: Pipe, say: (text: string) => void): Promise<Watch> {
    return new Watch(directory, readers, inspector, await Progress.ask(inspector), say);
  }

  /** The least share of its former size that the directory was seen to have. */
  get leastShare(): number {
    return this.#leastShare;
  }

  /** Leaves out what was read up to now, and begins a phase. */
  async beginPhase(): Promise<void> {
    await this.#readers.report();
    this.#progress = await Progress.ask(this.#inspector);
    this.#startPhase();
  }

  #startPhase(): void {
    this.#portions = [];
    this.#phaseBeganMs = performance.now();
    this.#itemsAtFirst = this.#progress.items;
  }

  /** Waits for a portion, and tells about it. */
  async portion(seconds: number = PORTION_SECONDS): Promise<void> {
    await sleep(seconds * 1000);
    const bytes = bytesUnder(this.#directory);
    const portion = await this.#readers.report();
    this.#portions.push(portion);
    this.#progress = await Progress.ask(this.#inspector);
    const share = bytes / this.#full;
    this.#leastShare = Math.min(this.#leastShare, share);
    this.#say(`${this.#seconds()}  ${(100 * share).toFixed(1).padStart(5)} % (${(bytes / MIB).toFixed(0)} MiB)  ${showGets(getsOf([portion]))}`);
    this.#say(`        ${this.#progress.toString()}`);
  }

  /** Tells what the phase came to. The next one begins. */
  endPhase(name: string): Gets {
    const gets = getsOf(this.#portions);
    const took = (performance.now() - this.#phaseBeganMs) / 1000;
    const went = this.#itemsAtFirst - this.#progress.items;
    this.#say(`${this.#seconds()}  end of ${name}: ${took.toFixed(0)} s, in which ${went} items went, ${(went / took).toFixed(0)} a second`);
    this.#say(`        ${showGets(gets)}`);
    this.#startPhase();
    return gets;
  }

  /** A phase of so many seconds, in portions that are all as long. */
  async phase(name: string, seconds: number): Promise<Gets> {
    await this.beginPhase();
    const portions = Math.max(1, Math.round(seconds / PORTION_SECONDS));
    for (let i = 0; i < portions; i++) await this.portion(seconds / portions);
    return this.endPhase(name);
  }

  /** Waits until the server is at rest. False when that took too long. */
  async rest(): Promise<boolean> {
    const endsAt = performance.now() + MOST_SECONDS_TO_REST * 1000;
    let since = { ms: performance.now(), progress: this.#progress };
    while (performance.now() < endsAt) {
      await this.portion();
      if (!this.#progress.isStillAt(since.progress)) since = { ms: performance.now(), progress: this.#progress };
      else if (performance.now() - since.ms >= QUIET_SECONDS * 1000) return true;
    }
    return false;
  }

  #seconds(): string {
    return `${((performance.now() - this.#beganMs) / 1000).toFixed(0).padStart(4)} s`;
  }
}

