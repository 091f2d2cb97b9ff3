import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipeClient } from '../crash/pipe-client.ts';
import { Random } from '../crash/random.ts';
import { type Program, type ServerProcess, within, Workspace } from '../support/process.ts';
import type { Say } from './crash-rounds.ts';
import { MixedLoad } from './mixed-load.ts';
import type { ProbeFigures } from './probe.ts';
import { sampleProcess } from './process-sample.ts';
import { percentile, trendOf } from './statistics.ts';

export interface LeakOptions {
  readonly durationMs: number;
  readonly rate: number;
  readonly seed: number;
}

const CLIENTS = 12;
const SAMPLE_MS = 5000;
/** The course is shown by so many points. */
const SHOWN_POINTS = 8;
/** Share of the time that does not count: caches, the heap and the store find their sizes in it. */
const WARM_UP_SHARE = 0.25;
/** What a line through the samples may rise by over the time that counts, as a share of their mean. */
const RISE_SHARE = 0.05;
/** Numbers so small that a share of them says nothing may rise by this. */
const RISE_COUNT = 3;
const MIB = 2 ** 20;
/** After the load: time for what was under way to end. */
const REST_MS = 8000;
const PATIENCE_MS = 60_000;
const SERVER_ARGS = ['-m', '32', '--disk-limit', '128m', '--sync', '5', '--track-sizes', '--log-level', 'error'];

/** What a small disk under much writing brings with it: stores are refused for a moment. */
const EXPECTED_MESSAGE = 'disk limit reached';

/** What is sampled, in the order in which it is shown, with its unit. */
const FIGURES = {
  'server RSS': MIB,
  'server RssAnon': MIB,
  'server heapUsed': MIB,
  'server external': MIB,
  'server sockets': 1,
  'server files': 1,
  'deleted files held': 1,
  iterators: 1,
  snapshots: 1,
  'tables on disk': 1,
  'tables not in a level': 1,
  'daemon RSS': MIB,
  'daemon descriptors': 1,
  items: 1,
  'disk bytes': MIB,
} as const;
type Figure = keyof typeof FIGURES;
type Sample = Readonly<Record<Figure, number>>;

/** Those that must be flat; the others are there to explain them. */
const FLAT: readonly Figure[] = ['server RSS', 'server RssAnon', 'server heapUsed', 'server sockets', 'server files', 'iterators', 'snapshots', 'tables not in a level', 'daemon RSS', 'daemon descriptors'];

/** Those that must be 0 when nothing is under way any more. Tables out of use are not among them: LevelDB removes them at its next compaction. */
const NONE_AT_REST: readonly Figure[] = ['deleted files held', 'iterators', 'snapshots'];

/** A long mixed load on a server with its daemon. Gives back what grew that must not. */
export async function runLeakSoak({ durationMs, rate, seed }: LeakOptions, say: Say): Promise<readonly string[]> {
  const workspace = new Workspace();
  const probeFile = workspace.path('probe.json');
  const probe = pathToFileURL(join(import.meta.dirname, 'probe.js')).href;
  try {
    const environment = { NODE_OPTIONS: `--import=${probe}`, SOAK_PROBE_FILE: probeFile };
    const server = await workspace.serve({ args: [...SERVER_ARGS, '--socket', workspace.path('s')], environment });
    const daemon = workspace.start(['expire', '--socket', workspace.path('s'), '--interval', '1', '--no-stats', '--log-level', 'error']);
    const stats = await PipeClient.connect(server.port);
    const look = async (): Promise<Sample> => await sample({ server, daemon, stats, probeFile, directory: workspace.path('data') });
    await sleep(REST_MS / 4);
    const before = await look();

    const load = new MixedLoad({ port: server.port, random: new Random(seed), rate, clients: CLIENTS });
    await load.fill(async () => ((await stats.stats('storage')).get('evicted_total') ?? 0) > 0);
    const running = load.run();
    // A failure is reported where it is awaited.
    running.catch(() => undefined);
    const samples: Timed[] = [];
    const beganMs = performance.now();
    while (performance.now() - beganMs < durationMs && !server.isOver && !daemon.isOver) {
      await sleep(SAMPLE_MS);
      samples.push({ ms: performance.now() - beganMs, figures: await look() });
    }
    load.stop();
    await within(running, () => 'clients do not end: a request is not answered', PATIENCE_MS);
    await sleep(REST_MS);
    const after = await look();
    const totals = await stats.stats('storage');
    stats.close();

    const { counts } = load;
    say(`${(durationMs / 60_000).toFixed(1)} minutes of mixed load: ${counts.requests} requests, ${counts.connections} connections, ${counts.brokenOff} of them broken off, ${counts.special} listings, dumps and the like, ${totals.get('evicted_total')} items evicted`);
    const { opened } = readProbe(probeFile);
    say(`LevelDB was asked for ${opened['iterators'] ?? 0} iterators and ${opened['snapshots'] ?? 0} snapshots`);
    const faults = report(samples, durationMs, before, after, say);
    if (totals.get('write_failures') !== 0 || totals.get('damaged_values') !== 0) faults.push(`${totals.get('write_failures')} write failures, ${totals.get('damaged_values')} damaged values`);
    const code = await server.stop();
    if (code !== 0) faults.push(`the server ended with ${code}`);
    const said = server.log.filter((line) => !String(line['msg']).startsWith(EXPECTED_MESSAGE));
    if (said.length > 0) faults.push(`the server said: ${JSON.stringify(said).slice(0, 500)}`);
    await daemon.stop();
    return faults;
  } finally {
    await workspace.close();
  }
}

