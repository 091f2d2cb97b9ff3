import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseStats, isEnd, isSingle } from '../../../daemon/replies.ts';
import { endedChildrenCpuSeconds } from '../process-usage.ts';
import type { ProcessKeeper } from '../process-keeper.ts';
import { Server } from '../server.ts';
import { median, medianRatio, roundOrder } from '../statistics.ts';
import { formatTable } from '../table.ts';
import { connectTo, PROGRAM, storeDirectory, tugelaAs } from '../tugela.ts';
import { fillStore, keyOf } from './fill-store.ts';
import { numberOf, type Part, type PartContext, type PartResult } from './part.ts';

const SETTLE_LIMIT_MS = 20_000;
/** Seconds until what is stored to be swept expires: long enough to store it and to start the server anew. */
const SECONDS_TO_LIVE = 6;
const CONNECTIONS = 100;
const MS_PER_S = 1000;

/** One sweep. */
interface Sweep {
  /** Milliseconds of CPU of the server and of the process that sweeps it, less what the latter takes when nothing is due. */
  readonly serverMs: number;
  readonly sweeperMs: number;
  /** Milliseconds from the first look to the last, as the sweeper says. */
  readonly wallMs: number;
}

/** One size of store. */
interface Size {
  readonly items: number;
  readonly directory: string;
  indexEntries: number;
  readonly sweeps: (Sweep | undefined)[];
}

/** "The sweep's cost depends on what is due, never on the size of the store." */
export const sweepCost: Part = {
  name: 'sweep-cost',
  title: 'What a sweep costs in stores of different sizes, with the same number due',
  options: {
    items: { preset: '10000,100000,1000000,10000000', about: 'sizes of the stores' },
    due: { preset: '10000', about: 'items due in each sweep' },
    rounds: { preset: '3', about: 'sweeps per size; figures are medians over them' },
    value: { preset: '100', about: 'bytes of a value' },
    ratio: { preset: '1.5', about: 'CPU for the largest store at most, in times that for the smallest' },
  },
  run,
};

const CONTESTANT = tugelaAs('tugela', []);

async function run({ given, directory, keeper, log }: PartContext): Promise<PartResult> {
  const [due, rounds, value] = [numberOf(given, 'due'), numberOf(given, 'rounds'), numberOf(given, 'value')];
  const sizes: Size[] = [];
  for (const items of given['items'] ?? []) {
    const size: Size = { items, directory: join(directory, String(items)), indexEntries: 0, sweeps: [] };
    const startedMs = performance.now();
    await fillStore(storeDirectory(size.directory, CONTESTANT), items, value);
    log(`stored ${items} items in ${((performance.now() - startedMs) / MS_PER_S).toFixed(0)} s`);
    sizes.push(size);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const size of roundOrder(sizes, round)) {
      const sweep = await sweepRound(size, round, due, value, keeper);
      size.sweeps[round] = sweep;
      log(`${size.items} items, ${round + 1}/${rounds}: server ${sweep.serverMs.toFixed(0)} ms, sweeper ${sweep.sweeperMs.toFixed(0)} ms, took ${sweep.wallMs.toFixed(0)} ms`);
    }
  }
  return report(sizes, due, numberOf(given, 'ratio'));
}

/** Stores what will be due, lets it expire while no server runs, and sweeps it with a server that has nothing in memory. */
async function sweepRound(size: Size, round: number, due: number, value: number, keeper: ProcessKeeper): Promise<Sweep> {
  const needs = { directory: size.directory, valueBytes: value, connections: CONNECTIONS };
  let server = await Server.start(CONTESTANT, needs, keeper);
  await server.settle(SETTLE_LIMIT_MS);
  const idle = await sweep(server, keeper);
  const expiresAt = Math.floor(Date.now() / MS_PER_S) + SECONDS_TO_LIVE;
  await storeDue(server, size.items + round * due, due, value, expiresAt);
  const client = await connectTo(server);
  size.indexEntries = Number(parseStats(await client.request('stats storage', isEnd)).get('index_entries'));
  client.close();
  await server.end();
  await sleep(Math.max(0, (expiresAt + 1) * MS_PER_S - Date.now()));
  server = await Server.start(CONTESTANT, needs, keeper);
  await server.settle(SETTLE_LIMIT_MS);
  const done = await sweep(server, keeper);
  await server.end();
  if (done.expired !== due) throw new Error(`${done.expired} items expired, ${due} were due`);
  return { serverMs: done.serverMs, sweeperMs: done.sweeperMs - idle.sweeperMs, wallMs: done.wallMs };
}

async function storeDue(server: Server, firstId: number, count: number, valueBytes: number, expiresAt: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port: server.port });
  await once(socket, 'connect');
  const data = 'x'.repeat(valueBytes);
  for (let i = 0; i < count; i += 1) {
    if (!socket.write(`set ${keyOf(firstId + i)} 0 ${expiresAt} ${valueBytes} noreply\r\n${data}\r\n`)) await once(socket, 'drain');
  }
  socket.end('quit\r\n');
  socket.resume();
  await once(socket, 'close');
  const client = await connectTo(server);
  await client.request('sync', isSingle);
  client.close();
}

/** Has a process of its own sweep the server, and waits until both are done with it. */
async function sweep(server: Server, keeper: ProcessKeeper): Promise<Sweep & { readonly expired: number }> {
  const serverBefore = server.usage().cpuSeconds;
  const sweeperBefore = endedChildrenCpuSeconds();
  const child = await keeper.start(process.execPath, [PROGRAM, 'expire', '-P', String(server.port), '--once', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the sweep ended with status ${code}`);
  const sweeper = endedChildrenCpuSeconds() - sweeperBefore;
  await server.settle(SETTLE_LIMIT_MS);
  const { expired, durationMs } = JSON.parse(text) as { expired: number; durationMs: number };
  return { serverMs: (server.usage().cpuSeconds - serverBefore) * MS_PER_S, sweeperMs: sweeper * MS_PER_S, wallMs: durationMs, expired };
}

function report(sizes: readonly Size[], due: number, most: number): PartResult {
  const cpu = (size: Size): (number | undefined)[] => size.sweeps.map((sweep) => (sweep === undefined ? undefined : sweep.serverMs + sweep.sweeperMs));
  const middle = (size: Size, figure: (sweep: Sweep) => number): number => median(size.sweeps.flatMap((sweep) => (sweep === undefined ? [] : [figure(sweep)])));
  const ratio = (size: Size): number => medianRatio(cpu(size), cpu(sizes[0]!)) ?? Number.NaN;
  const rows = sizes.map((size) => {
    const [server, sweeper] = [middle(size, ({ serverMs }) => serverMs), middle(size, ({ sweeperMs }) => sweeperMs)];
    const perItem = ((server + sweeper) * MS_PER_S) / due;
    return [
      String(size.items),
      String(size.indexEntries),
      server.toFixed(0),
      sweeper.toFixed(0),
      perItem.toFixed(1),
      ratio(size).toFixed(2),
      middle(size, ({ wallMs }) => wallMs).toFixed(0),
    ];
  });
  const head = ['items', 'index entries', 'server CPU ms', 'sweeper CPU ms', 'CPU µs per item due', '× CPU', 'wall ms'];
  return {
    tables: [`${due} items due in each; medians, the ratio within rounds.`, formatTable(head, rows)],
    bounds: [{ what: `CPU for ${sizes.at(-1)?.items} items, in times that for ${sizes[0]?.items}`, measured: ratio(sizes.at(-1)!), most }],
  };
}
