import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { HeldClock } from '../../src/clock.ts';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.ts';
import { BinaryDialect } from '../../src/server/binary-dialect.ts';
import { ConnectionMemory } from '../../src/server/connection-memory.ts';
import { Connection, type ConnectionContext } from '../../src/server/connection.ts';
import type { Administration } from '../../src/server/dialect.ts';
import { Arrivals } from '../../src/server/arrivals.ts';
import { ReadQueue } from '../../src/server/read-queue.ts';
import { TextDialect } from '../../src/server/text-dialect.ts';
import { TurnQueue } from '../../src/server/turn-queue.ts';
import type { Wire } from '../../src/server/wire.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { startTestServer } from '../support/test-server.ts';
import { RawClient } from '../wire/raw-client.ts';
import { SLICE_MS, SlicedQueue } from '../../src/sliced-queue.ts';

afterEach(() => vi.restoreAllMocks());

/** More than may stand in line before others with much input join them. */
const CROWD = 9;
/** The most input that is executed at once however many stand in line. */
const LITTLE_BYTES = 2048;
/** Pieces of large requests that are read in one turn. */
const READS = 16;
/** Bytes of replies after which a connection stands in line. */
const MUCH_OUTPUT = 64 * 1024;
/** Bytes that are sent in one go. */
const SLICE = 128 * 1024;
const MEMORY_BYTES = 100_000;
/** Longer than what may be begun without memory. */
const LARGE = 'v'.repeat(50_000);

/** A socket whose other side reads at once. */
class FakeWire extends EventEmitter implements Wire {
  /** Bytes that it has not taken. */
  writableLength = 0;
  received = '';
  /** How often reading went on. */
  resumed = 0;
  write(bytes: Buffer): void {
    this.received += bytes.toString('latin1');
    this.emit('written');
  }
  cork(): void {}
  uncork(): void {}
  resume(): void {
    this.resumed++;
  }
  destroy(): void {}
  destroySoon(): void {}

  /** Resolves when so much has been written. */
  async until(text: string): Promise<void> {
    while (!this.received.endsWith(text)) await new Promise((resolve) => this.once('written', resolve));
  }
}

const administration: Administration = {
  version: '1',
  flushAllowed: true,
  stats: () => 'END\r\n',
  command: () => 'OK\r\n',
  expire: () => 'OK\r\n',
  sync: () => Promise.resolve(),
  setVerbosity: () => 'OK\r\n',
};

interface Client {
  readonly connection: Connection;
  readonly wire: FakeWire;
  /** False = it is to send no more for now. */
  readonly send: (text: string) => boolean;
}

interface Fixture {
  readonly context: ConnectionContext;
  readonly turns: TurnQueue;
  readonly memory: ConnectionMemory;
  readonly connect: () => Client;
  /** Has clients connect in a rush, which is over with the next turn. */
  readonly rush: () => Promise<void>;
}

/** What connections share, without a server. No turn comes before the test gives the event loop one. */
async function start(memoryBytes = MEMORY_BYTES): Promise<Fixture> {
  const { cache, store } = await OpenCache.open(tempDirectory());
  const line = new SlicedQueue(SLICE_MS);
  const memory = new ConnectionMemory(memoryBytes, () => [], () => undefined, line, () => 0);
  const turns = new TurnQueue(line);
  let seconds = 1;
  let nowMs = 0;
  const context: ConnectionContext = {
    cache,
    store,
    text: new TextDialect(cache, administration),
    binary: new BinaryDialect(cache, administration),
    out: new ReplyBuffer(),
    ackFromMemory: true,
    traffic: { bytesRead: 0, bytesWritten: 0, yields: 0 },
    memory,
    turns,
    reads: new ReadQueue(),
    arrivals: new Arrivals(() => nowMs),
    requestsPerEvent: 1000,
    clock: new HeldClock({ now: () => seconds++ }),
    turn: () => undefined,
    trace: undefined,
    sample: undefined,
    onClose: () => undefined,
    onFault: (_connection, error) => {
      throw error;
    },
  };
  onTestFinished(async () => {
    memory.stop();
    await store.close();
  });
  const origin = { id: 1, peer: 'tcp:127.0.0.1:1', listener: 'tcp:127.0.0.1:2', transport: 'tcp', isLocal: true, isEncrypted: false, dialect: undefined } as const;
  const connect = (): Client => {
    const wire = new FakeWire();
    const connection = new Connection(wire, origin, context);
    return { connection, wire, send: (text) => connection.read(Buffer.from(text, 'latin1'), text.length) };
  };
  const rush = async (): Promise<void> => {
    for (let i = 0; i < 2; i++) {
      context.arrivals.come();
      await nextTurn();
      nowMs += 10;
    }
  };
  return { context, turns, memory, connect, rush };
}

