import { setTimeout as sleep } from 'node:timers/promises';
import type { Bound } from '../bounds.ts';
import { type DataSet, SetMaker } from './data-set.ts';
import { compare, type Gets, showComparison } from './phases.ts';
import { Pipe } from './pipe.ts';
import { Readers } from './readers.ts';
import { removeMost, storeAll } from './remove-most.ts';
import { Watch } from './watch.ts';

/** Share of its former size that the directory must come below. */
const GOAL = 0.15;
/** Times the normal p99 that gets may have while the server gives space back. */
const P99_TIMES = 2;

/** What is measured. */
export interface ReclaimOptions {
  readonly data: DataSet;
  readonly readers: number;
  /** Milliseconds that each rests between two gets. */
  readonly restMs: number;
  /** Seconds of what is normal, before it all and again after it. */
  readonly normalSeconds: number;
  /** Seconds within which the directory must come below the goal. */
  readonly limitSeconds: number;
}

/** Fills a server, has most of it go, and watches it give back the space. `directory` is where its data lie. */
export async function runReclaim(options: ReclaimOptions, directory: string, port: number, say: (text: string) => void): Promise<Bound[]> {
  const { data, readers: connections, restMs, normalSeconds } = options;
  const pipe = await Pipe.connect(port);
  const inspector = await Pipe.connect(port);
  const sets = new SetMaker(data);
  // Time enough to fill and to measure what is normal.
  const expiresAt = data.way === 'expire' ? Math.ceil(Date.now() / 1000) + Math.ceil((data.items * (data.valueBytes + 600)) / 25e6) + normalSeconds + 30 : 0;
  const filling = performance.now();
  await storeAll(data, pipe, sets, expiresAt);
  say(`filled: ${data.items} items of ${data.valueBytes} bytes in ${((performance.now() - filling) / 1000).toFixed(0)} s`);
  // LevelDB compacts what the filling left.
  await sleep(10_000);
  const readers = new Readers({ port, data, connections, restMs });
  try {
    await sleep(2000);
    const watch = await Watch.begin(directory, readers, inspector, say);
    const before = await watch.phase('before', normalSeconds);
    const removed = removeMost(data, pipe, sets, expiresAt);
    const meanwhile = await watchRemoval(watch, options, removed);
    await removed;
    let times = Number.NaN;
    if (watch.leastShare < GOAL) {
      say(`below ${GOAL * 100} %`);
      const isAtRest = await watch.rest();
      const untilRest = watch.endPhase('coming to rest');
      if (!isAtRest) say('The server did not come to rest: what follows was measured beside its work.');
      const after = await watch.phase('after', normalSeconds);
      // Who deletes at full rate may have seen all of the space come back meanwhile: the server still has work to do.
      const judged = meanwhile === undefined ? { name: 'coming to rest', gets: untilRest } : { name: 'giving back', gets: meanwhile };
      const comparison = compare(before, judged.gets, after);
      say(`\n${showComparison([{ name: 'before', gets: before }, judged, { name: 'after', gets: after }], comparison)}`);
      times = comparison.p99;
    }
    return [
      { what: 'disk, % of what it was', measured: 100 * watch.leastShare, most: 100 * GOAL },
      { what: 'p99 while space is given back, times normal', measured: times, most: P99_TIMES },
    ];
  } finally {
    await readers.end();
    inspector.end();
    pipe.end();
  }
}

/** Watches until the goal or for as long as allowed. Returns the gets while the server was on its own; undefined = it never was. */
async function watchRemoval(watch: Watch, { data, limitSeconds }: ReclaimOptions, removed: Promise<void>): Promise<Gets | undefined> {
  const endsAt = performance.now() + limitSeconds * 1000;
  const watchUntil = async (isOver: () => boolean): Promise<void> => {
    while (!isOver() && performance.now() < endsAt) await watch.portion();
  };
  let isRemoved = false;
  const over = (): void => void (isRemoved = true);
  // A failure ends the watching, and is thrown to who awaits it.
  void removed.then(over, over);
  // These two need nothing of the client but a command or patience, after which the server is on its own.
  if (data.way === 'prefix' || data.way === 'expire') await removed;
  await watch.beginPhase();
  if (data.way === 'delete' || data.way === 'flush') {
    await watchUntil(() => isRemoved);
    watch.endPhase('removing');
  }
  if (watch.leastShare < GOAL || performance.now() >= endsAt) return undefined;
  await watchUntil(() => watch.leastShare < GOAL);
  return watch.endPhase('giving back');
}
