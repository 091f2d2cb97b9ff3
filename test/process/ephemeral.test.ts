import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ServerProcess, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

async function serve(...args: string[]): Promise<{ server: ServerProcess; client: RawClient }> {
  const server = await workspace.serve({ args: ['--ephemeral-ttl', '1000', ...args] });
  return { server, client: await RawClient.connect(server.port) };
}

/** The highest cas unique among some keys. */
async function casOf(client: RawClient, ...keys: string[]): Promise<number> {
  return Math.max(...(await client.getMany(...keys)).map(({ cas }) => Number(cas)));
}

describe('--ephemeral-ttl and a crash', () => {
  it.each(['log', 'sync'])('loses what was in memory alone, and brings back nothing older, with --ack %s', async (ack) => {
    const { server, client } = await serve('--ack', ack);
    for (let i = 0; i < 50; i++) {
      await client.set(`over${i}`, i % 2 === 0 ? 'old' : 'o'.repeat(1000));
      await client.set(`over${i}`, 'short', 0, 900);
    }
    await client.set('alone', 'short', 0, 900);
    await client.set('longer', 'v'.repeat(700), 0, 900);
    expect(await client.ask('touch longer 2000')).toBe('TOUCHED');
    await client.set('kept', 'long');
    await server.kill();

    const next = await serve();
    const keys = Array.from({ length: 50 }, (_, i) => `over${i}`);
    expect((await next.client.getMany(...keys, 'alone', 'longer', 'kept')).map(({ key }) => key)).toEqual(['longer', 'kept']);
    expect(await next.server.stop()).toBe(0);
    const verified = await workspace.run(['store', 'verify', workspace.path('data')]);
    expect(verified.code, verified.stdout).toBe(0);
  });

  it('repeats no cas unique, though nothing but such items was stored', async () => {
    let highest = 0;
    for (let i = 0; i < 3; i++) {
      const { server, client } = await serve();
      await client.set('a', 'short', 0, 900);
      await client.set('b', 'short', 0, 900);
      const lowest = Number((await client.getMany('a'))[0]?.cas);
      expect(lowest).toBeGreaterThan(highest);
      highest = await casOf(client, 'a', 'b');
      await server.kill();
    }
  });

  it('loses nothing at an orderly stop', async () => {
    const { server, client } = await serve();
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
    for (const key of keys) await client.set(key, key.repeat(300), 0, 900);
    const before = await client.getMany(...keys);
    expect(await server.stop()).toBe(0);
    const next = await serve();
    expect((await next.client.getMany(...keys)).map(({ key, value }) => [key, value])).toEqual(before.map(({ key, value }) => [key, value]));
    expect(before).toHaveLength(200);
  });
});
