import { describe, expect, it } from 'vitest';
import { ConnectionMemory, type MemoryHolder } from '../../src/server/connection-memory.ts';
import { SLICE_MS, SlicedQueue } from '../../src/sliced-queue.ts';

class Client implements MemoryHolder {
  heldBytes = 0;
  movedBytes = 0;
  isHeldUp = false;
  wokenAt: number[] = [];
  isEvicted = false;
  readonly #memory: () => ConnectionMemory;
  readonly #woken: () => number;
  readonly #onEvict: () => void;

  constructor(memory: () => ConnectionMemory, woken: () => number, onEvict: () => void) {
    this.#memory = memory;
    this.#woken = woken;
    this.#onEvict = onEvict;
  }

  take(bytes: number): void {
    this.heldBytes += bytes;
    this.#memory().change(bytes);
  }

  roomMade(): void {
    this.wokenAt.push(this.#woken());
  }

  evict(): void {
    this.isEvicted = true;
    this.#onEvict();
    this.take(-this.heldBytes);
  }
}

/** `evictionMs`: what it takes to close a client. */
function setUp(count: number, evictionMs = 0): { memory: ConnectionMemory; clients: Client[]; pass: (ms: number) => void; closed: number[] } {
  let now = 0;
  let woken = 0;
  const closed: number[] = [];
  const clients: Client[] = [];
  const memory: ConnectionMemory = new ConnectionMemory(100, () => clients, (number) => closed.push(number), new SlicedQueue(SLICE_MS), () => now);
  for (let i = 0; i < count; i++) clients.push(new Client(() => memory, () => woken++, () => (now += evictionMs)));
  return {
    memory,
    clients,
    pass(ms) {
      now += ms;
      memory.look();
    },
    closed,
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('ConnectionMemory', () => {
  it('is short from half the limit on, and has no room at the limit', () => {
    const { memory, clients } = setUp(2);
    clients[0]!.take(49);
    expect([memory.isShort, memory.hasRoom(0)]).toEqual([false, true]);
    clients[1]!.take(1);
    expect([memory.isShort, memory.hasRoom(0)]).toEqual([true, true]);
    clients[1]!.take(50);
    expect([memory.isShort, memory.hasRoom(0)]).toEqual([true, false]);
  });

  it('has room for who holds nearly everything: nobody waits for itself', () => {
    const { memory, clients } = setUp(2);
    clients[0]!.take(100);
    clients[1]!.take(49);
    expect(memory.hasRoom(clients[0]!.heldBytes)).toBe(true);
    clients[1]!.take(1);
    expect(memory.hasRoom(clients[0]!.heldBytes)).toBe(false);
  });

  it('lets those who wait go on in their order when others have given room', async () => {
    const { memory, clients } = setUp(3);
    const [full, first, second] = clients as [Client, Client, Client];
    full.take(100);
    memory.wait(first);
    memory.wait(second);
    await nextTurn();
    expect([first.wokenAt, second.wokenAt]).toEqual([[], []]);
    full.take(-60);
    expect(first.wokenAt).toEqual([]);
    await nextTurn();
    expect([first.wokenAt, second.wokenAt]).toEqual([[0], [1]]);
    expect(memory.stats()).toMatchObject({ waiting: 0, waits: 2 });
    memory.stop();
  });

  it('forgets who left', async () => {
    const { memory, clients } = setUp(2);
    clients[0]!.take(100);
    memory.wait(clients[1]!);
    memory.leave(clients[1]!);
    clients[0]!.take(-100);
    await nextTurn();
    expect(clients[1]!.wokenAt).toEqual([]);
    memory.stop();
  });

  it('closes those that hold most of who stood still for two seconds at the limit, and leaves half of it free', () => {
    const { memory, clients, pass, closed } = setUp(4);
    [10, 45, 5, 50].forEach((bytes, i) => clients[i]!.take(bytes));
    pass(1999);
    expect(clients.some(({ isEvicted }) => isEvicted)).toBe(false);
    pass(1);
    expect(clients.map(({ isEvicted }) => isEvicted)).toEqual([false, true, false, true]);
    expect(memory.stats()).toMatchObject({ usedBytes: 15, peakBytes: 110, closed: 2 });
    expect(closed).toEqual([2]);
    memory.stop();
  });

  it('spares clients that move, those that it holds up itself, and those that came later', () => {
    const { memory, clients, pass } = setUp(4);
    const [moving, heldUp, still, late] = clients as [Client, Client, Client, Client];
    moving.take(50);
    heldUp.take(30);
    still.take(20);
    pass(1000);
    late.take(40);
    moving.movedBytes += 32 * 1024;
    heldUp.isHeldUp = true;
    pass(1000);
    expect(clients.map(({ isEvicted }) => isEvicted)).toEqual([false, false, true, false]);
    pass(2000);
    expect(clients.map(({ isEvicted }) => isEvicted)).toEqual([true, false, true, true]);
    memory.stop();
  });

  it('lets a few go on in each turn: what they will take is not known before they have read', async () => {
    const { memory, clients } = setUp(41);
    const [full, ...waiting] = clients as [Client, ...Client[]];
    full.take(100);
    for (const client of waiting) memory.wait(client);
    full.take(-60);
    await nextTurn();
    const woken = (): number => waiting.filter(({ wokenAt }) => wokenAt.length > 0).length;
    expect(woken()).toBe(16);
    // Those have read.
    full.take(60);
    await nextTurn();
    expect(woken()).toBe(16);
    full.take(-60);
    await nextTurn();
    expect(woken()).toBe(32);
    await nextTurn();
    expect(woken()).toBe(40);
    memory.stop();
  });

  it('closes for a millisecond in each turn of the event loop, until half of it is free, and tells of all of them at once', async () => {
    const { memory, clients, pass, closed } = setUp(100, 0.03125);
    for (const client of clients) client.take(1);
    pass(2000);
    const evicted = (): number => clients.filter(({ isEvicted }) => isEvicted).length;
    expect(evicted()).toBe(32);
    expect(closed).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(evicted()).toBe(50);
    expect(closed).toEqual([50]);
    expect(memory.stats()).toMatchObject({ usedBytes: 50, closed: 50 });
    memory.stop();
  });

  it('closes nobody when there was room in between', () => {
    const { memory, clients, pass } = setUp(1);
    clients[0]!.take(100);
    pass(1900);
    clients[0]!.take(-1);
    pass(0);
    clients[0]!.take(1);
    pass(1900);
    expect(clients[0]!.isEvicted).toBe(false);
    memory.stop();
  });

  it('gives its counts anew after a reset, and what is held all the same', () => {
    const { memory, clients } = setUp(1);
    clients[0]!.take(80);
    clients[0]!.take(-70);
    memory.resetCounts();
    expect(memory.stats()).toEqual({ limitBytes: 100, usedBytes: 10, peakBytes: 10, waiting: 0, waits: 0, closed: 0 });
  });
});
