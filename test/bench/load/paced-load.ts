import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Checker } from './checker.ts';
import { createChecker } from './dialect.ts';
import type { Encoder } from './encoder.ts';
import type { LoadSpec } from './load-spec.ts';
import type { Measurements } from './measurements.ts';
import { RateSchedule } from './rate-schedule.ts';
import { createRequest, type Request } from './request.ts';
import type { RequestSource } from './request-source.ts';
import { connectTo } from './socket.ts';
import { startTicking } from './ticker.ts';

const TICK_MS = 0.5;
/** Requests under way on one connection at most; what is due beyond waits, and its time runs. */
const MOST_IN_FLIGHT = 64;

interface Connection {
  readonly socket: Socket;
  checker: Checker | undefined;
}

interface Run {
  readonly endsAt: number;
  readonly measurements: Measurements;
  readonly schedule: RateSchedule;
  readonly finish: () => void;
  readonly fail: (error: Error) => void;
}

/**
 * An open load: requests at a fixed rate, in turn on all connections, whether those before are answered or not. Their
 * latency runs from when they were due, so that a stall of the server shows in all that came meanwhile.
 */
export class PacedLoad {
  readonly #spec: LoadSpec;
  readonly #source: RequestSource;
  readonly #encoder: Encoder;
  readonly #connections: readonly Connection[];
  readonly #idle: Request[] = [];
  #turn = 0;
  #run: Run | undefined;

  constructor(spec: LoadSpec, source: RequestSource, encoder: Encoder) {
    this.#spec = spec;
    this.#source = source;
    this.#encoder = encoder;
    this.#connections = Array.from({ length: spec.connections }, () => this.#connect());
  }

  /** Resolves once connected, with the clock at work. */
  async open(): Promise<void> {
    const connected = this.#connections.map(async ({ socket }) => (socket.connecting ? await once(socket, 'connect') : undefined));
    await Promise.all([startTicking(TICK_MS, () => this.#sendDue()), ...connected]);
  }

  /** Resolves when all that was due before `endsAt` is answered. One run at a time. */
  async run(endsAt: number, measurements: Measurements): Promise<void> {
    for (const connection of this.#connections) {
      connection.checker = createChecker(this.#spec, measurements.tally, (request) => {
        measurements.countAnswered(request, performance.now());
        this.#idle.push(request);
      });
    }
    await new Promise<void>((finish, fail) => {
      const schedule = new RateSchedule(this.#spec.rate ?? 1, performance.now(), TICK_MS);
      this.#run = { endsAt, measurements, schedule, finish, fail };
    });
  }

  #connect(): Connection {
    const socket = connectTo(this.#spec.port, (bytes) => {
      if (this.#run === undefined) throw new Error('the server sent something unasked');
      connection.checker?.push(bytes);
      this.#finishWhenAnswered();
    });
    const connection: Connection = { socket, checker: undefined };
    socket.on('close', () => this.#run?.fail(new Error('the server closed a connection')));
    socket.on('error', (error) => this.#run?.fail(error));
    return connection;
  }

  #sendDue(): void {
    if (this.#run === undefined) return;
    const { endsAt, measurements, schedule } = this.#run;
    const now = performance.now();
    while (schedule.nextMs < endsAt) {
      const connection = this.#nextFree();
      const dueMs = connection === undefined ? undefined : schedule.take(now);
      if (connection === undefined || dueMs === undefined) break;
      const request = this.#idle.pop() ?? createRequest(this.#spec.keysPerGet);
      this.#source.next(request);
      request.startedAt = dueMs;
      measurements.countSent(now - dueMs);
      connection.checker?.expect(request);
      connection.socket.write(this.#encoder.encode([request], 1));
    }
    this.#finishWhenAnswered();
  }

  /** The next connection in turn that is not full; undefined when all are. */
  #nextFree(): Connection | undefined {
    for (let tried = 0; tried < this.#connections.length; tried += 1) {
      const connection = this.#connections[this.#turn];
      this.#turn = (this.#turn + 1) % this.#connections.length;
      if (connection?.checker !== undefined && connection.checker.outstanding < MOST_IN_FLIGHT) return connection;
    }
    return undefined;
  }

  #finishWhenAnswered(): void {
    if (this.#run === undefined || this.#run.schedule.nextMs < this.#run.endsAt) return;
    if (this.#connections.some(({ checker }) => checker !== undefined && checker.outstanding > 0)) return;
    const { finish } = this.#run;
    this.#run = undefined;
    finish();
  }
}
