import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServeConfig } from '../../src/config.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';

interface Opened {
  readonly client: TestClient;
  readonly clock: ManualClock;
  readonly directory: string;
  stop(): Promise<void>;
}

async function open(change: Partial<ServeConfig> = {}, clock: ManualClock = new ManualClock()): Promise<Opened> {
  const { server, port, directory } = await startTestServer({ ephemeralTtl: 10, ...change }, { clock });
  const client = await TestClient.connect(port);
  return { client, clock, directory, stop: () => server.stop() };
}

/** The whole reply to some commands. */
async function say(client: TestClient, text: string): Promise<string> {
  const reply = await client.ask(`${text}\r\nmn\r\n`, 'MN\r\n');
  return reply.slice(0, -'MN\r\n'.length);
}

async function stats(client: TestClient, group = ''): Promise<Map<string, string>> {
  const reply = await say(client, `stats ${group}`.trim());
  return new Map([...reply.matchAll(/^STAT (\S+) (\S*)\r$/gm)].map(([, name = '', value = '']) => [name, value]));
}

/** Items in memory alone, and rows written so far. */
async function storage(client: TestClient): Promise<{ ephemeral: number; mutations: number; overflows: number }> {
  const found = await stats(client, 'storage');
  const number = (name: string): number => Number(found.get(name));
  return { ephemeral: number('ephemeral_items'), mutations: number('mutations'), overflows: number('ephemeral_overflows') };
}

const set = (key: string, exptime: number, value = 'value'): string => `set ${key} 0 ${exptime} ${value.length}\r\n${value}`;

