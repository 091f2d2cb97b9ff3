import { type ExpectedItem, ExpectedItems, expectedExpiry, valueOf } from './expected-items.ts';
import { type Answer, ConnectionLost, TextClient } from './text-client.ts';
import type { Trace, TraceCommand } from './trace.ts';

const REALTIME_MAXDELTA = 2_592_000;
/** Commands under way at once: as many as a handful of busy web workers have. */
const CONCURRENCY = 16;
/** Keys per get when everything is compared. */
const KEYS_PER_CHECK = 50;

/** The server that a trace is replayed to. */
export interface ReplayTarget {
  readonly port: number;
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface HitRate {
  readonly gets: number;
  readonly hits: number;
  /** Hits of the same commands when they were recorded. */
  readonly recordedHits: number;
}

export interface ReplayReport {
  readonly trace: string;
  readonly commands: number;
  readonly seconds: number;
  readonly commandsPerSecond: number;
  /** Of the commands up to the kill, as many as `after` has. */
  readonly before: HitRate;
  /** Of the commands from the restart on. */
  readonly after: HitRate;
  readonly restartMs: number;
  /** Keys whose mutation was under way when the server was killed. */
  readonly inDoubt: number;
  /** Items that were acknowledged and compared right after the restart, and at the end. */
  readonly comparedAfterRestart: number;
  readonly comparedAtEnd: number;
  /** Everything that was not as it must be. */
  readonly errors: readonly string[];
}

/**
 * Replays a trace as fast as the server answers, and kills it with SIGKILL half way, with commands under way. Commands
 * of a connection keep their order, and so do those of a key, or it could not be told what must be there; otherwise
 * the order is that of the trace within what is under way at once.
 *
 * Relative exptimes are sent as they are. Absolute ones keep their distance to the time of their command.
 */
export async function replay(trace: Trace, target: ReplayTarget, windowCommands: number): Promise<ReplayReport> {
  return await new Replay(trace, target).run(windowCommands);
}

/** Replays a trace in the same way to a server that stays up. Returns all that was not as it must be. */
export async function replayWhole(trace: Trace, target: ReplayTarget): Promise<readonly string[]> {
  return await new Replay(trace, target).runWhole();
}

/** Percentage for people. */
export function percent({ hits, gets }: Pick<HitRate, 'hits' | 'gets'>): string {
  return `${((100 * hits) / Math.max(1, gets)).toFixed(2)} %`;
}

interface KeyOrder {
  lastWrite: Promise<void>;
  readonly reads: Promise<void>[];
}

class Replay {
  readonly #trace: Trace;
  readonly #target: ReplayTarget;
  readonly #expected = new ExpectedItems();
  readonly #clients = new Map<number, TextClient>();
  readonly #connectionTails = new Map<number, Promise<void>>();
  readonly #keyOrders = new Map<string, KeyOrder>();
  readonly #underWay = new Set<Promise<void>>();
  /** What gets has shown to a connection: the cas unique and the version it stands for. */
  readonly #shownCas = new Map<string, { readonly cas: string; readonly item: ExpectedItem | undefined }>();
  readonly #errors: string[] = [];
  readonly #hits: Int32Array;
  #isKilled = false;
  #inDoubt = 0;

  constructor(trace: Trace, target: ReplayTarget) {
    this.#trace = trace;
    this.#target = target;
    this.#hits = new Int32Array(trace.commands.length);
  }

