import { setTimeout as sleep } from 'node:timers/promises';
import { NAME_BYTES, writeName } from './load/items.ts';
import type { LoadSpec } from './load/load-spec.ts';
import { LoadGenerator } from './load-generator.ts';
import type { ProcessKeeper } from './process-keeper.ts';
import { askOnce, Server, type ServerNeeds } from './server.ts';
import { median, medianRatio } from './statistics.ts';
import { formatTable } from './table.ts';

const HIT_LIMIT_MS = 300_000;
const POLL_MS = 2;
/** Seconds of sets before each stop, so that there is something in logs to be read again. */
const MOST_LOAD_SECONDS = 2;

/** How a server is ended before it is started again. */
export type Ending = 'SIGTERM' | 'SIGKILL';
export const endings: readonly Ending[] = ['SIGTERM', 'SIGKILL'];

/** One restart of one server. */
export interface RestartMeasurement {
  readonly server: string;
  readonly round: number;
  readonly ending: Ending;
  /** Milliseconds from the start of the process to the first hit. */
  readonly firstHitMs: number;
}

/**
 * Writes for a moment, ends the server, starts it on the same data and asks for an item until it is there. Returns the
 * new server with the time that took.
 */
export async function restart(server: Server, ending: Ending, needs: ServerNeeds, spec: LoadSpec, seconds: number, keeper: ProcessKeeper): Promise<{ server: Server; firstHitMs: number }> {
  const generator = await LoadGenerator.start({ ...spec, getShare: 0 }, keeper);
  try {
    await generator.run(Math.min(MOST_LOAD_SECONDS, seconds));
  } finally {
    generator.end();
  }
  await server.end(ending);
  const startedAt = performance.now();
  const next = await Server.start(server.contestant, needs, keeper);
  await firstHit(next.port, `${spec.keyPrefix}${firstName()}`, startedAt + HIT_LIMIT_MS);
  return { server: next, firstHitMs: performance.now() - startedAt };
}

async function firstHit(port: number, key: string, endsAt: number): Promise<void> {
  // Redis takes such a line too.
  while (!/^(VALUE |\$\d)/.test((await askOnce(port, `get ${key}`)) ?? '')) {
    if (performance.now() > endsAt) throw new Error(`the first item is not there ${HIT_LIMIT_MS / 1000} s after the start`);
    await sleep(POLL_MS);
  }
}

function firstName(): string {
  const name = Buffer.alloc(NAME_BYTES);
  writeName(name, 0, 0);
  return name.toString('latin1');
}

/** The table of all restarts, one row per server and ending. */
export function writeRestarts(measurements: readonly RestartMeasurement[], servers: readonly string[], reference: string): string {
  const byRound = (server: string, ending: Ending): (number | undefined)[] => {
    const values: (number | undefined)[] = [];
    for (const one of measurements) if (one.server === server && one.ending === ending) values[one.round] = one.firstHitMs;
    return Array.from(values);
  };
  const rows = servers.flatMap((server) =>
    endings.flatMap((ending) => {
      const told = byRound(server, ending).filter((value) => value !== undefined);
      if (told.length === 0) return [];
      const ratio = medianRatio(byRound(server, ending), byRound(reference, ending));
      return [[server, ending, median(told).toFixed(0), Math.max(...told).toFixed(0), ratio?.toFixed(2) ?? '–']];
    }),
  );
  return formatTable(['server', 'after', 'first hit ms', 'longest ms', '× first hit'], rows);
}
