import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Workspace } from '../support/process.ts';
import { RawClient, type Where } from './raw-client.ts';
import { type Case, type Piece, readTranscript, type Step } from './transcript.ts';

/**
 * How the cases are sent:
 * - `one chunk`: as much as possible in one write
 * - `byte by byte`: one write per byte, except in the middle of long values
 * - `from disk`: step by step, and before each step everything is pushed out of memory
 */
export type Way = 'one chunk' | 'byte by byte' | 'from disk';

const DIRECTORY = import.meta.dirname;

/** Sent in single bytes at both ends of a longer text; the middle goes in pieces. */
const SINGLE_BYTES = 1200;
const PIECE_BYTES = 1013;

/** What begins so leaves something in memory. */
const STORES = /^(set|add|cas|ms|ma|mg) /;

/** Bytes of items that push all others out of a memory of 1 MB, and of one of them: small enough for `-I 2k`. */
const FILLING_BYTES = 1.25 * 2 ** 20;
const FILLER_BYTES = 4000;
const SMALL_FILLER_BYTES = 1500;
/** Missing keys of full length that no one has asked for before: these push out what is new in memory. */
const FRESH_KEYS = 600;

/** Declares the tests of all transcripts. */
export function runTranscripts(way: Way): void {
  const files = readdirSync(DIRECTORY).filter((name) => name.endsWith('.txt'));
  for (const file of files) {
    const { serve, cases } = readTranscript(join(DIRECTORY, file), file);
    describe(file, () => {
      let workspace: Workspace;
      let runner: Runner;
      beforeAll(async () => {
        workspace = new Workspace();
        const server = await workspace.serve({ args: [...(way === 'from disk' ? ['-m', '1'] : []), ...serve] });
        runner = await Runner.connect(server.port, way, serve.includes('-I') ? SMALL_FILLER_BYTES : FILLER_BYTES);
      });
      afterAll(async () => {
        runner?.close();
        await workspace.close();
      });
      for (const each of cases) it(each.name, async () => await runner.run(each, file));
      if (way === 'from disk') it('really reads from disk', async () => expect(await runner.rowsReadByGet()).toBeGreaterThan(0));
    });
  }
}

/** Declares the tests of all transcripts that another server can be asked. */
export function runTranscriptsAgainst(where: Where): void {
  for (const file of readdirSync(DIRECTORY).filter((name) => name.endsWith('.txt'))) {
    const { serve, cases } = readTranscript(join(DIRECTORY, file), file);
    if (serve.length > 0) continue;
    describe(file, () => {
      for (const each of cases.filter(({ own }) => !own)) {
        it(each.name, async () => {
          const runner = await Runner.connect(where, 'one chunk', FILLER_BYTES);
          try {
            await runner.run(each, file);
          } finally {
            runner.close();
          }
        });
      }
    });
  }
}

class Runner {
  readonly #where: Where;
  readonly #way: Way;
  /** For everything besides the case. */
  readonly #control: RawClient;
  readonly #fillerBytes: number;
  #evictions = 0;
  /** What this runner itself added to the counters during a case. */
  #ours = new Map<string, number>();

  private constructor(where: Where, way: Way, fillerBytes: number, control: RawClient) {
    this.#where = where;
    this.#way = way;
    this.#fillerBytes = fillerBytes;
    this.#control = control;
  }

  static async connect(where: Where, way: Way, fillerBytes: number): Promise<Runner> {
    return new Runner(where, way, fillerBytes, await RawClient.connect(where));
  }

  close(): void {
    this.#control.close();
  }

