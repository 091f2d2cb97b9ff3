import { Asker } from './victim.ts';

const CLIENTS = 4;
const ITEMS = 20_000;
/** Between two requests of a client: the prober is no load. */
const PAUSE_MS = 2;

/** Clients that behave, and notice how long they wait: gets of 1 KB, one after the other. */
export class Prober {
  readonly #clients: readonly Asker[];

  private constructor(clients: readonly Asker[]) {
    this.#clients = clients;
  }

  static async connect(port: number): Promise<Prober> {
    return new Prober(await Promise.all(Array.from({ length: CLIENTS }, () => Asker.connect(port))));
  }

  /** Milliseconds that 99 of 100 requests took at most, within so many seconds. */
  async p99(seconds: number): Promise<number> {
    const took: number[] = [];
    const endsAt = performance.now() + seconds * 1000;
    await Promise.all(
      this.#clients.map(async (client) => {
        while (performance.now() < endsAt) {
          const began = performance.now();
          await client.ask(`get k${Math.floor(Math.random() * ITEMS)}\r\n`, 'END\r\n');
          took.push(performance.now() - began);
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        }
      }),
    );
    took.sort((a, b) => a - b);
    return took[Math.floor(took.length * 0.99)] ?? 0;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}
