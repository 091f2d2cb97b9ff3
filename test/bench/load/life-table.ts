const NEVER = 0xffffffff;

/** When each item that was sent expires, so that what is alive in a server is known without asking it. */
export class LifeTable {
  readonly #expiresAt: Uint32Array;

  constructor(items: number) {
    this.#expiresAt = new Uint32Array(items);
  }

  /** Notes that an item was sent with so many seconds to live; 0 = for ever. */
  sent(id: number, timeToLive: number, nowMs: number = Date.now()): void {
    this.#expiresAt[id] = timeToLive === 0 ? NEVER : Math.floor(nowMs / 1000) + timeToLive;
  }

  /** Items that were sent and are not over. */
  alive(nowMs: number = Date.now()): number {
    const now = Math.floor(nowMs / 1000);
    let count = 0;
    for (const expiresAt of this.#expiresAt) if (expiresAt > now) count += 1;
    return count;
  }
}