  async run({ name, steps, deltas }: Case, file: string): Promise<void> {
    await this.#clean(steps);
    this.#ours = new Map([...deltas.keys()].map((counter) => [counter, 0]));
    const before = await this.#counters();
    const client = await RawClient.connect(this.#where);
    const numbers = new Map<string, string>();
    let hasStored = false;
    const say = (step: Step): string => `${file}:${step.line} (${name})`;
    try {
      for (const { sends, expects } of this.#rounds(steps)) {
        if (this.#way === 'from disk' && hasStored) await this.#evict();
        hasStored ||= sends.some(({ pieces }) => pieces.some((piece) => piece.kind === 'bytes' && STORES.test(piece.bytes.toString('latin1', 0, 16))));
        await this.#send(client, Buffer.concat(sends.map((step) => Buffer.concat(step.pieces.map((piece) => bytesOf(piece, numbers))))));
        for (const step of expects) await expectStep(client, step, numbers, say(step));
      }
      if (steps.at(-1)?.kind === 'closed') expect(client.received.toString('latin1')).toBe('');
      else expect(await client.ask('mn'), `end of ${name}`).toBe('MN');
      expect(new Set(numbers.values()).size, 'different numbers').toBe(numbers.size);
    } finally {
      client.close();
    }
    if (deltas.size === 0) return;
    const after = await this.#counters();
    const expected = new Map(deltas);
    const changes = [...after].map(([counter, value]): [string, number] => [counter, value - (before.get(counter) ?? 0) - (this.#ours.get(counter) ?? 0)]);
    // While all was pushed out of memory the server may have deleted what was flushed: then it is a miss like others.
    const flushed = changes.find(([counter]) => counter === 'get_flushed');
    if (this.#way === 'from disk' && flushed?.[1] === 0) expected.set('get_flushed', 0);
    expect(Object.fromEntries(changes)).toEqual(Object.fromEntries(expected));
  }

  /** The counters that the case looks at. */
  async #counters(): Promise<Map<string, number>> {
    if (this.#ours.size === 0) return new Map();
    const stats = await this.#control.stats();
    return new Map([...this.#ours.keys()].map((counter) => [counter, Number(stats.get(counter))]));
  }

  /** Steps in rounds: send, then expect. A number must be known before it can be sent. */
  #rounds(steps: readonly Step[]): { sends: (Step & { kind: 'send' })[]; expects: Step[] }[] {
    const rounds: { sends: (Step & { kind: 'send' })[]; expects: Step[] }[] = [];
    for (const step of steps) {
      const current = rounds.at(-1);
      if (step.kind !== 'send') current?.expects.push(step);
      else if (current === undefined || (current.expects.length > 0 && this.#mustWait(step, current.expects))) {
        rounds.push({ sends: [step], expects: [] });
      } else current.sends.push(step);
    }
    return rounds;
  }

  #mustWait(step: Step & { kind: 'send' }, expects: readonly Step[]): boolean {
    if (this.#way === 'from disk') return true;
    const awaited = expects.flatMap((each) => (each.kind === 'expect' ? each.pieces : []));
    return step.pieces.some((piece) => piece.kind === 'number' && awaited.some((each) => each.kind === 'number' && each.name === piece.name));
  }

  /** LevelDB rows that are read by a get of some keys after these were pushed out of memory. */
  async rowsReadByGet(): Promise<number> {
    const keys = Array.from({ length: 16 }, (_, i) => `evicted-${i}`);
    for (const key of keys) await this.#control.set(key, 'x');
    await this.#evict();
    const before = await this.#control.stat('rows_read', 'storage');
    await this.#control.getMany(...keys);
    return (await this.#control.stat('rows_read', 'storage')) - before;
  }

  async #send(client: RawClient, bytes: Buffer): Promise<void> {
    if (this.#way !== 'byte by byte') {
      client.send(bytes);
      return;
    }
    for (let at = 0; at < bytes.length && !client.isOver; ) {
      const isEdge = at < SINGLE_BYTES || at >= bytes.length - SINGLE_BYTES;
      const end = isEdge ? at + 1 : Math.min(at + PIECE_BYTES, bytes.length - SINGLE_BYTES);
      client.send(bytes.subarray(at, end));
      at = end;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #clean(steps: readonly Step[]): Promise<void> {
    const texts = steps.flatMap((step) => (step.kind === 'send' ? step.pieces.map((piece) => (piece.kind === 'bytes' ? piece.bytes.toString('latin1') : '')) : []));
    const words = new Set(texts.flatMap((text) => text.slice(0, 4096).split(/[ \r\n]+/)).filter((word) => word.length > 0 && word.length <= 250 && !/^(noreply|HTTP\/.*)$/.test(word)));
    const commands = [...words].map((word) => `delete ${word}\r\n`);
    const flushes = texts.some((text) => text.startsWith('flush_all'));
    this.#control.send(`${commands.join('')}${flushes ? 'flush_all\r\n' : ''}mn\r\n`);
    while ((await this.#control.line()) !== 'MN');
  }

  /** Reads so much else that nothing of the case is left in memory. */
  async #evict(): Promise<void> {
    const before = await this.#counters();
    // What LevelDB does not have yet is in memory too.
    expect(await this.#control.ask('sync')).toBe('OK');
    const fresh = Array.from({ length: FRESH_KEYS }, (_, i) => `fresh-${this.#evictions}-${i}-`.padEnd(250, 'x'));
    this.#evictions++;
    await this.#control.getMany(...fresh);
    const keys = Array.from({ length: Math.floor(FILLING_BYTES / this.#fillerBytes) }, (_, i) => `filler-${i}`);
    let found = await this.#control.getMany(...keys);
    if (found.length < keys.length) {
      const value = 'f'.repeat(this.#fillerBytes);
      this.#control.send(keys.map((key) => `set ${key} 0 0 ${value.length}\r\n${value}\r\n`).join(''));
      for (let i = 0; i < keys.length; i++) await this.#control.line();
      found = await this.#control.getMany(...keys);
    }
    for (const [counter, value] of await this.#counters()) {
      this.#ours.set(counter, (this.#ours.get(counter) ?? 0) + value - (before.get(counter) ?? 0));
    }
  }
}

async function expectStep(client: RawClient, step: Step, numbers: Map<string, string>, where: string): Promise<void> {
  switch (step.kind) {
    case 'send':
      return;
    case 'match':
      expect(await client.line(), where).toMatch(step.pattern);
      return;
    case 'skipTo':
      for (let line = await client.line(); line !== step.text; line = await client.line()) {
        if (line === undefined) expect.fail(`${where}: ended before ${step.text}`);
      }
      return;
    case 'closed':
      expect((await client.take(1)).toString('latin1'), where).toBe('');
      return;
    case 'expect':
      break;
  }
  if (step.pieces.some((piece) => piece.kind === 'number' && !numbers.has(piece.name))) {
    const names: string[] = [];
    const pattern = step.pieces.map((piece) => {
      if (piece.kind === 'bytes') return escaped(piece.bytes.toString('latin1'));
      const known = numbers.get(piece.name);
      if (known !== undefined) return known;
      names.push(piece.name);
      return '(\\d+)';
    });
    const line = `${await client.line()}\r\n`;
    const match = new RegExp(`^${pattern.join('')}$`).exec(line);
    if (match === null) expect.fail(`${where}: got ${JSON.stringify(line)}`);
    names.forEach((name, i) => numbers.set(name, match[i + 1] ?? ''));
    return;
  }
  const expected = Buffer.concat(step.pieces.map((piece) => bytesOf(piece, numbers)));
  const got = await client.take(expected.length, (bytes) => !expected.subarray(0, bytes.length).equals(bytes.subarray(0, expected.length)));
  if (!got.equals(expected)) expect(shown(got), where).toBe(shown(expected));
}

function bytesOf(piece: Piece, numbers: ReadonlyMap<string, string>): Buffer {
  if (piece.kind === 'bytes') return piece.bytes;
  const number = numbers.get(piece.name);
  if (number === undefined) throw new Error(`$(${piece.name}) is not known yet`);
  return Buffer.from(number);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Bytes as text that fits a failure message. */
function shown(bytes: Buffer): string {
  const text = JSON.stringify(bytes.toString('latin1'));
  return text.length <= 600 ? text : `${text.slice(0, 300)} … ${text.slice(-200)} (${bytes.length} bytes)`;
}
