import { LifeTable } from './life-table.ts';
import type { LoadDetails, LoadResult, LoadSpec } from './load-spec.ts';
import { Measurements } from './measurements.ts';
import { RequestEncoder } from './request-encoder.ts';
import { RequestSource } from './request-source.ts';
import { SteadyConnection } from './steady-connection.ts';
import { Visitor } from './visitor.ts';

/** A connection, or one who comes and goes. */
interface Client {
  open(): Promise<void>;
  run(endsAt: number, measurements: Measurements): Promise<void>;
}

/** Drives one server as its spec says. */
export class Generator {
  readonly #clients: readonly Client[];
  readonly #untilDone: boolean;
  readonly #lives: LifeTable;
  #opened = false;

  constructor(spec: LoadSpec) {
    const source = new RequestSource(spec);
    this.#lives = new LifeTable(spec.items);
    const encoder = new RequestEncoder(spec, this.#lives);
    const ClientOfMode = spec.mode === 'visits' ? Visitor : SteadyConnection;
    this.#clients = Array.from({ length: spec.connections }, () => new ClientOfMode(spec, source, encoder));
    this.#untilDone = spec.mode === 'fill';
  }

  /** Puts the load on the server for `seconds`, then waits for the answers that are still due. */
  async run(seconds: number): Promise<{ result: LoadResult; details: LoadDetails }> {
    if (!this.#opened) await Promise.all(this.#clients.map((client) => client.open()));
    this.#opened = true;
    const measurements = new Measurements();
    const endsAt = this.#untilDone ? Number.POSITIVE_INFINITY : performance.now() + seconds * 1000;
    await Promise.all(this.#clients.map((client) => client.run(endsAt, measurements)));
    return { result: measurements.result(), details: { latencies: measurements.latencies(), itemsAlive: this.#lives.alive() } };
  }
}
