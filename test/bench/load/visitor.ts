import { createChecker } from './dialect.ts';
import type { Encoder } from './encoder.ts';
import type { LoadSpec } from './load-spec.ts';
import type { Measurements } from './measurements.ts';
import { createRequest, type Request } from './request.ts';
import type { RequestSource } from './request-source.ts';
import { connectTo } from './socket.ts';

/** Comes and goes as a PHP page does: connects, asks for one item after the other, quits, and comes again. */
export class Visitor {
  readonly #spec: LoadSpec;
  readonly #source: RequestSource;
  readonly #encoder: Encoder;

  constructor(spec: LoadSpec, source: RequestSource, encoder: Encoder) {
    this.#spec = spec;
    this.#source = source;
    this.#encoder = encoder;
  }

  /** Has nothing to open: every visit does. */
  async open(): Promise<void> {}

  /** Visits until `endsAt`; a visit that has begun is finished. */
  async run(endsAt: number, measurements: Measurements): Promise<void> {
    while (performance.now() < endsAt) await this.#visit(measurements);
  }

  /** Resolves when the server has closed the connection after `quit`. */
  async #visit(measurements: Measurements): Promise<void> {
    let left = this.#spec.visitGets;
    await new Promise<void>((resolve, reject) => {
      // The first answer is timed from here: connecting is part of what the visitor waits for.
      let since = performance.now();
      const request = createRequest(this.#spec.keysPerGet);
      const send = (): void => {
        this.#source.next(request);
        request.startedAt = since;
        checker.expect(request);
        socket.write(this.#encoder.encode([request], 1));
      };
      const checker = createChecker(this.#spec, measurements.tally, (answered: Request) => {
        since = performance.now();
        measurements.countAnswered(answered, since);
        left -= 1;
        if (left > 0) send();
        else socket.write('quit\r\n');
      });
      const socket = connectTo(this.#spec.port, (bytes) => {
        // Redis answers to quit.
        if (left > 0 || this.#spec.protocol !== 'resp') checker.push(bytes);
      });
      socket.on('connect', send);
      socket.on('error', reject);
      socket.on('close', () => (left === 0 ? resolve() : reject(new Error('the server closed a connection before quit'))));
    });
  }
}
