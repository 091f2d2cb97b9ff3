import { Campaign, type KillKind, type RoundReport } from '../crash/campaign.ts';
import { Random } from '../crash/random.ts';
import { type Setup, setups } from '../crash/setups.ts';
import { percentile } from './statistics.ts';

/** Which of the rounds are done by which setup, and what is killed in them, in turn. */
const plans: readonly { readonly setup: Setup; readonly share: number; readonly kinds: readonly KillKind[] }[] = [
  { setup: setups.log, share: 0.35, kinds: ['server', 'opening', 'closing', 'server', 'compacting', 'daemon', 'server', 'both'] },
  { setup: setups.evicting, share: 0.3, kinds: ['evicting', 'server', 'evicting', 'compacting', 'opening', 'evicting', 'closing', 'both'] },
  { setup: setups.sync, share: 0.2, kinds: ['server', 'closing', 'opening', 'compacting', 'both'] },
  { setup: setups.memory, share: 0.15, kinds: ['server', 'closing', 'compacting', 'opening', 'daemon'] },
];
/** Rounds on one store, before the next begins with an empty one. */
const ROUNDS_PER_STORE = 25;
const LOAD_MS = [100, 1500] as const;

/** What is told while it goes on. */
export type Say = (line: string) => void;

/** Rounds of kill -9; gives back what was broken. Ends at `endMs` (of performance.now()) at the latest, with what is done. */
export async function runCrashRounds(rounds: number, seed: number, endMs: number, say: Say): Promise<readonly string[]> {
  const random = new Random(seed);
  const reports: (RoundReport & { setup: string })[] = [];
  const faults: string[] = [];
  for (const { setup, share, kinds } of plans) {
    const count = Math.round(rounds * share);
    for (let done = 0; done < count && performance.now() < endMs; ) {
      const storeSeed = random.below(2 ** 31);
      const campaign = new Campaign(setup, storeSeed);
      try {
        await campaign.start();
        for (let i = 0; i < ROUNDS_PER_STORE && done < count && performance.now() < endMs; i++, done++) {
          const kind = kinds[done % kinds.length]!;
          reports.push({ setup: setup.name, ...(await campaign.round({ kind, loadMs: LOAD_MS })) });
        }
      } catch (error) {
        campaign.faults.add(`broken off: ${(error as Error).stack}`);
      }
      const code = await campaign.close();
      if (code !== 0) campaign.faults.add(`the server's orderly stop ends with ${code}`);
      faults.push(...campaign.faults.kept.map((fault) => `${fault} (seed of the store ${storeSeed})`));
      say(`${setup.name}: ${done} of ${count} rounds, ${campaign.faults.total} faults`);
      if (campaign.faults.total > 0) break;
    }
  }
  report(rounds, reports, say);
  if (reports.length < rounds && performance.now() >= endMs) say(`only ${reports.length} of ${rounds} rounds fitted into the time`);
  return faults;
}

function report(asked: number, reports: readonly (RoundReport & { setup: string })[], say: Say): void {
  const sum = (count: (round: RoundReport) => number): number => reports.reduce((total, round) => total + count(round), 0);
  say(`${reports.length} of ${asked} crash rounds, ${sum(({ kills }) => kills)} processes killed`);
  say('kind        rounds  kills  in the moment meant');
  for (const kind of new Set(reports.map((round) => round.kind))) {
    const of = reports.filter((round) => round.kind === kind);
    const kills = of.reduce((total, round) => total + round.kills, 0);
    say(`${kind.padEnd(12)}${String(of.length).padStart(5)}${String(kills).padStart(7)}${String(of.filter(({ isOnTime }) => isOnTime).length).padStart(8)}`);
  }
  for (const { setup } of plans) {
    const of = reports.filter((round) => round.setup === setup.name);
    say(`${setup.name}: ${of.length} rounds, ${of.reduce((total, round) => total + round.acknowledged, 0)} writes acknowledged`);
  }
  const starts = reports.flatMap(({ startMs }) => startMs ?? []);
  say(
    `${sum(({ acknowledged }) => acknowledged)} writes acknowledged, ${sum(({ compared }) => compared)} keys compared, ${sum(({ inDoubt }) => inDoubt)} of them in doubt; ` +
      `${reports.filter(({ hasFlushed }) => hasFlushed).length} rounds with flush_all, ` +
      `${reports.filter(({ hasDeleted }) => hasDeleted).length} with a delete of a prefix`,
  );
  say(`from start to first answer: median ${percentile(starts, 0.5)} ms, longest ${percentile(starts, 1)} ms`);
}