/** So many that stand in line, and what they were told. */
function standInLine(turns: TurnQueue, count: number): { turnsHad: number } {
  const line = { turnsHad: 0 };
  for (let i = 0; i < count; i++) turns.wait(() => line.turnsHad++);
  return line;
}

/** The last of the replies to `requests`. */
const LAST = 'VERSION 1\r\n';

/** Small requests of so many bytes in all, none of which needs the store. */
function requests(bytes: number): string {
  const sent = `${'mn\r\n'.repeat(500)}version\r\n`;
  // A command that nobody knows, as long as is left.
  return `${'x'.repeat(bytes - sent.length - 2)}\r\n${sent}`;
}

describe('while many connections stand in line', () => {
  it('who sends much takes its turn behind them', async () => {
    const { turns, connect } = await start();
    const { connection, wire, send } = connect();
    const line = standInLine(turns, CROWD);
    expect(send(requests(LITTLE_BYTES + 1))).toBe(true);
    expect([wire.received, connection.state, connection.isIdle]).toEqual(['', 'conn_waiting', false]);
    let before = -1;
    wire.once('written', () => (before = line.turnsHad));
    await wire.until(LAST);
    expect(before).toBe(CROWD);
    expect([connection.state, connection.isIdle]).toEqual(['conn_new_cmd', true]);
  });

  it('what it sends while it waits comes behind that', async () => {
    const { turns, connect } = await start();
    const { wire, send } = connect();
    standInLine(turns, CROWD);
    send(`set k 0 0 3000\r\n${'x'.repeat(2500)}`);
    send(`${'x'.repeat(500)}\r\n`);
    send('mg k s\r\n');
    expect(wire.received).toBe('');
    await wire.until('HD s3000\r\n');
    expect(wire.received).toBe('STORED\r\nHD s3000\r\n');
  });

  it('who sends little is answered at once', async () => {
    const { turns, connect } = await start();
    const { wire, send } = connect();
    const line = standInLine(turns, CROWD);
    send(requests(LITTLE_BYTES));
    expect(wire.received.endsWith(LAST)).toBe(true);
    expect(line.turnsHad).toBe(0);
  });

  it('who sends much is answered at once all the same if they are no crowd', async () => {
    const { turns, connect } = await start();
    const { wire, send } = connect();
    const line = standInLine(turns, CROWD - 1);
    send(requests(LITTLE_BYTES + 1));
    expect(wire.received.endsWith(LAST)).toBe(true);
    expect(line.turnsHad).toBe(0);
  });

  it.each([
    { when: 'from the beginning', heldBefore: MEMORY_BYTES, mayGoOn: false },
    { when: 'once it has its turn', heldBefore: 0, mayGoOn: true },
  ])('a large data block still waits for memory that is used up $when', async ({ heldBefore, mayGoOn }) => {
    const { turns, memory, connect } = await start();
    const { connection, wire, send } = connect();
    const line = standInLine(turns, CROWD);
    memory.change(heldBefore);
    expect(send(`set k 0 0 ${LARGE.length}\r\n${LARGE.slice(0, 30_000)}`)).toBe(mayGoOn);
    // What has come is the account's, though nobody has looked at it.
    expect(memory.stats().usedBytes).toBeGreaterThan(heldBefore + 30_000);
    expect(memory.stats().waiting).toBe(0);
    memory.change(MEMORY_BYTES - heldBefore);
    const itsTurn = new Promise<void>((resolve) => turns.wait(resolve));
    await itsTurn;
    expect(line.turnsHad).toBe(CROWD);
    expect(memory.stats()).toMatchObject({ waiting: 1, waits: 1 });
    expect([connection.state, wire.resumed]).toEqual(['conn_waiting', 0]);
    // The client may send on when others have given room.
    const resumed = new Promise<void>((resolve) => {
      wire.resume = () => resolve();
    });
    memory.change(-MEMORY_BYTES);
    await resumed;
    expect(memory.stats().waiting).toBe(0);
    expect(send(`${LARGE.slice(30_000)}\r\nmg k s\r\n`)).toBe(true);
    await wire.until(`HD s${LARGE.length}\r\n`);
    expect(wire.received).toBe(`STORED\r\nHD s${LARGE.length}\r\n`);
    expect(memory.stats().usedBytes).toBe(0);
  });
});

