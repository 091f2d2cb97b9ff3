import { createEncoder } from './dialect.ts';
import type { Encoder } from './encoder.ts';
import { LifeTable } from './life-table.ts';
import type { LoadDetails, LoadMode, LoadResult, LoadSpec } from './load-spec.ts';
import { Measurements } from './measurements.ts';
import { PacedLoad } from './paced-load.ts';
import { RequestSource } from './request-source.ts';
import { SteadyConnection } from './steady-connection.ts';
import { TracePlayer } from './trace-player.ts';
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
    const encoder = createEncoder(spec, this.#lives);
    this.#clients = Array.from({ length: isOneForAll(spec.mode) ? 1 : spec.connections }, () => createClient(spec, source, encoder));
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

/** Whether one client does the work of all connections. */
function isOneForAll(mode: LoadMode): boolean {
  return mode === 'paced' || mode === 'trace';
}

function createClient(spec: LoadSpec, source: RequestSource, encoder: Encoder): Client {
  switch (spec.mode) {
    case 'visits':
      return new Visitor(spec, source, encoder);
    case 'paced':
      return new PacedLoad(spec, source, encoder);
    case 'trace':
      return new TracePlayer(spec);
    case 'steady':
    case 'fill':
      return new SteadyConnection(spec, source, encoder);
  }
}
