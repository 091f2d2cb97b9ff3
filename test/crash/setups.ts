import type { Profile } from './writer.ts';

/** How a server is run, and what its clients do. */
export interface Setup {
  readonly name: string;
  readonly args: readonly string[];
  /** What was acknowledged may be lost, but only from the end. */
  readonly mayLose: boolean;
  readonly evicts: boolean;
  readonly profiles: readonly Profile[];
  /** Share of the items that are compared after each crash, besides those in doubt: there may be many. */
  readonly share: number;
  /** Share of the rounds in which everything is flushed. */
  readonly flushes: number;
  /** Share of the others in which all items under a prefix are deleted, and the characters that it has at least. */
  readonly deletes: number;
  readonly prefixLength: number;
}

const mixed: Profile = {
  keys: 60,
  window: 6,
  thinkMs: 3,
  valueBytes: [
    [20, 250],
    [20, 250],
    [100, 3000],
    [100, 3000],
    [5000, 60_000],
  ],
  reads: 0.2,
};

/** Values that fill a small disk, and are crowded out by one another. */
const filler: Profile = { keys: 1000, window: 6, thinkMs: 3, valueBytes: [[50_000, 250_000]], reads: 0.1 };
const smallFiller: Profile = { keys: 4000, window: 6, thinkMs: 3, valueBytes: [[20, 250]], reads: 0.1 };

const plain = { mayLose: false, evicts: false, profiles: Array.from({ length: 6 }, () => mixed), share: 1, flushes: 0.3, deletes: 0.5, prefixLength: 1 };

/** By the name of what is special in them. */
export const setups = {
  log: { ...plain, name: 'log', args: ['--ack', 'log', '-m', '4'] },
  sync: { ...plain, name: 'sync', args: ['--ack', 'sync', '-m', '4'] },
  memory: { ...plain, name: 'memory', args: ['--ack', 'memory', '-m', '4'], mayLose: true },
  evicting: {
    ...plain,
    name: 'evicting',
    args: ['--ack', 'log', '-m', '8', '--disk-limit', '128m'],
    evicts: true,
    profiles: [filler, smallFiller, mixed, mixed],
    share: 0.1,
    // Or there would be nothing left to evict. Four characters stand for a ninth of one client's items.
    flushes: 0,
    prefixLength: 4,
  },
} as const satisfies Record<string, Setup>;