describe('while many ask for large values at once', () => {
  const VALUE = `${'v'.repeat(299_999)}w`;

  it('some get them at once, the others in their turn, with all commands and dialects, and small ones wait for nobody', async () => {
    const { turns, connect } = await start(2 ** 24);
    const { wire: stored, send: store } = connect();
    store(`set k 0 0 ${VALUE.length}\r\n${VALUE}\r\nset small 0 0 1\r\nx\r\n`);
    const reply = `VALUE k 0 ${VALUE.length}\r\n${VALUE}\r\nEND\r\n`;
    // On a busy machine the second may be left to a later turn.
    await stored.until('STORED\r\nSTORED\r\n');
    await nextTurn();
    const clients = Array.from({ length: 6 }, connect);
    const asked = ['get k\r\n', 'get k\r\n', 'get k\r\n', 'gat 0 k\r\n', 'mg k v\r\n', '\x80\x0c\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0k'];
    clients.forEach(({ send }, i) => expect(send(asked[i]!)).toBe(true));
    expect(clients.map(({ wire }) => wire.received.length)).toEqual([SLICE, SLICE, SLICE, SLICE, 0, 0]);
    const { wire: small, send: sendSmall } = connect();
    sendSmall('get small\r\n');
    expect(small.received).toBe('VALUE small 0 1\r\nx\r\nEND\r\n');
    await Promise.all([clients[0]!.wire.until('END\r\n'), clients[2]!.wire.until('END\r\n'), clients[3]!.wire.until('END\r\n'), clients[4]!.wire.until('w\r\n'), clients[5]!.wire.until('w')]);
    expect(clients[0]!.wire.received).toBe(reply);
    expect(clients[2]!.wire.received).toBe(reply);
    expect(clients[3]!.wire.received).toBe(reply);
    expect(clients[4]!.wire.received).toBe(`VA ${VALUE.length}\r\n${VALUE}\r\n`);
    expect(clients[5]!.wire.received.slice(-VALUE.length - 1)).toBe(`k${VALUE}`);
    expect(turns.isSpent).toBe(false);
  });
});

describe('however few stand in line', () => {
  it('who was sent much is behind them with what it asks next, and no longer', async () => {
    const { turns, connect } = await start();
    const { wire, send } = connect();
    send(`set k 0 0 ${MUCH_OUTPUT}\r\n${'x'.repeat(MUCH_OUTPUT)}\r\n`);
    send('get k\r\n');
    expect(wire.received.endsWith('END\r\n')).toBe(true);
    const line = standInLine(turns, 1);
    send('mn\r\n');
    expect(wire.received.endsWith('END\r\n')).toBe(true);
    await wire.until('MN\r\n');
    expect(line.turnsHad).toBe(1);
    send('version\r\n');
    expect(wire.received.endsWith(LAST)).toBe(true);
  });

  it('who was sent no more than a connection may be at a time is answered at once', async () => {
    const { turns, connect } = await start();
    const { wire, send } = connect();
    const length = MUCH_OUTPUT - 1000;
    send(`set k 0 0 ${length}\r\n${'x'.repeat(length)}\r\n`);
    send('get k\r\n');
    standInLine(turns, 1);
    send('version\r\n');
    expect(wire.received.endsWith(LAST)).toBe(true);
  });

  it('whose client reads again after a pause is behind them', async () => {
    const { turns, connect } = await start();
    const { connection, wire, send } = connect();
    wire.writableLength = 2 ** 21;
    send('mn\r\n');
    expect(connection.state).toBe('conn_write');
    send('version\r\n');
    wire.writableLength = 0;
    const line = standInLine(turns, 1);
    wire.emit('drain');
    expect(wire.received).toBe('MN\r\n');
    let before = -1;
    wire.once('written', () => (before = line.turnsHad));
    await wire.until(LAST);
    expect(before).toBe(1);
  });
});

