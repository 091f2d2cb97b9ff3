import { type Answer, TextClient } from '../../trace/text-client.ts';
import { readTrace, type Trace, type TraceCommand } from '../../trace/trace.ts';
import type { LoadSpec } from './load-spec.ts';
import type { Measurements } from './measurements.ts';
import { NAME_BYTES, ValuePool } from './items.ts';
import { Random } from './random.ts';

/** Exptimes above this are points in time, not spans. */
const REALTIME_MAXDELTA = 2_592_000;
const NO_IDS = new Int32Array(0);
const RIGHT_ANSWERS: readonly string[] = ['STORED', 'NOT_STORED', 'EXISTS', 'NOT_FOUND', 'DELETED', 'TOUCHED'];

/**
 * Plays recorded traffic: each recorded connection is opened, its commands are sent one after the other, and it is
 * closed; `connections` of them at once. A get that misses is followed by what followed in the recording. Every run plays
 * all of it, so that a quick server and a slow one do the same work.
 */
export class TracePlayer {
  readonly #spec: LoadSpec;
  readonly #trace: Trace;
  readonly #visits: readonly (readonly TraceCommand[])[];
  /** Each value is the head of this. */
  readonly #value: Buffer;

  constructor(spec: LoadSpec) {
    this.#spec = spec;
    this.#trace = readTrace(spec.traceFile ?? '');
    const visits = new Map<number, TraceCommand[]>();
    for (const command of this.#trace.commands) {
      if (command.word === 'quit') continue;
      const visit = visits.get(command.connection);
      if (visit === undefined) visits.set(command.connection, [command]);
      else visit.push(command);
    }
    if (visits.size === 0) throw new Error(`${this.#trace.name} has no commands`);
    this.#visits = [...visits.values()];
    const longest = this.#trace.commands.reduce((most, { bytes }) => Math.max(most, bytes), NAME_BYTES);
    this.#value = Buffer.alloc(longest);
    new ValuePool(spec.seed).writeValue(this.#value, 0, longest, 0, new Random(spec.seed));
  }

  /** Has nothing to open: every visit does. */
  async open(): Promise<void> {}

  /** Resolves when all is played. */
  async run(_endsAt: number, measurements: Measurements): Promise<void> {
    const visits = this.#visits.values();
    const playOn = async (): Promise<void> => {
      // All take from one iterator.
      for (const visit of visits) await this.#play(visit, measurements);
    };
    await Promise.all(Array.from({ length: this.#spec.connections }, playOn));
  }

  async #play(visit: readonly TraceCommand[], measurements: Measurements): Promise<void> {
    let startedAt = performance.now();
    const client = new TextClient(this.#spec.port);
    const uniques = new Map<string, string | undefined>();
    try {
      for (const command of visit) {
        const answer = await this.#ask(client, command, uniques);
        const now = performance.now();
        measurements.countAnswered({ kind: 'get', ids: NO_IDS, count: command.keys.length, startedAt }, now);
        startedAt = now;
        this.#note(command, answer, uniques, measurements);
      }
      client.quit();
    } catch (error) {
      client.destroy();
      throw error;
    }
  }

  async #ask(client: TextClient, command: TraceCommand, uniques: ReadonlyMap<string, string | undefined>): Promise<Answer> {
    const { word, keys, flags, bytes } = command;
    const [key = ''] = keys;
    switch (word) {
      case 'get':
      case 'gets':
        return await client.ask(`${word} ${keys.join(' ')}`);
      case 'delete':
        return await client.ask(`delete ${key}`);
      case 'touch':
        return await client.ask(`touch ${key} ${this.#exptime(command)}`);
      default: {
        const unique = word === 'cas' ? ` ${uniques.get(key) ?? '1'}` : '';
        return await client.ask(`${word} ${key} ${flags} ${this.#exptime(command)} ${bytes}${unique}`, this.#value.subarray(0, bytes));
      }
    }
  }

  #note({ word, keys }: TraceCommand, answer: Answer, uniques: Map<string, string | undefined>, { tally }: Measurements): void {
    if (typeof answer !== 'string') {
      tally.hits += answer.size;
      tally.misses += new Set(keys).size - answer.size;
      if (word === 'gets') for (const [key, { cas }] of answer) uniques.set(key, cas);
    } else if (answer === 'STORED') {
      tally.stored += 1;
    } else if (!RIGHT_ANSWERS.includes(answer)) {
      tally.wrong += 1;
      tally.firstWrong ??= `${word} answered ${answer}`;
    }
  }

  /** The exptime to send: points in time are moved to the present. */
  #exptime({ exptime, ms }: TraceCommand): number {
    if (exptime <= REALTIME_MAXDELTA) return exptime;
    return Math.round(Date.now() / 1000 + exptime - this.#trace.epoch - ms / 1000);
  }
}