describe('--ephemeral-ttl', () => {
  it('writes nothing for items of a short time to live, whatever is done to them', async () => {
    const { client, clock } = await open();
    // The first store brings the counter of cas uniques to the disk.
    await say(client, set('first', 1));
    const { mutations } = await storage(client);
    expect(await say(client, set('k', 10, '5'))).toBe('STORED\r\n');
    expect(await say(client, 'incr k 6')).toBe('11\r\n');
    expect(await say(client, 'append k 0 0 1\r\n2')).toBe('STORED\r\n');
    expect(await say(client, 'touch k 9')).toBe('TOUCHED\r\n');
    expect(await say(client, 'gat 3 k')).toBe('VALUE k 0 3\r\n112\r\nEND\r\n');
    expect(await say(client, 'md k I T5')).toBe('HD\r\n');
    expect(await say(client, 'mg k v t')).toBe('VA 3 t5 X W\r\n112\r\n');
    expect(await say(client, set('l', 4, 'x'.repeat(5000)))).toBe('STORED\r\n');
    expect(await say(client, 'delete l')).toBe('DELETED\r\n');
    expect(await storage(client)).toMatchObject({ ephemeral: 2, mutations });
    clock.advance(5);
    expect(await say(client, 'get k')).toBe('END\r\n');
  });

  it('is off unless asked for', async () => {
    const { client } = await open({ ephemeralTtl: 0 });
    await say(client, set('k', 1));
    expect(await storage(client)).toMatchObject({ ephemeral: 0, mutations: 1 });
  });

  it('stores on disk what lives longer, or for ever', async () => {
    const { client } = await open();
    await say(client, `${set('a', 11)}\r\n${set('b', 0)}`);
    expect(await storage(client)).toMatchObject({ ephemeral: 0, mutations: 2 });
  });

  it.each([
    ['touch k 11', 'TOUCHED\r\n'],
    ['gat 11 k', 'VALUE k 0 2000\r\n' + 'x'.repeat(2000) + '\r\nEND\r\n'],
    ['mg k T0', 'HD\r\n'],
  ])('brings an item to the disk when %s makes it live longer, with cas unique and value', async (command, reply) => {
    const first = await open();
    await say(first.client, set('k', 5, 'x'.repeat(2000)));
    const before = await say(first.client, 'mg k c v');
    expect(await say(first.client, command)).toBe(reply);
    expect(await storage(first.client)).toMatchObject({ ephemeral: 0 });
    expect(await say(first.client, 'mg k c v')).toBe(before);
    await first.stop();
    const again = await open({ file: first.directory }, first.clock);
    expect(await say(again.client, 'mg k c v')).toBe(before);
    expect(await say(again.client, 'delete k')).toBe('DELETED\r\n');
    expect((await stats(again.client, 'storage')).get('value_live_bytes')).toBe('0');
  });

  it('knows its place on disk from then on', async () => {
    const { client } = await open();
    const live = async (): Promise<number> => Number((await stats(client, 'storage')).get('value_live_bytes'));
    await say(client, `${set('k', 5, 'x'.repeat(2000))}\r\ntouch k 11`);
    expect(await live()).toBeGreaterThan(2000);
    await say(client, 'delete k');
    expect(await live()).toBe(0);
  });

  it('leaves an item on disk there when it is touched, or counted, close to its end', async () => {
    const { client, clock } = await open();
    await say(client, `${set('t', 100)}\r\n${set('n', 100, '1')}`);
    clock.advance(95);
    expect(await say(client, 'touch t 5')).toBe('TOUCHED\r\n');
    expect(await say(client, 'incr n 1')).toBe('2\r\n');
    expect(await storage(client)).toMatchObject({ ephemeral: 0 });
  });

  it('stores on disk what finds no more room, and answers the same', async () => {
    const { client } = await open({ memory: 1 });
    // Room for 64 KiB.
    for (let i = 0; i < 30; i++) expect(await say(client, set(`k${i}`, 10, String(i).padStart(4000, ' ')))).toBe('STORED\r\n');
    const { ephemeral, overflows } = await storage(client);
    expect(ephemeral).toBeGreaterThan(5);
    expect(ephemeral + overflows).toBe(30);
    const found = await stats(client, 'storage');
    expect(Number(found.get('ephemeral_bytes'))).toBeLessThanOrEqual(Number(found.get('ephemeral_limit_bytes')));
    for (let i = 0; i < 30; i++) expect(await say(client, `get k${i}`)).toContain(String(i).padStart(4000, ' '));
    expect((await stats(client)).get('curr_items')).toBe('30');
  });

  it('counts and lists them with the others', async () => {
    const { client } = await open({ trackSizes: true });
    await say(client, `${set('b', 5)}\r\n${set('a', 0)}\r\n${set('c', 0)}\r\n${set('c', 7)}`);
    const general = await stats(client);
    expect([general.get('curr_items'), general.get('bytes'), general.get('total_items')]).toEqual(['3', '18', '4']);
    expect((await say(client, 'lru_crawler metadump all')).match(/key=\w/g)).toEqual(['key=b', 'key=c', 'key=a']);
    expect(await say(client, 'lru_crawler mgdump all')).toBe('OK\r\nmg b\r\nmg c\r\nmg a\r\nEN\r\n');
    expect([...(await stats(client, 'sizes'))]).toEqual([['96', '3']]);
    const listed = async (after: string): Promise<string> => await say(client, `expire list 2 ${after} 0`);
    const first = await listed('-');
    expect(first.match(/^ITEM \w/gm)).toEqual(['ITEM a', 'ITEM b']);
    const next = /^END (\w+)\r$/m.exec(first)?.[1] ?? '';
    expect((await listed(next)).match(/^ITEM \w/gm)).toEqual(['ITEM c']);
  });

  it('has them deleted with their prefix, and flushed', async () => {
    const { client } = await open();
    await say(client, `${set('a:1', 5)}\r\n${set('a:2', 0)}\r\n${set('b:1', 5)}`);
    const job = /^JOB (\d+)\r\n$/.exec(await say(client, 'expire delete a:'))?.[1] ?? '';
    while (!(await say(client, 'expire jobs')).includes(' done\r\n')) await new Promise((resolve) => setImmediate(resolve));
    expect(await say(client, 'expire jobs')).toBe(`JOB ${job} a%3A 2 16 done\r\nEND\r\n`);
    expect(await say(client, 'get a:1 a:2 b:1')).toBe('VALUE b:1 0 5\r\nvalue\r\nEND\r\n');
    expect(await say(client, 'flush_all')).toBe('OK\r\n');
    expect(await say(client, 'get b:1')).toBe('END\r\n');
  });

  it('keeps them over an orderly stop, with what is left of their time', async () => {
    const first = await open();
    await say(first.client, `${set('small', 10)}\r\n${set('large', 9, 'x'.repeat(3000))}\r\n${set('over', 3)}`);
    await say(first.client, `${set('flushed', 9)}\r\nflush_all\r\n${set('after', 8)}\r\n${set('small', 10)}\r\n${set('large', 9, 'x'.repeat(3000))}\r\n${set('over', 3)}`);
    const before = await say(first.client, 'gets small large after');
    first.clock.advance(4);
    await first.stop();
    const again = await open({ file: first.directory }, first.clock);
    expect((await stats(again.client)).get('curr_items')).toBe('3');
    expect(await storage(again.client)).toMatchObject({ ephemeral: 0 });
    expect(await say(again.client, 'gets small large after over flushed')).toBe(before);
    expect(await say(again.client, 'mg small t')).toBe('HD t6\r\n');
    first.clock.advance(6);
    expect(await say(again.client, 'get small large after')).toBe('END\r\n');
  });

  it('changes no reply', async () => {
    const clock = new ManualClock();
    const plain = await open({ ephemeralTtl: 0, memory: 1 }, clock);
    const short = await open({ ephemeralTtl: 30, memory: 1 }, clock);
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        round++;
        for (const step of steps) {
          if (typeof step === 'number') clock.advance(step);
          else {
            const text = step.replaceAll('KEY', `r${round}`);
            expect(await say(short.client, text), text.slice(0, 100)).toBe(await say(plain.client, text));
          }
        }
        const names = ['total_items', 'get_hits', 'get_misses', 'cas_badval', 'delete_hits'];
        const [a, b] = [await stats(short.client), await stats(plain.client)];
        for (const name of names) expect([name, a.get(name)]).toEqual([name, b.get(name)]);
      }),
      { numRuns: 60 },
    );
    expect(Number((await stats(short.client, 'storage')).get('ephemeral_stored'))).toBeGreaterThan(0);
  });
});

