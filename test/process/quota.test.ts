import { afterEach, describe, expect, it } from 'vitest';
import { checkStore } from '../support/check-store.ts';
import { eventually, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

const LIMIT = 2 * 2 ** 20;
const ARGS = ['--quota', 'flood:=2m', '--quota', 'calm:=2m', '-m', '8'];
const CALM = 500;
/** Bytes of values: in rows, and in segments. */
const LENGTHS = [100, 1000];

let workspace: Workspace | undefined;

afterEach(async () => {
  await workspace?.close();
});

/** Sends sets in batches until the connection ends. */
async function flood(client: RawClient): Promise<void> {
  for (let i = 0; !client.isOver; i += 100) {
    const length = LENGTHS[(i / 100) % 2]!;
    client.send(Array.from({ length: 100 }, (_, j) => `set flood:${i + j} 0 0 ${length}\r\n${'v'.repeat(length)}\r\n`).join(''));
    for (let j = 0; j < 100; j++) if ((await client.line()) === undefined) return;
  }
}

describe('--quota', () => {
  it('bounds a prefix over a kill in the middle of a flood, with counts that agree with the items', async () => {
    workspace = new Workspace();
    for (let round = 0; round < 2; round++) {
      const server = await workspace.serve({ args: ARGS });
      const calm = await RawClient.connect(server.port);
      for (let i = 0; i < CALM; i++) {
        if (round === 0) expect(await calm.set(`calm:${i}`, 'v'.repeat(1000))).toBe('STORED');
        else expect((await calm.get(`calm:${i}`))?.value).toHaveLength(1000);
      }
      const stats = await calm.stats('prefixes');
      expect(stats.get('quota:calm%3A:items')).toBe(String(CALM));
      expect(Number(stats.get('quota:flood%3A:counted'))).toBe(1);
      if (round > 0) expect(Number(stats.get('quota:flood%3A:bytes'))).toBeGreaterThan(0.9 * LIMIT);
      const flooding = flood(await RawClient.connect(server.port)).catch(() => undefined);
      let most = 0;
      await eventually(async () => {
        const now = await calm.stats('prefixes');
        most = Math.max(most, Number(now.get('quota:flood%3A:bytes')));
        return Number(now.get('quota:flood%3A:evictions')) > 1000;
      }, 'items are evicted');
      expect(most).toBeLessThanOrEqual(LIMIT);
      await server.kill();
      await flooding;
      const { items } = await checkStore(workspace.path('data'));
      const bytes = [...items].filter(([key]) => key.startsWith('flood:')).reduce((sum, [key, { length }]) => sum + key.length + length, 0);
      expect(bytes).toBeLessThanOrEqual(LIMIT);
      expect([...items.keys()].filter((key) => key.startsWith('calm:'))).toHaveLength(CALM);
    }
  });

  it('is told of when it is wrong, before anything is opened', async () => {
    workspace = new Workspace();
    const program = workspace.start(['serve', '--quota', 'a:=1']);
    expect((await program.ended).code).toBe(2);
    expect(program.stderr).toContain("--quota: 'a:=1' has a size that is not a size from 64k to 1024t");
  });
});
