import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EphemeralSweep } from '../../src/upkeep/ephemeral-sweep.ts';
import { FlushReclaim } from '../../src/upkeep/flush-reclaim.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { withTempDirectory } from '../support/temp-directory.ts';
import { CacheModel, executeOnBoth, type ModelCommand, modelCommand } from './model.ts';

/** Budgets of the RAM tier: none, one that thrashes, one that holds everything. */
const ramBytes = fc.constantFrom(0, 32_000, 4 * 2 ** 20);

/** Items in memory alone: none; those up to ten seconds, or nearly all, with room for a few of them or for all. */
const ephemeral = fc.constantFrom(undefined, { seconds: 10, limitBytes: 2 ** 20 }, { seconds: 100, limitBytes: 1500 }, { seconds: 3600, limitBytes: 2 ** 20 });

type Step = ModelCommand | { readonly kind: 'clock'; readonly seconds: number } | { readonly kind: 'reopen' | 'sweep' | 'reclaim' | 'commit' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: modelCommand },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('clock' as const), seconds: fc.constantFrom(1, 2, 5, 30, 10_000, -3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('sweep' as const, 'reclaim' as const, 'commit' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
);

async function sweep(open: OpenCache): Promise<void> {
  new EphemeralSweep(open.residency, open.store).start();
  const { rows, seen } = await open.target.due(100);
  await open.target.reap(
    seen,
    rows.map(({ id }) => id),
  );
}

async function upkeep(open: OpenCache, kind: 'sweep' | 'reclaim' | 'commit'): Promise<void> {
  if (kind === 'sweep') await sweep(open);
  else if (kind === 'reclaim') await new FlushReclaim(open.residency, open.store).run(new AbortController().signal);
  else await open.store.sync();
}

describe('Cache', () => {
  it('answers as memcached does, across sweeps, clock moves and openings', async () => {
    await fc.assert(
      fc.asyncProperty(ramBytes, ephemeral, fc.array(step, { minLength: 10, maxLength: 80 }), async (bytes, kept, steps) => {
        await withTempDirectory(async (directory) => {
          const open = await OpenCache.open(directory, bytes, undefined, undefined, kept);
          const model = new CacheModel();
          for (const step of steps) {
            switch (step.kind) {
              case 'clock':
                // A clock that goes back would bring items back to life in the model alone.
                open.clock.advance(Math.max(step.seconds, 0));
                break;
              case 'sweep':
              case 'reclaim':
              case 'commit':
                await upkeep(open, step.kind);
                break;
              case 'reopen':
                await open.close();
                await checkStore(directory);
                await open.reopen();
                break;
              default: {
                const { actual, expected } = await executeOnBoth(open, model, step);
                expect(actual).toEqual(expected);
              }
            }
          }
          await open.close();
          await checkStore(directory);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('answers in an order that memcached could have answered in, when many connections and the upkeep work at once', async () => {
    const lane = fc.array(fc.oneof({ weight: 20, arbitrary: modelCommand }, { weight: 1, arbitrary: fc.record({ kind: fc.constant('clock' as const), seconds: fc.constantFrom(1, 7, 40) }) }), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(ramBytes, ephemeral, fc.array(lane, { minLength: 2, maxLength: 6 }), fc.boolean(), async (bytes, kept, lanes, waitsForCommit) => {
        await withTempDirectory(async (directory) => {
          const open = await OpenCache.open(directory, bytes, undefined, undefined, kept);
          const model = new CacheModel();
          let running = lanes.length;
          const isWorking = (): boolean => running > 0;
          const clients = lanes.map(async (commands) => {
            for (const command of commands) {
              if (command.kind === 'clock') {
                open.clock.advance(command.seconds);
                continue;
              }
              const { actual, expected } = await executeOnBoth(open, model, command);
              expect(actual).toEqual(expected);
              if (waitsForCommit) await open.store.inLevel();
            }
          });
          const workers = (['sweep', 'reclaim', 'sweep', 'commit'] as const).map(async (kind) => {
            while (isWorking()) {
              await upkeep(open, kind);
              await new Promise((resolve) => setImmediate(resolve));
            }
          });
          try {
            await Promise.all(clients.map((client) => client.finally(() => running--)));
          } finally {
            running = 0;
            await Promise.all(workers);
            await open.close();
          }
          await checkStore(directory);
        });
      }),
      { numRuns: 40 },
    );
  });
});
