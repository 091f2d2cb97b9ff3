import { describe, expect, it } from 'vitest';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.ts';
import { ReplySender } from '../../src/server/reply-sender.ts';
import { TurnQueue } from '../../src/server/turn-queue.ts';
import type { Wire } from '../../src/server/wire.ts';
import { bytesOf } from '../support/build-item.ts';

const SLICE = 128 * 1024;
/** Bytes that may be sent in one turn of the event loop at once. */
const AT_ONCE = 512 * 1024;
/** Two slices and a part of one. */
const LONG = bytesOf(2 * SLICE + 1000, 1);

/** A socket whose kernel takes all, or, while `isFull`, nothing. */
class FakeWire implements Wire {
  isFull = false;
  writableLength = 0;
  /** Lengths of what was written between `cork` and `uncork`, or alone. */
  readonly writes: number[] = [];
  readonly taken: Buffer[] = [];
  hasEnded = false;
  #isCorked = false;
  #corked = 0;
  #onDrain: () => void = () => undefined;

  get writableNeedDrain(): boolean {
    return this.writableLength > 16 * 1024;
  }

  on(event: string, listener: () => void): void {
    if (event === 'drain') this.#onDrain = listener;
  }

  write(bytes: Buffer): void {
    this.taken.push(Buffer.from(bytes));
    if (this.isFull) this.writableLength += bytes.length;
    if (this.#isCorked) this.#corked += bytes.length;
    else this.writes.push(bytes.length);
  }

  cork(): void {
    this.#isCorked = true;
    this.#corked = 0;
  }

  uncork(): void {
    if (this.#isCorked) this.writes.push(this.#corked);
    this.#isCorked = false;
  }

  /** The kernel takes what it did not, and has room again. */
  drain(): void {
    this.isFull = false;
    const told = this.writableNeedDrain;
    this.writableLength = 0;
    if (told) this.#onDrain();
  }

  resume(): void {}
  destroy(): void {}

  destroySoon(): void {
    this.hasEnded = true;
  }

  get text(): Buffer {
    return Buffer.concat(this.taken);
  }
}

interface Fixture {
  readonly wire: FakeWire;
  readonly turns: TurnQueue;
  readonly sender: ReplySender;
  drained: number;
}

function setUp(): Fixture {
  const wire = new FakeWire();
  const turns = new TurnQueue();
  const fixture: Fixture = { wire, turns, drained: 0, sender: new ReplySender(wire, { bytesRead: 0, bytesWritten: 0, yields: 0 }, turns, false, () => fixture.drained++) };
  return fixture;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function turnsOf(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}

describe('a long reply', () => {
  it('is sent a slice at a time, the first at once, and its end is told', async () => {
    const fixture = setUp();
    const { wire, sender } = fixture;
    sender.sendAll([Buffer.from('head'), LONG, Buffer.from('tail')]);
    expect(wire.writes).toEqual([SLICE]);
    expect([sender.unsentBytes, sender.drainingBytes, sender.takenBytes]).toEqual([SLICE + 1008, SLICE + 1008, SLICE]);
    expect([sender.mustDrain(false), sender.isWaitingForTurn]).toEqual([true, true]);
    await turnsOf(3);
    expect(wire.writes).toEqual([SLICE, SLICE, 1008]);
    expect(wire.text.equals(Buffer.concat([Buffer.from('head'), LONG, Buffer.from('tail')]))).toBe(true);
    expect([sender.unsentBytes, sender.mustDrain(false), sender.isWaitingForTurn, fixture.drained]).toEqual([0, false, false, 1]);
  });

  it('lets nobody pass it, wherever that comes from', async () => {
    const { wire, sender } = setUp();
    const out = new ReplyBuffer();
    sender.send(LONG);
    out.ascii('one ');
    sender.sendWritten(out);
    out.reset();
    out.ascii('two ');
    sender.sendWritten(out);
    sender.sendAll([Buffer.from('three '), Buffer.from('four ')]);
    sender.send(Buffer.from('five'));
    await turnsOf(4);
    expect(wire.text.equals(Buffer.concat([LONG, Buffer.from('one two three four five')]))).toBe(true);
  });

  it('is sent from the buffer in which it was written, which others then do not write in', async () => {
    const { wire, sender } = setUp();
    const out = new ReplyBuffer();
    out.copy(LONG, 0, LONG.length);
    sender.sendWritten(out);
    out.reset();
    out.ascii('x'.repeat(LONG.length));
    await turnsOf(3);
    expect(wire.text.equals(LONG)).toBe(true);
  });

  it('waits for a kernel that is full, and then for its turn', async () => {
    const fixture = setUp();
    const { wire, turns, sender } = fixture;
    wire.isFull = true;
    sender.send(LONG);
    await turnsOf(3);
    expect([wire.writes, sender.isWaitingForTurn, sender.takenBytes]).toEqual([[SLICE], false, 0]);
    const order: string[] = [];
    turns.wait(() => order.push(`somebody else after ${wire.writes.length}`));
    wire.drain();
    expect([wire.writes, sender.isWaitingForTurn]).toEqual([[SLICE], true]);
    await nextTurn();
    // What has begun comes first.
    expect(order).toEqual(['somebody else after 2']);
    wire.isFull = true;
    await turnsOf(2);
    expect(wire.writes).toEqual([SLICE, SLICE, 1000]);
    // So little the socket would not tell of.
    expect(fixture.drained).toBe(1);
  });

  it('begins in a later turn when enough was sent in this one', async () => {
    const { wire, turns, sender } = setUp();
    turns.spend(AT_ONCE);
    sender.send(LONG);
    sender.send(Buffer.from('end'));
    expect(wire.writes).toEqual([]);
    await turnsOf(5);
    expect(wire.text.equals(Buffer.concat([LONG, Buffer.from('end')]))).toBe(true);
  });

  it('is whole before the end of the connection', async () => {
    const fixture = setUp();
    const { wire, sender } = fixture;
    sender.send(LONG);
    sender.end();
    expect(wire.hasEnded).toBe(false);
    await turnsOf(3);
    expect([wire.hasEnded, wire.text.length, fixture.drained]).toEqual([true, LONG.length, 0]);
  });

  it('is given up when its client is gone', async () => {
    const fixture = setUp();
    const { wire, sender } = fixture;
    sender.send(LONG);
    sender.close();
    sender.send(Buffer.from('more'));
    sender.sendAll([Buffer.from('more')]);
    await turnsOf(3);
    expect([wire.writes, sender.drainingBytes, fixture.drained]).toEqual([[SLICE], 0, 0]);
  });
});
