import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RetryingClient } from '../crash/retrying-client.ts';
import { eventually, Workspace } from '../support/process.ts';

const CLIENTS = 6;
const KEYS = 20;
/** Writes that are answered between two restarts. */
const WRITES = 300;
const TIMEOUT_MS = 90_000;

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

/** A client that sets, counts and deletes without a rest, each key by itself. */
class BusyClient {
  readonly client: RetryingClient;
  readonly values = new Map<string, string | undefined>();
  readonly counter: string;
  /** Increments answered, and those that may have been executed once more for each time they were sent. */
  counted = 0;
  countedMost = 0;
  acknowledged = 0;
  isOver = false;
  readonly #name: string;

  constructor(name: string, port: number) {
    this.#name = name;
    this.counter = `${name}:counter`;
    this.client = new RetryingClient(port);
  }

  async run(): Promise<void> {
    for (let i = 0; !this.isOver; i++) {
      const key = `${this.#name}:${i % KEYS}`;
      if (i % 7 === 3) {
        const { value, sent } = await this.client.ask(`ma ${this.counter} N0 J1 D1 v`);
        expect(value).toBeDefined();
        this.counted++;
        this.countedMost += sent;
      } else if (i % 11 === 5) {
        const { line } = await this.client.ask(`delete ${key}`);
        expect(['DELETED', 'NOT_FOUND']).toContain(line);
        this.values.set(key, undefined);
      } else {
        const value = `${key} ${i} `.repeat(1 + (i % 40));
        expect((await this.client.ask(`set ${key} 0 0 ${value.length}\r\n${value}`)).line).toBe('STORED');
        this.values.set(key, value);
      }
      this.acknowledged++;
    }
  }
}

describe.each([
  ['SIGTERM', 'log'],
  ['SIGTERM', 'memory'],
  ['SIGKILL', 'log'],
] as const)('restarts by %s under load, --ack %s, behind clients that try again', (signal, ack) => {
  it('lose no acknowledged write', async () => {
    const args = ['--ack', ack];
    let server = await workspace.serve({ args });
    const { port } = server;
    const clients = Array.from({ length: CLIENTS }, (_, i) => new BusyClient(`c${i}`, port));
    const running = Promise.all(clients.map(async (client) => await client.run()));
    // A failure is reported where it is awaited.
    running.catch(() => undefined);
    const acknowledged = (): number => clients.reduce((sum, client) => sum + client.acknowledged, 0);
    for (let restart = 0; restart < 3; restart++) {
      const before = acknowledged();
      await eventually(async () => await Promise.resolve(acknowledged() > before + WRITES), 'writes are answered');
      if (signal === 'SIGTERM') expect(await server.stop()).toBe(0);
      else await server.kill();
      server = await workspace.serve({ args: [...args, '--port', String(port)], withoutPort: true });
    }
    const before = acknowledged();
    await eventually(async () => await Promise.resolve(acknowledged() > before + WRITES), 'writes are answered after the last restart');
    for (const client of clients) client.isOver = true;
    await running;

    expect(clients.reduce((sum, { client }) => sum + client.retried, 0)).toBeGreaterThan(0);
    for (const { client, values, counter, counted, countedMost } of clients) {
      for (const [key, value] of values) {
        expect((await client.ask(`mg ${key} v`)).value?.toString('latin1'), key).toBe(value);
      }
      const count = Number((await client.ask(`mg ${counter} v`)).value);
      expect(count, counter).toBeGreaterThanOrEqual(counted);
      expect(count, counter).toBeLessThanOrEqual(countedMost);
      client.close();
    }
  }, TIMEOUT_MS);
});
