import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ServerProcess, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

/** Print-worthy: a failing round is repeated with the same seed. */
const SEED = Number(process.env['TUGELA_CRASH_SEED'] ?? 20_261_121);
const ROUNDS = 5;
const CONNECTIONS = 6;
const KEYS = 30;

/** What one key must be: its newest acknowledged state, or that of the command in hand when the server died. */
interface Known {
  acknowledged: State;
  inHand: State | undefined;
  /** Writes so far, to make values that tell which write they are of. */
  writes: number;
}

interface State {
  /** Undefined = absent. */
  readonly value: string | undefined;
  readonly flags: number;
  readonly expires: boolean;
}

const ABSENT: State = { value: undefined, flags: 0, expires: false };

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

describe.each(['log', 'sync'])('--ack %s', (ack) => {
  it(
    `keeps all that was acknowledged over ${ROUNDS} crashes (seed ${SEED})`,
    async () => {
      const random = randomNumbers(SEED);
      const writers = Array.from({ length: CONNECTIONS }, (_, i) => new Writer(`c${i}`, random));
      const start = (): Promise<ServerProcess> => workspace.serve({ args: ['--ack', ack, '-m', '4'] });
      let server = await start();
      let casBefore = 0;
      let totalBefore = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const running = server;
        const died = Promise.all(writers.map((writer) => writer.write(running)));
        await new Promise((resolve) => setTimeout(resolve, 300 + random() * 900));
        await running.kill();
        const acknowledged = await died;
        expect(Math.min(...acknowledged)).toBeGreaterThan(0);

        server = await start();
        const client = await RawClient.connect(server.port);
        let cas = casBefore;
        for (const writer of writers) cas = Math.max(cas, await writer.check(client, casBefore, `round ${round}`));
        casBefore = Math.max(cas, ...writers.map((writer) => writer.highestCas));
        const total = await client.stat('total_items');
        expect(total).toBeGreaterThanOrEqual(totalBefore + writers.reduce((sum, writer) => sum + writer.takeStores(), 0));
        totalBefore = total;
        const items = await client.stat('curr_items');
        const found = await client.getMany(...writers.flatMap((writer) => writer.keys));
        expect(items).toBe(found.length);
        client.close();
      }
      expect(await server.stop()).toBe(0);
    },
    60_000,
  );
});

/** Writes to keys of its own over one connection, and knows what must have become of them. */
class Writer {
  readonly keys: readonly string[];
  highestCas = 0;
  readonly #known: Map<string, Known>;
  readonly #random: () => number;
  #counter = { acknowledged: 0, inHand: false };
  #stores = 0;

  constructor(name: string, random: () => number) {
    this.#random = random;
    this.keys = Array.from({ length: KEYS }, (_, i) => `${name}:${i}`);
    this.#known = new Map(this.keys.map((key) => [key, { acknowledged: ABSENT, inHand: undefined, writes: 0 }]));
    this.keys = [...this.keys, `${name}:counter`];
  }

  /** Acknowledged stores since the last call. */
  takeStores(): number {
    const stores = this.#stores;
    this.#stores = 0;
    return stores;
  }

  /** Writes until the server is gone; gives back how many writes were acknowledged. */
  async write(server: ServerProcess): Promise<number> {
    const client = await RawClient.connect(server.port);
    let acknowledged = 0;
    try {
      for (;;) {
        await (this.#random() < 0.1 ? this.#count(client) : this.#mutate(client));
        acknowledged++;
      }
    } catch (error) {
      // The end of the connection is what is waited for; a wrong reply is not.
      if (!client.isOver) throw error;
      return acknowledged;
    } finally {
      client.close();
    }
  }

  async #count(client: RawClient): Promise<void> {
    const counter = this.keys.at(-1) ?? '';
    this.#counter.inHand = true;
    const before = this.#counter.acknowledged;
    const reply = before === 0 ? await client.set(counter, '1') : await client.ask(`incr ${counter} 1`);
    expect(['STORED', String(before + 1), String(before + 2)]).toContain(reply);
    this.#counter = { acknowledged: reply === 'STORED' ? 1 : Number(reply), inHand: false };
    this.#stores++;
  }

