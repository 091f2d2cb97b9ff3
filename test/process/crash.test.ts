import { describe, expect, it } from 'vitest';
import { Campaign, type KillKind } from '../crash/campaign.ts';
import { type Setup, setups } from '../crash/setups.ts';

/** Determines what clients do and when something is killed; what the processes are doing then is up to the machine. */
const SEED = Number(process.env['TUGELA_CRASH_SEED'] ?? 20_261_121);
const LOAD_MS = [100, 450] as const;
const TIMEOUT_MS = 120_000;

/** What is killed in each campaign: together more than 20 rounds, each kind more than once. */
const campaigns: readonly (readonly [Setup, readonly KillKind[]])[] = [
  [setups.log, ['server', 'opening', 'daemon', 'closing', 'compacting', 'both', 'server', 'opening']],
  [setups.evicting, ['server', 'evicting', 'closing', 'evicting', 'compacting']],
  [setups.sync, ['server', 'closing', 'both', 'opening']],
  [setups.memory, ['server', 'closing', 'daemon', 'compacting', 'server']],
];

describe.each(campaigns.map(([setup, kinds]) => ({ setup, kinds, name: setup.name })))('crashes, $name', ({ setup, kinds }) => {
  it(
    `leave what was promised, ${kinds.length} times (seed ${SEED})`,
    async () => {
      const campaign = new Campaign(setup, SEED);
      let code: number | null | undefined;
      try {
        await campaign.start();
        for (const kind of kinds) {
          const { acknowledged, compared } = await campaign.round({ kind, loadMs: LOAD_MS });
          expect(acknowledged, kind).toBeGreaterThan(0);
          expect(compared, kind).toBeGreaterThan(0);
        }
      } finally {
        code = await campaign.close();
      }
      expect(campaign.faults.kept).toEqual([]);
      expect(code).toBe(0);
    },
    TIMEOUT_MS,
  );
});
