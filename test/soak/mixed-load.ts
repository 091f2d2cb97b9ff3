import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionLost, PipeClient } from '../crash/pipe-client.ts';
import type { Random } from '../crash/random.ts';

export interface LoadOptions {
  readonly port: number;
  readonly random: Random;
  /** Requests per second, all clients together. */
  readonly rate: number;
  readonly clients: number;
}

const KEYS = 60_000;
const SPECIAL_EVERY_MS = 1500;
/** Bytes of a dump that a client reads before it hangs up. */
const DUMP_BYTES = 200_000;

/** What clients did. */
export interface LoadCounts {
  requests: number;
  connections: number;
  /** Connections that were broken off with a request under way or a reply unread. */
  brokenOff: number;
  special: number;
}

/**
 * Clients that come, mix all kinds of requests, and go, some of them in the middle of something; beside them one that
 * asks for listings, dumps, watches and flushes, reading them to the end or not.
 */
export class MixedLoad {
  readonly counts: LoadCounts = { requests: 0, connections: 0, brokenOff: 0, special: 0 };
  readonly #options: LoadOptions;
  #isOver = false;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Runs until `stop`; then all its connections are closed. Rejects when the server closes one. */
  async run(): Promise<void> {
    const { clients, random } = this.#options;
    await Promise.all([...Array.from({ length: clients }, () => this.#runClient(random.fork())), this.#runSpecials(random.fork())]);
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Stores items as fast as they are taken, until `isEnough`. */
  async fill(isEnough: () => Promise<boolean>): Promise<void> {
    const client = await PipeClient.connect(this.#options.port);
    const random = this.#options.random.fork();
    while (!(await isEnough())) {
      for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 50 }, async () => await client.ask(setRequest(random))));
    }
    client.close();
  }

  async #runClient(random: Random): Promise<void> {
    const { port, rate, clients } = this.#options;
    const pauseMs = (1000 * clients) / rate;
    let dueMs = performance.now() + random.next() * pauseMs;
    while (!this.#isOver) {
      const client = await PipeClient.connect(port);
      this.counts.connections++;
      for (let left = random.between(5, 400); left > 0 && !this.#isOver; left--) {
        await request(client, random);
        this.counts.requests++;
        dueMs += 2 * pauseMs * random.next();
        const waitMs = dueMs - performance.now();
        // Timers are coarse: what is due within one is done at once.
        if (waitMs > 2) await sleep(waitMs);
        else if (waitMs < -1000) dueMs = performance.now();
      }
      const isBroken = random.chance(0.3);
      if (isBroken) {
        this.counts.brokenOff++;
        // Half a request, or one whose reply is not awaited.
        client.ask(random.chance(0.5) ? `set ${keyOf(random)} 0 0 5000\r\nhalf` : `get ${keysOf(random, 50)}`).catch(ignoreLost);
        await sleep(random.below(3));
      } else {
        client.ask('quit').catch(ignoreLost);
      }
      client.close();
    }
  }

  async #runSpecials(random: Random): Promise<void> {
    const { port } = this.#options;
    const specials: readonly (() => Promise<unknown>)[] = [
      async () => await askList(port, 'stats'),
      async () => await askList(port, 'stats storage'),
      async () => await askList(port, 'stats conns'),
      async () => await askList(port, 'stats sizes'),
      async () => await askList(port, 'stats cachedump 1 50'),
      async () => await askList(port, 'lru_crawler metadump all'),
      async () => await hangUp(port, 'lru_crawler metadump all\r\n', DUMP_BYTES),
      async () => await hangUp(port, 'lru_crawler mgdump\r\n', DUMP_BYTES),
      async () => await hangUp(port, 'expire dump\r\n', Number.POSITIVE_INFINITY),
      async () => await hangUp(port, 'expire dump\r\n', DUMP_BYTES),
      async () => await hangUp(port, 'expire dump\r\n', 0),
      async () => await hangUp(port, 'watch fetchers mutations evictions\r\n', DUMP_BYTES),
      async () => await hangUp(port, 'expire list 1000 - 0\r\n', 20_000),
      async () => await hangUp(port, 'nonsense\r\n\u0080\u0000\u0000', 5),
      async () => await askOnce(port, `expire delete k${random.below(60)}:`),
      async () => await askOnce(port, 'sync'),
    ];
    let next = 0;
    while (!this.#isOver) {
      await specials[next % specials.length]!();
      next++;
      // Now and then everything goes.
      if (next % 150 === 0) await askOnce(port, 'flush_all');
      this.counts.special++;
      await sleep(SPECIAL_EVERY_MS);
    }
  }
}

async function request(client: PipeClient, random: Random): Promise<void> {
  const key = keyOf(random);
  const choice = random.next();
  if (choice < 0.35) await client.ask(setRequest(random));
  else if (choice < 0.55) await client.ask(`mg ${key} v f c t h l`);
  else if (choice < 0.65) await client.list(`gets ${keysOf(random, 10)}`);
  else if (choice < 0.7) await client.list(`gat ${random.between(1, 100)} ${key}`);
  else if (choice < 0.75) await client.ask(`delete ${key}`);
  else if (choice < 0.8) await client.ask(`touch ${key} ${random.between(1, 100)}`);
  else if (choice < 0.85) await client.ask(`append ${key} 0 0 20\r\n${'a'.repeat(20)}`);
  else if (choice < 0.9) await client.ask(`ma n${random.below(100)} N0 J1 v`);
  else if (choice < 0.95) await client.ask(`set ${key} 0 2 5 noreply\r\nshort\r\nmn`);
  else await client.ask(`cas ${key} 0 0 5 ${random.below(1e6)}\r\nwrong`);
}

/** Mostly small values, some of a few KB, few large ones. A third expire soon, some later. */
function setRequest(random: Random): string {
  const choice = random.next();
  const length = choice < 0.4 ? random.between(10, 250) : choice < 0.98 ? random.between(250, 6000) : random.between(6000, 100_000);
  const exptime = random.chance(0.3) ? random.between(1, 30) : random.chance(0.3) ? 1000 : 0;
  return `set ${keyOf(random)} ${random.below(1000)} ${exptime} ${length}\r\n${'x'.repeat(length)}`;
}

/** Some keys are asked for much more often than others. */
function keyOf(random: Random): string {
  const number = Math.floor(KEYS * random.next() ** 3);
  return `k${number % 60}:${number}`;
}

function keysOf(random: Random, count: number): string {
  return Array.from({ length: count }, () => keyOf(random)).join(' ');
}

async function askList(port: number, line: string): Promise<void> {
  const client = await PipeClient.connect(port);
  await client.list(line);
  client.close();
}

async function askOnce(port: number, line: string): Promise<void> {
  const client = await PipeClient.connect(port);
  await client.ask(line);
  client.close();
}

/** Asks for something long, and is gone after so many bytes, or 3 s. */
async function hangUp(port: number, line: string, bytes: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(Buffer.from(line, 'latin1'));
  const enough = new Promise<void>((resolve) => {
    let received = 0;
    setTimeout(resolve, 3000);
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (received >= bytes) resolve();
    });
    socket.on('close', () => resolve());
    if (bytes === 0) {
      socket.pause();
      setTimeout(resolve, 200);
    }
  });
  await enough;
  socket.destroy();
}

function ignoreLost(error: unknown): void {
  if (!(error instanceof ConnectionLost)) throw error;
}