const key = fc.nat(3).map((n) => `KEY${n}`);
const exptime = fc.constantFrom(0, 1, 5, 10, 30, 31, 500, -1);
const value = fc.constantFrom('', '5', '99', 'text', 'y'.repeat(300), 'z'.repeat(9000));
const unique = fc.nat(2000);
/** A command, or seconds that pass. KEY stands for a key that no other run uses. */
const step: fc.Arbitrary<string | number> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('set', 'set', 'set', 'add', 'replace', 'append', 'prepend'), key, exptime, value).map(([word, k, t, v]) => `${word} ${k} 7 ${t} ${v.length}\r\n${v}`) },
  { weight: 1, arbitrary: fc.tuple(key, exptime, unique).map(([k, t, c]) => `cas ${k} 7 ${t} 1 ${c}\r\n1`) },
  { weight: 3, arbitrary: key.map((k) => `gets ${k}`) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('incr', 'decr'), key).map(([word, k]) => `${word} ${k} 7`) },
  { weight: 2, arbitrary: fc.tuple(exptime, key).map(([t, k]) => `touch ${k} ${t}`) },
  { weight: 2, arbitrary: fc.tuple(exptime, key).map(([t, k]) => `gats ${t} ${k}`) },
  { weight: 1, arbitrary: key.map((k) => `delete ${k}`) },
  { weight: 3, arbitrary: fc.tuple(key, fc.constantFrom('', ' N9', ' N90', ' T20', ' T200', ' R15', ' N5 R9 E77')).map(([k, more]) => `mg ${k} v t f s c k${more}`) },
  { weight: 2, arbitrary: fc.tuple(key, value, fc.constantFrom('', ' T9', ' T90', ' T9 I C50', ' ME T9', ' MA N9', ' T9 E88')).map(([k, v, more]) => `ms ${k} ${v.length} c${more}\r\n${v}`) },
  { weight: 2, arbitrary: fc.tuple(key, fc.constantFrom('', ' I', ' I T9', ' I T90', ' x', ' x T9')).map(([k, more]) => `md ${k}${more}`) },
  { weight: 1, arbitrary: fc.tuple(key, fc.constantFrom('', ' N9 J5', ' T9', ' T90')).map(([k, more]) => `ma ${k} v t c${more}`) },
  { weight: 1, arbitrary: fc.tuple(key, key).map(([k, l]) => `me ${k}\r\nget ${k} ${l}`) },
  { weight: 1, arbitrary: fc.constantFrom('flush_all', 'flush_all 3') },
  { weight: 3, arbitrary: fc.constantFrom(1, 2, 4, 9, 40) },
);