describe('while clients connect in a rush', () => {
  it('requests wait for their turn, and what is sent meanwhile comes behind them', async () => {
    const { context, connect, rush } = await start();
    const { wire, send } = connect();
    await rush();
    expect(context.arrivals.isRush).toBe(true);
    expect(send('mn\r\nver')).toBe(true);
    expect(send('sion\r\n')).toBe(true);
    expect(wire.received).toBe('');
    await wire.until(`MN\r\n${LAST}`);
  });

  it('they are executed at once again when it is over', async () => {
    const { context, connect, rush } = await start();
    const { wire, send } = connect();
    await rush();
    await nextTurn();
    expect(context.arrivals.isRush).toBe(false);
    send('version\r\n');
    expect(wire.received).toBe(LAST);
  });
});

describe('of many that send large requests', () => {
  const piece = `set k 0 0 ${LARGE.length}\r\n${LARGE.slice(0, 3000)}`;

  it('some are read from in a turn, and the others in the next ones', async () => {
    const { connect } = await start();
    const clients = Array.from({ length: 2 * READS + 1 }, () => connect());
    expect(clients.map(({ send }) => send(piece))).toEqual(clients.map((_, i) => i < READS));
    const resumed = (): number => clients.reduce((sum, { wire }) => sum + wire.resumed, 0);
    expect(resumed()).toBe(0);
    await nextTurn();
    expect(resumed()).toBe(READS);
    await nextTurn();
    expect(resumed()).toBe(READS + 1);
    const { wire, send } = clients.at(-1)!;
    expect(send(`${LARGE.slice(3000)}\r\n`)).toBe(true);
    expect(wire.received).toBe('STORED\r\n');
  });

  it('all others are read from', async () => {
    const { connect } = await start();
    const small = connect();
    // What is known of these keys is in memory from now on: no set has to wait for the disk.
    for (const i of Array(READS).keys()) small.send(`set k${i} 0 0 1\r\nx\r\n`);
    small.send('set k 0 0 1\r\nx\r\nmn\r\n');
    await small.wire.until('MN\r\n');
    await nextTurn();
    for (let i = 0; i < READS; i++) {
      connect().send(piece);
      small.send(`set k${i} 0 0 ${LARGE.length}\r\n${LARGE.slice(0, LITTLE_BYTES - 100)}`);
      small.send(`${LARGE.slice(LITTLE_BYTES - 100)}\r\n`);
    }
    expect(small.send(`set k 0 0 3000\r\n${LARGE.slice(0, 3000)}\r\n`)).toBe(true);
    expect(small.send('set k 0 0 3000\r\nv')).toBe(true);
  });

  it('one that is gone meanwhile is left alone', async () => {
    const { connect } = await start();
    const clients = Array.from({ length: READS + 1 }, () => connect());
    for (const { send } of clients) send(piece);
    const { wire } = clients.at(-1)!;
    wire.emit('close');
    await nextTurn();
    await nextTurn();
    expect(wire.resumed).toBe(0);
  });
});

describe('over the wire, while many connections stand in line', () => {
  it('who sends much joins them, who sends little does not, and both are answered', async () => {
    const wait = vi.spyOn(TurnQueue.prototype, 'wait');
    const { port } = await startTestServer({ requestsPerEvent: 1 });
    const client = await RawClient.connect(port);
    onTestFinished(() => client.close());
    // Its second request has to wait for a turn: so the queue of the server is known.
    client.send('mn\r\nmn\r\n');
    expect([await client.line(), await client.line()]).toEqual(['MN', 'MN']);
    const turns = wait.mock.contexts[0] as TurnQueue;
    let isOver = false;
    onTestFinished(() => {
      isOver = true;
    });
    const again = (): void => {
      if (!isOver) turns.wait(again);
    };
    for (let i = 0; i < CROWD; i++) turns.wait(again);
    const joined = (): number => wait.mock.calls.filter(([goOn]) => goOn !== again).length;
    const before = joined();
    expect(await client.set('little', 'x')).toBe('STORED');
    expect(joined()).toBe(before);
    expect(await client.set('much', 'x'.repeat(LITTLE_BYTES))).toBe('STORED');
    expect(joined()).toBe(before + 1);
    expect(await client.text('much')).toBe('x'.repeat(LITTLE_BYTES));
  });
});

describe('a fault while commands are executed', () => {
  it('does not stop the clock for others', async () => {
    const { context, connect } = await start();
    const { send } = connect();
    context.trace = () => {
      throw new Error('a fault');
    };
    expect(() => send('mn\r\n')).toThrow('a fault');
    expect(context.clock.now()).toBeLessThan(context.clock.now());
  });
});
