import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { defaultConfig } from '../../../src/index.ts';
import { type RunningServer, startServer } from '../../../src/server/start.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { cutAtRandom, randomOf } from '../cut.ts';
import { packetSeeds, packetWords, textWords, transcriptSeeds } from '../seeds.ts';
import { holds, type Target } from '../target.ts';

const PATIENCE_MS = 15_000;

/** A whole server behind a socket, with all its limits low: it goes on serving, and logs no mistake of its own. */
class Prey {
  readonly #faults: string[] = [];
  #server: RunningServer | undefined;
  #directory = '';
  readonly #clock = new ManualClock();
  #count = 0;

  async reset(): Promise<void> {
    await this.close();
    this.#directory = mkdtempSync(join(tmpdir(), 'tugela-fuzz-'));
    this.#faults.length = 0;
    const logger = pino({ level: 'error' }, { write: (line: string) => void this.#faults.push(line) });
    this.#server = await startServer(
      {
        ...defaultConfig,
        port: 0,
        file: this.#directory,
        memory: 8,
        connections: 50,
        sync: 0,
        maxItemSize: 256 * 1024,
        connectionMemory: 1024 * 1024,
        ephemeralTtl: 20,
        quotas: [{ prefix: 'q:', bytes: 20_000 }],
      },
      { logger, sweep: async () => {}, clock: this.#clock },
    );
  }

  async close(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
    if (this.#directory !== '') rmSync(this.#directory, { recursive: true, force: true });
  }

  async run(input: Buffer): Promise<void> {
    // It would take the memory that it is told to, or turn on logging.
    if (/cache_memlimit|verbosity/.test(input.toString('latin1'))) return;
    const random = randomOf(input);
    if (random.chance(0.2)) this.#clock.advance(random.between(0, 30));
    await this.#send(cutAtRandom(input).slice(0, 30), random.chance(0.3));
    if (++this.#count % 8 === 0) {
      const reply = await this.#send([Buffer.from('version\r\nset alive 0 0 1\r\n1\r\nget alive\r\n')], false);
      holds(/^VERSION .*\r\nSTORED\r\nVALUE alive 0 1\r\n1\r\nEND\r\n$/.test(reply), `who comes next is served, not: ${JSON.stringify(reply)}`);
    }
    holds(this.#faults.length === 0, `nothing is wrong in the log: ${this.#faults[0]}`);
  }

  /** All replies; a rude client hangs up in the middle of them. */
  async #send(pieces: readonly Buffer[], isRude: boolean): Promise<string> {
    const port = Number(this.#server!.addresses[0]!.split(':').at(-1));
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    socket.on('error', () => undefined);
    let received = '';
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const timer = setTimeout(() => socket.destroy(new Error('too late')), PATIENCE_MS);
    let isLate = false;
    socket.on('error', (error) => {
      isLate ||= error.message === 'too late';
    });
    socket.on('end', () => socket.end());
    for (const piece of pieces) {
      if (socket.destroyed) break;
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (isRude) socket.destroy();
    else socket.end();
    await closed;
    clearTimeout(timer);
    holds(!isLate, 'a connection comes to its end');
    return received;
  }
}

const prey = new Prey();

export const serverTargets: readonly Target[] = [
  {
    name: 'server',
    seeds: [...transcriptSeeds(), ...packetSeeds, Buffer.from(`stats\r\nstats conns\r\nstats settings\r\nstats items\r\nstats sizes\r\nstats detail on\r\nstats detail dump\r\nstats storage\r\nstats expire\r\nstats load\r\nset a 0 0 200000\r\n${'x'.repeat(1000)}`)],
    words: [...textWords, ...packetWords, 'stats conns\r\n', 'stats reset\r\n', 'expire hotkeys\r\n', 'expire\r\n', 'stats prefixes\r\n', 'watch mutations fetchers\r\n'],
    maxBytes: 60_000,
    bufferBytes: 2 ** 30,
    reset: () => prey.reset(),
    run: (input) => prey.run(input),
    close: () => prey.close(),
  },
];