  async #mutate(client: RawClient): Promise<void> {
    const key = this.keys[Math.floor(this.#random() * KEYS)] ?? '';
    const known = this.#known.get(key);
    if (known === undefined) throw new Error(`no such key: ${key}`);
    const { acknowledged: old } = known;
    const choice = this.#random();
    if (old.value !== undefined && choice < 0.15) {
      known.inHand = ABSENT;
      expect(await client.ask(`delete ${key}`)).toBe('DELETED');
    } else if (old.value !== undefined && choice < 0.3) {
      known.inHand = { ...old, expires: !old.expires };
      expect(await client.ask(`touch ${key} ${old.expires ? 0 : 5000}`)).toBe('TOUCHED');
    } else if (old.value !== undefined && choice < 0.45 && old.value.length < 300_000) {
      const more = this.#value(key, known, 1000);
      known.inHand = { ...old, value: old.value + more };
      expect(await client.store('append', key, more)).toBe('STORED');
      this.#stores++;
    } else if (old.value !== undefined && choice < 0.6) {
      const seen = await client.get(key);
      expect(seen?.value.toString('latin1') === old.value).toBe(true);
      const cas = seen?.cas ?? '';
      this.highestCas = Math.max(this.highestCas, Number(cas));
      const value = this.#value(key, known, 20_000);
      known.inHand = { value, flags: known.writes, expires: false };
      expect(await client.cas(key, value, cas, known.writes)).toBe('STORED');
      this.#stores++;
    } else {
      const value = this.#value(key, known, this.#random() < 0.1 ? 200_000 : 3000);
      known.inHand = { value, flags: known.writes, expires: false };
      expect(await client.set(key, value, known.writes)).toBe('STORED');
      this.#stores++;
    }
    known.acknowledged = known.inHand;
    known.inHand = undefined;
  }

  /** Compares what the server has with what is known; gives back the highest cas unique seen. */
  async check(client: RawClient, casBefore: number, when: string): Promise<number> {
    let highest = casBefore;
    const lines = await client.list(`expire list 10000 - 0 ${this.keys[0]?.split(':')[0]}:`);
    const expiring = new Set(lines.filter((line) => line.startsWith('ITEM ') && line.split(' ')[3] !== '0').map((line) => decodeURIComponent(line.split(' ')[1] ?? '')));
    for (const [key, known] of this.#known) {
      const seen = await client.get(key);
      const state: State =
        seen === undefined ? ABSENT : { value: seen.value.toString('latin1'), flags: seen.flags, expires: expiring.has(key) };
      highest = Math.max(highest, Number(seen?.cas ?? 0));
      const allowed = [known.acknowledged, ...(known.inHand === undefined ? [] : [known.inHand])];
      const isAllowed = allowed.some(({ value, flags, expires }) => value === state.value && (value === undefined || (flags === state.flags && expires === state.expires)));
      if (!isAllowed) expect.fail(`${when}, ${key}: has ${shown(state)}, must be ${allowed.map(shown).join(' or ')}`);
      known.acknowledged = state;
      known.inHand = undefined;
    }
    const count = Number((await client.text(this.keys.at(-1) ?? '')) ?? 0);
    const { acknowledged, inHand } = this.#counter;
    expect([acknowledged, inHand ? acknowledged + 1 : acknowledged], `${when}, counter`).toContain(count);
    this.#counter = { acknowledged: count, inHand: false };
    // What is stored from now on must have higher cas uniques than all that were shown before.
    await client.set('probe', 'x');
    expect(Number((await client.get('probe'))?.cas)).toBeGreaterThan(Math.max(highest, this.highestCas));
    await client.ask('delete probe');
    return highest;
  }

  /** A value that names its key and write, of a random length from 10 bytes on. */
  #value(key: string, known: Known, most: number): string {
    known.writes++;
    const mark = `<${key} ${known.writes}>`.padEnd(10);
    return mark.padEnd(10 + Math.floor(this.#random() * most), mark);
  }
}

function shown({ value, flags, expires }: State): string {
  return value === undefined ? 'nothing' : `${value.length} bytes ${JSON.stringify(value.slice(0, 30))} flags ${flags}${expires ? ' expiring' : ''}`;
}

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
