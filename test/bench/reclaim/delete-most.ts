import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { bytesUnder } from '../../support/bytes-under.ts';
import { type Bound, formatBounds, isMet } from '../bounds.ts';
import { describeEnvironment } from '../environment.ts';
import { runKept } from '../run-kept.ts';
import { Server } from '../server.ts';
import { tugelaAs } from '../tugela.ts';
import { type DataSet, isKept, KEPT_OF, keyOf, SetMaker, WAYS } from './data-set.ts';
import { Pipe } from './pipe.ts';
import type { ReaderOrder, ReaderReport, ReportOrder } from './reader-thread.ts';

/** Requests on their way at once. */
const BATCH = 200;
const MIB = 2 ** 20;
const USAGE = `Usage: npm run bench:reclaim -- [--gb 2] [--value 1000] [--way ${WAYS.join('|')}] [--readers 4] [--rest 2] [--normal 20] [--limit 600]

Starts serve --with-expire on a directory of its own, fills it, measures gets of a tenth of the items for --normal seconds, on
--readers connections that each rest for --rest milliseconds after an answer, has
the other nine tenths deleted at full rate while the gets go on, and watches the directory shrink below 15 % of what it
was, for --limit seconds at most. From when the client has nothing more to do for it, the p99 of the gets must be at most
twice that before. Exits with status 1 when one of the two is missed.
`;
/** Share of its former size that the directory must come below. */
const GOAL = 0.15;
/** Times the normal p99 that gets may have while the server gives space back. */
const P99_TIMES = 2;
/** Seconds of watching after the goal. */
const AFTER_SECONDS = 45;
const PORTION_MS = 5000;
const CONTESTANT = tugelaAs('tugela', ['--with-expire', '--memory', '64']);
const CONNECTIONS = 100;

/** While the client has nine tenths go, while the server gives back their space by itself, and when it has. */
type Phase = 'removing' | 'giving back' | 'after';

interface Options {
  readonly data: DataSet;
  readonly readers: number;
  /** Milliseconds. */
  readonly restMs: number;
  readonly normalSeconds: number;
  readonly limitSeconds: number;
}

function optionsFrom(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      gb: { type: 'string', default: '2' },
      value: { type: 'string', default: '1000' },
      way: { type: 'string', default: 'delete' },
      readers: { type: 'string', default: '4' },
      rest: { type: 'string', default: '2' },
      normal: { type: 'string', default: '20' },
      limit: { type: 'string', default: '600' },
      help: { type: 'boolean', default: false },
    },
  });
  const way = WAYS.find((name) => name === values.way);
  const [gb, valueBytes, normalSeconds, limitSeconds] = [values.gb, values.value, values.normal, values.limit].map(Number) as [number, number, number, number];
  const [readers, restMs] = [Number(values.readers), Number(values.rest)];
  if (values.help || way === undefined || ![gb, valueBytes, normalSeconds, limitSeconds].every((n) => n > 0) || valueBytes < 16) return undefined;
  if (!Number.isInteger(readers) || readers < 1 || readers > CONNECTIONS - 10 || !(restMs >= 0)) return undefined;
  const items = Math.round((gb * 1e9) / valueBytes / KEPT_OF) * KEPT_OF;
  return { data: { way, items, valueBytes }, readers, restMs, normalSeconds, limitSeconds };
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

class Readers {
  readonly #worker: Worker;

  constructor(order: ReaderOrder) {
    this.#worker = new Worker(new URL('reader-thread.js', import.meta.url), { workerData: order });
  }