  async run(windowCommands: number): Promise<ReplayReport> {
    const { commands } = this.#trace;
    const killAt = Math.floor(commands.length / 2);
    const window = Math.min(windowCommands, Math.floor(killAt / 2));
    const began = performance.now();
    await this.#play(0, killAt);
    this.#isKilled = true;
    const killed = performance.now();
    await this.#target.kill();
    await this.#settle();
    for (const client of this.#clients.values()) client.destroy();
    this.#clients.clear();
    await this.#target.start();
    this.#isKilled = false;
    const restarted = performance.now();
    const comparedAfterRestart = await this.#compareAll('after the restart');
    const compared = performance.now();
    await this.#play(killAt, commands.length);
    await this.#settle();
    const seconds = (killed - began + performance.now() - compared) / 1000;
    const comparedAtEnd = await this.#compareAll('at the end');
    for (const client of this.#clients.values()) client.destroy();
    return {
      trace: this.#trace.name,
      commands: commands.length,
      seconds,
      commandsPerSecond: Math.round(commands.length / seconds),
      before: this.#rate(killAt - window, killAt),
      after: this.#rate(killAt, killAt + window),
      restartMs: Math.round(restarted - killed),
      inDoubt: this.#inDoubt,
      comparedAfterRestart,
      comparedAtEnd,
      errors: this.#errors,
    };
  }

  async runWhole(): Promise<readonly string[]> {
    await this.#play(0, this.#trace.commands.length);
    await this.#settle();
    await this.#compareAll('at the end');
    for (const client of this.#clients.values()) client.destroy();
    return this.#errors;
  }

  /** Starts the commands of a range; the last ones are still under way when it returns. */
  async #play(from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) {
      const command = this.#trace.commands[i];
      if (command === undefined) continue;
      while (this.#underWay.size >= CONCURRENCY) await Promise.race(this.#underWay);
      const done = this.#inOrder(command, i);
      this.#underWay.add(done);
      void done.then(() => this.#underWay.delete(done));
    }
  }

  async #settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Executes a command after those that it must not overtake. */
  #inOrder(command: TraceCommand, index: number): Promise<void> {
    const isRead = command.word === 'get' || command.word === 'gets';
    const before = [this.#connectionTails.get(command.connection) ?? Promise.resolve()];
    for (const key of command.keys) {
      const order = this.#keyOrders.get(key);
      if (order !== undefined) before.push(order.lastWrite, ...(isRead ? [] : order.reads));
    }
    const done = Promise.all(before).then(async () => await this.#execute(command, index));
    this.#connectionTails.set(command.connection, done);
    for (const key of command.keys) {
      const order = this.#keyOrders.get(key);
      if (!isRead || order === undefined) this.#keyOrders.set(key, { lastWrite: isRead ? Promise.resolve() : done, reads: isRead ? [done] : [] });
      else order.reads.push(done);
    }
    return done;
  }

  async #execute(command: TraceCommand, index: number): Promise<void> {
    try {
      if (command.word === 'quit') {
        this.#clients.get(command.connection)?.quit();
        this.#clients.delete(command.connection);
        return;
      }
      let client = this.#clients.get(command.connection);
      if (client === undefined) {
        client = new TextClient(this.#target.port);
        this.#clients.set(command.connection, client);
      }
      if (command.word === 'get' || command.word === 'gets') await this.#retrieve(client, command, index);
      else await this.#mutate(client, command);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      // What the kill cut off is not repeated: a client gives up as well.
      if (!this.#isKilled) this.#errors.push(`command ${index}, ${command.word}: ${error.message}`);
    }
  }

  async #retrieve(client: TextClient, command: TraceCommand, index: number): Promise<void> {
    const sent = Date.now();
    const answer = await client.ask(`${command.word} ${command.keys.join(' ')}`);
    this.#hits[index] = this.#observe(command.keys, answer, sent, `command ${index}, ${command.word}`);
    if (command.word === 'get' || typeof answer === 'string') return;
    for (const key of command.keys) {
      const shown = answer.get(key);
      if (shown?.cas === undefined) this.#shownCas.delete(`${command.connection} ${key}`);
      else this.#shownCas.set(`${command.connection} ${key}`, { cas: shown.cas, item: this.#expected.itemOf(key) });
    }
  }

  /** Compares what was shown with what must be there. Returns the number of hits. */
  #observe(keys: readonly string[], answer: Answer, sent: number, what: string): number {
    if (typeof answer === 'string') {
      this.#errors.push(`${what}: ${answer}`);
      return 0;
    }
    const now = Date.now();
    let hits = 0;
    for (const key of keys) {
      const shown = answer.get(key);
      if (shown !== undefined) hits++;
      const fault = this.#expected.observe(key, shown, sent, now);
      if (fault !== undefined) this.#errors.push(`${what}: ${key} is ${fault}`);
    }
    return hits;
  }

  async #mutate(client: TextClient, command: TraceCommand): Promise<void> {
    const [key = ''] = command.keys;
    const { word, bytes, flags } = command;
    const exptime = this.#rebase(command);
    const version = this.#expected.nextVersion();
    const sent = Date.now();
    const old = this.#expected.itemOf(key);
    const stored = (answered: number): ExpectedItem => ({ version, bytes, flags, ...expectedExpiry(exptime, sent, answered) });
    const shown = this.#shownCas.get(`${command.connection} ${key}`);
    let answer: Answer;
    try {
      switch (word) {
        case 'delete':
          answer = await client.ask(`delete ${key}`);
          break;
        case 'touch':
          answer = await client.ask(`touch ${key} ${exptime}`);
          break;
        default: {
          const line = `${word} ${key} ${flags} ${exptime} ${bytes}${word === 'cas' ? ` ${shown?.cas ?? '1'}` : ''}`;
          answer = await client.ask(line, valueOf(key, version, bytes));
        }
      }
    } catch (error) {
      this.#inDoubt++;
      // Later by any time: it may have been executed up to the kill.
      const late = stored(Date.now());
      if (word === 'delete') this.#expected.doubt(key, undefined);
      else if (word !== 'touch') this.#expected.doubt(key, late);
      else if (old !== undefined) this.#expected.doubt(key, { ...old, aliveUntil: late.aliveUntil, deadFrom: late.deadFrom });
      throw error;
    }
    const answered = Date.now();
    const presence = this.#expected.presence(key, sent, answered);
    const fits = (whenPresent: string, whenAbsent: string): boolean =>
      (answer === whenPresent && presence !== 'absent') || (answer === whenAbsent && presence !== 'present');
    let isRight: boolean;
    switch (word) {
      case 'set':
        isRight = answer === 'STORED';
        break;
      case 'add':
        isRight = fits('NOT_STORED', 'STORED');
        break;
      case 'cas':
        isRight = fits(shown !== undefined && shown.item?.version === old?.version ? 'STORED' : 'EXISTS', 'NOT_FOUND');
        break;
      case 'delete':
        isRight = fits('DELETED', 'NOT_FOUND');
        break;
      default:
        isRight = fits('TOUCHED', 'NOT_FOUND');
    }
    if (!isRight) this.#errors.push(`${word} ${key} (${presence}): ${typeof answer === 'string' ? answer : 'values'}`);
    if (answer === 'STORED') this.#expected.set(key, stored(answered));
    else if (answer === 'DELETED' || answer === 'NOT_FOUND') this.#expected.set(key, undefined);
    else if (answer === 'TOUCHED' && old !== undefined) this.#expected.set(key, { ...old, ...expectedExpiry(exptime, sent, answered) });
  }

  /** The exptime to send: absolute ones are moved to the present. */
  #rebase({ exptime, ms }: TraceCommand): number {
    if (exptime <= REALTIME_MAXDELTA) return exptime;
    return Math.round(Date.now() / 1000 + exptime - this.#trace.epoch - ms / 1000);
  }

  /** Gets every key that ever was, and compares. Returns the number of items found. */
  async #compareAll(when: string): Promise<number> {
    const client = new TextClient(this.#target.port);
    const { keys } = this.#expected;
    let found = 0;
    for (let i = 0; i < keys.length; i += KEYS_PER_CHECK) {
      const some = keys.slice(i, i + KEYS_PER_CHECK);
      const sent = Date.now();
      found += this.#observe(some, await client.ask(`get ${some.join(' ')}`), sent, when);
    }
    client.destroy();
    return found;
  }

  #rate(from: number, to: number): HitRate {
    let gets = 0;
    let hits = 0;
    let recordedHits = 0;
    for (let i = from; i < to; i++) {
      const command = this.#trace.commands[i];
      if (command?.word !== 'get' && command?.word !== 'gets') continue;
      gets += command.keys.length;
      hits += this.#hits[i] ?? 0;
      recordedHits += command.hits;
    }
    return { gets, hits, recordedHits };
  }
}
