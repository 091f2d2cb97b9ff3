/**
 * `npm run soak:attacks`: treats a server badly in one way after the other, and prints for each what it cost: memory,
 * and the waiting time of other clients (docs/operations.md, "What one client can do to others"). Needs Linux.
 * Exit status 1 = the stated bound on memory was exceeded.
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { ATTACKS, type Attack } from './hostile/attacks.ts';
import { fill } from './hostile/fill.ts';
import { Prober } from './hostile/prober.ts';
import { Asker, Victim } from './hostile/victim.ts';

const MB = 2 ** 20;
const SAMPLE_MS = 25;

/** How long and against what. */
export interface AttackOptions {
  /** `--memory` of the server. */
  readonly memory: number;
  /** Seconds of each attack, and of the quiet time before it. */
  readonly seconds: number;
  /** Only attacks whose name has this in it; undefined = all. */
  readonly only?: string | undefined;
}

/** What an attack cost. */
export interface AttackReport {
  readonly name: string;
  /** Bytes of its own memory and of the program: before, highest meanwhile, and what is promised. */
  readonly baseRss: number;
  readonly peakRss: number;
  readonly boundRss: number;
  /**
   * Milliseconds that 99 of 100 gets of other clients took at most: before, meanwhile, and meanwhile at a server that was not
   * attacked. The attackers keep the machine busy as well: what the last one shows is theirs, not the server's.
   */
  readonly normalP99: number;
  readonly meanwhileP99: number;
  readonly besideP99: number;
  /** `stats load` afterwards. */
  readonly load: ReadonlyMap<string, string>;
  readonly kept: boolean;
}

/** Bytes that a server with `--memory` of so many MB promises not to exceed. */
export function rssBound(memory: number): number {
  return (1.5 * memory + 120) * MB;
}

/** Runs the attacks one after the other, each against a server of its own, and reports each as it ends. */
export async function runAttacks({ memory, seconds, only }: AttackOptions, onReport: (report: AttackReport) => void): Promise<readonly AttackReport[]> {
  const reports: AttackReport[] = [];
  for (const attack of ATTACKS) {
    if (only !== undefined && !attack.name.includes(only)) continue;
    const report = await runAttack(attack, memory, seconds);
    reports.push(report);
    onReport(report);
  }
  return reports;
}

async function runAttack({ name, args = [] }: Attack, memory: number, seconds: number): Promise<AttackReport> {
  const options = ['-m', String(memory), ...args];
  const [victim, beside] = await Promise.all([Victim.start(options), Victim.start(options)]);
  const program = victim.fileRss;
  const taken = (): number => victim.anonymousRss + program;
  try {
    const [client, besideProber] = await Promise.all([store(victim), store(beside).then(() => Prober.connect(beside.port))]);
    const prober = await Prober.connect(victim.port);
    const [normalP99] = await Promise.all([prober.p99(seconds), besideProber.p99(seconds)]);
    await client.ask('stats reset\r\n', 'RESET\r\n');
    const baseRss = taken();
    let peakRss = baseRss;
    const sampling = setInterval(() => (peakRss = Math.max(peakRss, taken())), SAMPLE_MS);
    const worker = new Worker(new URL(import.meta.url), { workerData: { attack: name, port: victim.port } });
    const failed = new Promise<never>((_, reject) => worker.once('error', reject));
    const [meanwhileP99, besideP99] = await Promise.race([Promise.all([prober.p99(seconds), besideProber.p99(seconds)]), failed]);
    const load = await client.stats('load');
    await worker.terminate();
    clearInterval(sampling);
    client.close();
    prober.close();
    besideProber.close();
    const boundRss = rssBound(memory);
    return { name, baseRss, peakRss, boundRss, normalP99, meanwhileP99, besideP99, load, kept: peakRss <= boundRss };
  } finally {
    await Promise.all([victim.stop(), beside.stop()]);
  }
}

/** Stores what attackers and others ask for. */
async function store({ port }: Victim): Promise<Asker> {
  const client = await Asker.connect(port);
  await fill(client, 'k', 20_000, 1000);
  await fill(client, 'big', 64, 1_000_000);
  return client;
}

/** A row of the table. */
export function rowOf({ name, baseRss, peakRss, boundRss, normalP99, meanwhileP99, besideP99, load }: AttackReport): string {
  const mb = (bytes: number): string => (bytes / MB).toFixed(0);
  const held = mb(Number(load.get('connection_memory_peak_bytes')));
  return `| ${name} | ${mb(baseRss)} | +${mb(peakRss - baseRss)} | ${mb(boundRss)} | ${held} | ${load.get('connection_memory_closed')} | ${normalP99.toFixed(2)} | ${meanwhileP99.toFixed(2)} | ${besideP99.toFixed(2)} | ${(meanwhileP99 / besideP99).toFixed(1)} |`;
}

export const TABLE_HEAD = `| Attack | memory before, MB | grew by | bound | held for clients | closed | p99 before, ms | meanwhile | at a server beside it | ratio |
|---|---|---|---|---|---|---|---|---|---|`;

async function attackFromHere({ attack, port }: { attack: string; port: number }): Promise<void> {
  await ATTACKS.find(({ name }) => name === attack)?.run(port);
}

if (!isMainThread) await attackFromHere(workerData as { attack: string; port: number });
else if (process.argv[1] === import.meta.filename) {
  const [memory = '64', seconds = '5', only] = process.argv.slice(2);
  process.stdout.write(`${TABLE_HEAD}\n`);
  const reports = await runAttacks({ memory: Number(memory), seconds: Number(seconds), only }, (report) => process.stdout.write(`${rowOf(report)}\n`));
  process.exitCode = reports.every(({ kept }) => kept) ? 0 : 1;
}
