import type { CasMemory } from './cas-memory.ts';
import type { Step } from './sequence.ts';

/** Cuts what a server sends at the replies to the markers, so that each step of a visit has its replies. */
export interface ReplyReader {
  /** Finished steps: their replies, as Latin-1 text. */
  readonly steps: readonly string[];
  /** Replies behind the last marker, the incomplete ones included. */
  readonly unfinished: string;
  add(chunk: Buffer): void;
}

/** Gathers the replies to the steps of a visit in order; a subclass finds where one ends. */
export abstract class StepReplies implements ReplyReader {
  readonly steps: string[] = [];
  readonly #memory: CasMemory;
  readonly #plan: readonly Step[];
  #current: string[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(memory: CasMemory, plan: readonly Step[]) {
    this.#memory = memory;
    this.#plan = plan;
  }

  get unfinished(): string {
    return this.#current.join('') + this.#rest.toString('latin1');
  }

  /** The step whose replies are coming in. */
  get step(): Step | undefined {
    return this.#plan[this.steps.length];
  }

  add(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (let end = this.take(bytes, 0); end > at; end = this.take(bytes, at)) at = end;
    this.#rest = Buffer.from(bytes.subarray(at));
  }

  /** Takes one reply that starts at `at`, if it is complete, and returns its end; `at` if not. */
  protected abstract take(bytes: Buffer, at: number): number;

  /** What stands for a cas unique. Where replies are meant to differ it is not remembered: only one server shows it. */
  protected shownCas(key: string | undefined, cas: string): string {
    return cas === '0' || this.step?.difference === undefined ? this.#memory.show(key, cas) : '#';
  }

  protected reply(text: string): void {
    this.#current.push(text);
  }

  protected marker(text: string): void {
    const isOwn = this.step?.repliesLikeMarker === true && !this.#current.includes(text);
    if (isOwn) {
      this.#current.push(text);
      return;
    }
    this.steps.push(this.#current.join(''));
    this.#current = [];
  }
}
