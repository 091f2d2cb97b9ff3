import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Checker } from './checker.ts';
import { createChecker } from './dialect.ts';
import type { Encoder } from './encoder.ts';
import type { LoadSpec } from './load-spec.ts';
import type { Measurements } from './measurements.ts';
import { createRequest, type Request } from './request.ts';
import type { RequestSource } from './request-source.ts';
import { connectTo } from './socket.ts';

interface Run {
  readonly endsAt: number;
  readonly finish: () => void;
  readonly fail: (error: Error) => void;
}

/** A connection that keeps a number of requests under way; an answer is followed by the next request at once. */
export class SteadyConnection {
  readonly #source: RequestSource;
  readonly #encoder: Encoder;
  readonly #spec: LoadSpec;
  readonly #socket: Socket;
  readonly #idle: Request[];
  #checker: Checker | undefined;
  #run: Run | undefined;

  constructor(spec: LoadSpec, source: RequestSource, encoder: Encoder) {
    this.#spec = spec;
    this.#source = source;
    this.#encoder = encoder;
    this.#idle = Array.from({ length: spec.inFlight }, () => createRequest(spec.keysPerGet));
    this.#socket = connectTo(spec.port, (bytes) => this.#take(bytes));
    this.#socket.on('close', () => this.#run?.fail(new Error('the server closed a connection')));
    this.#socket.on('error', (error) => this.#run?.fail(error));
  }

  /** Resolves once connected. */
  async open(): Promise<void> {
    if (this.#socket.connecting) await once(this.#socket, 'connect');
  }

  /** Resolves when the answer to the last request that was sent before `endsAt` has come. One run at a time. */
  async run(endsAt: number, measurements: Measurements): Promise<void> {
    this.#checker = createChecker(this.#spec, measurements.tally, (request) => {
      measurements.countAnswered(request, performance.now());
      this.#idle.push(request);
    });
    await new Promise<void>((finish, fail) => {
      this.#run = { endsAt, finish, fail };
      this.#send();
      this.#finishWhenAnswered();
    });
  }

  #take(bytes: Buffer): void {
    if (this.#run === undefined) throw new Error('the server sent something unasked');
    this.#checker?.push(bytes);
    if (performance.now() < this.#run.endsAt) this.#send();
    this.#finishWhenAnswered();
  }

  /** Sends as many requests as may be under way, in one write. */
  #send(): void {
    const free = this.#idle.length;
    let count = 0;
    while (count < free && this.#source.next(this.#idle[count] as Request)) count += 1;
    if (count === 0) return;
    const bytes = this.#encoder.encode(this.#idle, count);
    const now = performance.now();
    for (const request of this.#idle.splice(0, count)) {
      request.startedAt = now;
      this.#checker?.expect(request);
    }
    this.#socket.write(bytes);
  }

  #finishWhenAnswered(): void {
    if (this.#run === undefined || this.#checker?.outstanding !== 0) return;
    const { finish } = this.#run;
    this.#run = undefined;
    finish();
  }
}