  /** What was read since the last report; phases go from one that ends one to the next. */
  async report(endsPhase: boolean): Promise<ReaderReport> {
    const reported = once(this.#worker, 'message');
    this.#worker.postMessage({ endsPhase } satisfies ReportOrder, []);
    const [report] = (await reported) as [ReaderReport];
    return report;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Goes over ids in batches. */
async function inBatches(items: number, wanted: (id: number) => boolean, work: (ids: number[]) => Promise<void>): Promise<void> {
  for (let next = 0; next < items; ) {
    const ids: number[] = [];
    for (; next < items && ids.length < BATCH; next++) if (wanted(next)) ids.push(next);
    if (ids.length > 0) await work(ids);
  }
}

/** Has nine tenths go; resolves when the last command for it is answered. */
async function removeMost(data: DataSet, pipe: Pipe, sets: SetMaker, expiresAt: number): Promise<void> {
  switch (data.way) {
    case 'delete':
      await inBatches(data.items, (id) => !isKept(id), async (ids) => void (await pipe.ask(ids.map((id) => `delete ${keyOf(data, id)}\r\n`).join(''), ids.length)));
      return;
    case 'prefix':
      await pipe.ask('expire delete gone%3A\r\n', 1);
      return;
    case 'expire':
      await sleep(Math.max(0, expiresAt * 1000 - Date.now()));
      return;
    case 'flush':
      await pipe.ask('flush_all\r\n', 1);
      await inBatches(data.items, isKept, async (ids) => void (await pipe.ask(sets.requests(ids, 0), ids.length)));
  }
}

function shown({ gets, misses, p50, p99, max }: ReaderReport): string {
  return `${gets} gets, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, max ${max.toFixed(1)} ms${misses > 0 ? `, ${misses} misses` : ''}`;
}

async function stats(pipe: Pipe): Promise<string> {
  const text = await pipe.list('stats storage');
  const value = (name: string): string => {
    const raw = new RegExp(`^STAT ${name} (\\S+)`, 'm').exec(text)?.[1] ?? '?';
    return name.endsWith('bytes') || name.endsWith('given_back') ? `${(Number(raw) / MIB).toFixed(0)} MiB` : raw;
  };
  const names = ['live_bytes', 'dead_bytes', 'level_disk_bytes', 'level_dead_bytes', 'value_disk_bytes', 'compactions', 'compacted_bytes', 'value_gc_segments', 'value_gc_bytes_given_back', 'loop_delay_ms'];
  return names.map((name) => `${name} ${value(name)}`).join(', ');
}

async function measure({ data, readers: connections, restMs, normalSeconds, limitSeconds }: Options, directory: string, port: number): Promise<Bound[]> {
  const pipe = await Pipe.connect(port);
  const sets = new SetMaker(data);
  // Time enough to fill and to measure what is normal.
  const expiresAt = data.way === 'expire' ? Math.ceil(Date.now() / 1000) + Math.ceil((data.items * (data.valueBytes + 600)) / 25e6) + normalSeconds + 30 : 0;
  const filling = performance.now();
  await inBatches(data.items, () => true, async (ids) => void (await pipe.ask(sets.requests(ids, expiresAt), ids.length)));
  await pipe.ask('sync\r\n', 1);
  say(`filled: ${data.items} items of ${data.valueBytes} bytes in ${((performance.now() - filling) / 1000).toFixed(0)} s`);
  // LevelDB compacts what the filling left.
  await sleep(10_000);
  const full = bytesUnder(directory);
  const readers = new Readers({ port, data, connections, restMs });
  try {
    await sleep(2000);
    await readers.report(true);
    await sleep(normalSeconds * 1000);
    const normal = await readers.report(true);
    say(`normal: ${(full / MIB).toFixed(0)} MiB on disk; ${shown(normal)}`);
    const began = performance.now();
    const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s`;
    let isRemoved = false;
    const removed = removeMost(data, pipe, sets, expiresAt).then(() => void (isRemoved = true));
    // These two need nothing of the client but a command or patience, after which the server is on its own.
    if (data.way === 'prefix' || data.way === 'expire') {
      await removed;
      await readers.report(true);
    }
    const inspector = await Pipe.connect(port);
    let phase: Phase = isRemoved ? 'giving back' : 'removing';
    /** How the p99 of a phase compares with the normal one. */
    const times = new Map<Phase, number>();
    const endPhase = (p99: number): void => {
      times.set(phase, p99 / normal.p99);
      say(`${seconds()}  end of ${phase}: p99 ${p99.toFixed(2)} ms, ${(p99 / normal.p99).toFixed(2)} times normal`);
    };
    let leastShare = Number.POSITIVE_INFINITY;
    let endsAt = began + limitSeconds * 1000;
    while (performance.now() < endsAt) {
      await sleep(PORTION_MS);
      const bytes = bytesUnder(directory);
      const isGoal = leastShare >= GOAL && bytes < GOAL * full;
      leastShare = Math.min(leastShare, bytes / full);
      const next = isRemoved ? (leastShare < GOAL ? 'after' : 'giving back') : 'removing';
      const report = await readers.report(next !== phase);
      say(`${seconds()}  ${((100 * bytes) / full).toFixed(1).padStart(5)} % (${(bytes / MIB).toFixed(0)} MiB)  ${shown(report)}`);
      say(`        ${await stats(inspector)}`);
      if (isGoal) say(`${seconds()}  below ${GOAL * 100} %`);
      if (next !== phase) {
        endPhase(report.phaseP99);
        phase = next;
        if (phase === 'after') endsAt = Math.min(endsAt, performance.now() + AFTER_SECONDS * 1000);
      }
    }
    endPhase((await readers.report(true)).phaseP99);
    await removed;
    inspector.end();
    return [
      { what: 'disk, % of what it was', measured: 100 * leastShare, most: 100 * GOAL },
      // Who deletes at full rate may have seen all of the space come back meanwhile: the server still has work to do.
      { what: 'p99 while space is given back, times normal', measured: times.get('giving back') ?? times.get('after') ?? Number.NaN, most: P99_TIMES },
    ];
  } finally {
    await readers.end();
    pipe.end();
  }
}

async function main(args: string[]): Promise<number> {
  const options = optionsFrom(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return args.includes('--help') ? 0 : 2;
  }
  const { date, machine, node } = describeEnvironment(args);
  say(`${date}, ${machine}, Node ${node}; npm run bench:reclaim -- ${args.join(' ')}`);
  return await runKept(tmpdir(), 'tugela-reclaim-', async ({ directory, keeper }) => {
    const { valueBytes } = options.data;
    const server = await Server.start(CONTESTANT, { directory, valueBytes, connections: CONNECTIONS }, keeper);
    const bounds = await measure(options, server.dataDirectory, server.port);
    await server.stop();
    say(`\n${formatBounds(bounds)}`);
    return bounds.every(isMet) ? 0 : 1;
  });
}

process.exitCode = await main(process.argv.slice(2));