interface Timed {
  readonly ms: number;
  readonly figures: Sample;
}

/** By how much the middle of the last quarter of the samples is above that of the first. */
function shiftOf(values: readonly number[]): number {
  const quarter = Math.ceil(values.length / 4);
  return percentile(values.slice(-quarter), 0.5) - percentile(values.slice(0, quarter), 0.5);
}

function showCourse(samples: readonly Timed[], say: Say): void {
  const shown = samples.filter((_, i) => i % Math.max(1, Math.floor(samples.length / SHOWN_POINTS)) === 0);
  say(`minute               ${shown.map(({ ms }) => (ms / 60_000).toFixed(1).padStart(7)).join('')}`);
  for (const figure of ['server RSS', 'server RssAnon', 'server heapUsed', 'disk bytes'] as const) {
    say(`${`${figure} (MiB)`.padEnd(21)}${shown.map(({ figures }) => (figures[figure] / MIB).toFixed(1).padStart(7)).join('')}`);
  }
}

function report(samples: readonly Timed[], durationMs: number, before: Sample, after: Sample, say: Say): string[] {
  const counted = samples.filter(({ ms }) => ms >= WARM_UP_SHARE * durationMs);
  const hours = ((1 - WARM_UP_SHARE) * durationMs) / 3_600_000;
  const faults: string[] = [];
  showCourse(samples, say);
  say(`${counted.length} samples of the last ${(hours * 60).toFixed(1)} minutes; rise: of a line through them, and of the median from the first quarter to the last`);
  say('                          before      mean       max      line    median           after');
  for (const figure of Object.keys(FIGURES) as Figure[]) {
    const unit = FIGURES[figure];
    const values = counted.map(({ figures }) => figures[figure]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const rise = trendOf(counted.map(({ ms, figures }) => [ms / 3_600_000, figures[figure]])) * hours;
    const shift = shiftOf(values);
    const shown = (value: number): string => (value / unit).toFixed(unit === 1 && Number.isInteger(value) ? 0 : 1);
    const name = unit === MIB ? `${figure} (MiB)` : figure;
    const mustBeFlat = FLAT.includes(figure);
    // Where the garbage collector was at the ends bends the line; a leak lifts the medians too.
    const isFlat = Math.min(rise, shift) <= Math.max(RISE_SHARE * mean, unit === 1 ? RISE_COUNT : MIB);
    const verdict = mustBeFlat ? (isFlat ? 'flat' : 'RISES') : '';
    say(`${name.padEnd(24)}${shown(before[figure]).padStart(9)}${shown(mean).padStart(10)}${shown(Math.max(...values)).padStart(10)}${shown(rise).padStart(10)}${shown(shift).padStart(10)} ${verdict.padEnd(6)}${shown(after[figure]).padStart(8)}`);
    if (mustBeFlat && !isFlat) faults.push(`${figure} rises by ${shown(rise)} in ${(hours * 60).toFixed(1)} minutes, with a mean of ${shown(mean)}`);
    if (NONE_AT_REST.includes(figure) && after[figure] > 0) faults.push(`${figure}: ${after[figure]} when all clients are gone`);
  }
  if (after['server sockets'] > before['server sockets']) faults.push(`${after['server sockets']} sockets when all clients are gone, ${before['server sockets']} before they came`);
  return faults;
}

function readProbe(file: string): ProbeFigures {
  return JSON.parse(readFileSync(file, 'utf8')) as ProbeFigures;
}

async function sample(of: { server: ServerProcess; daemon: Program; stats: PipeClient; probeFile: string; directory: string }): Promise<Sample> {
  const storage = await of.stats.stats('storage');
  let levelTables = 0;
  for (const [name, value] of storage) if (/^level\d+_files$/.test(name)) levelTables += value;
  const probe = readProbe(of.probeFile);
  const server = sampleProcess(of.server.pid);
  const daemon = sampleProcess(of.daemon.pid);
  const tables = readdirSync(of.directory).filter((name) => name.endsWith('.ldb')).length;
  return {
    'server RSS': server.rss,
    'server RssAnon': server.rssAnon,
    'server heapUsed': probe.heapUsed,
    'server external': probe.external,
    'server sockets': server.sockets,
    'server files': server.files,
    'deleted files held': server.deleted,
    iterators: probe.open['iterators'] ?? 0,
    snapshots: probe.open['snapshots'] ?? 0,
    'tables on disk': tables,
    'tables not in a level': Math.max(0, tables - levelTables),
    'daemon RSS': daemon.rss,
    'daemon descriptors': daemon.sockets + daemon.files,
    items: storage.get('items') ?? 0,
    'disk bytes': storage.get('disk_bytes') ?? 0,
  };
}
