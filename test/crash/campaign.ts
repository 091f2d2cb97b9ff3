import { watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, type Program, type ServerProcess, within, Workspace } from '../support/process.ts';
import { CasUniques } from './cas-uniques.ts';
import { Faults } from './faults.ts';
import { LastingCounts } from './lasting-counts.ts';
import { ConnectionLost, PipeClient } from './pipe-client.ts';
import { Random } from './random.ts';
import type { Setup } from './setups.ts';
import { SharedCounters } from './shared-counters.ts';
import { verifyCopy } from './store-copy.ts';
import { Writer } from './writer.ts';

/**
 * What is killed, and when:
 *
 *     server      the server, at any moment under load
 *     daemon      the expiry daemon, at any moment under load; the server goes on
 *     both        both at once
 *     opening     the server under load, then its successors while they open the store
 *     closing     the server, after SIGTERM, on its way to its end
 *     compacting  the server, when LevelDB has just begun a table
 *     evicting    the server, while it evicts
 */
export type KillKind = 'server' | 'daemon' | 'both' | 'opening' | 'closing' | 'compacting' | 'evicting';

export interface RoundOptions {
  readonly kind: KillKind;
  /** Milliseconds of load before the kill: a number between these is picked. */
  readonly loadMs: readonly [least: number, most: number];
}

export interface RoundReport {
  readonly kind: KillKind;
  /** Processes killed. */
  readonly kills: number;
  /** What the kill waited for came. */
  readonly isOnTime: boolean;
  /** Writes acknowledged in the round. */
  readonly acknowledged: number;
  /** Keys compared after it, and those of them whose operation was cut off. */
  readonly compared: number;
  readonly inDoubt: number;
  readonly hasFlushed: boolean;
  /** A delete of a prefix was asked for. */
  readonly hasDeleted: boolean;
  /** Milliseconds from the start of the process to its first answer; undefined when it was not started anew. */
  readonly startMs: number | undefined;
}

/** A delete of a prefix. */
interface Deletion {
  readonly prefix: string;
  /** It was acknowledged. */
  isSure: boolean;
}

/** How long a stop may take on a busy machine, and how long one waits for a compaction or an eviction. */
const PATIENCE_MS = 60_000;
const FILL_MS = 180_000;
const OCCASION_MS = 5000;
/** Of a value that lies in its row. */
const ROW_BYTES = 250;
const OPENING_KILLS_MAX = 3;
/** Share of the time that the last start took, up to which one is broken off. */
const OPENING_SHARE = 1.2;
const CLOSING_MS = 150;

/**
 * A server with its expiry daemon, clients that write to it and know what must be there, and rounds in which something
 * is killed with SIGKILL and everything compared. What is broken is in `faults`.
 */
export class Campaign {
  readonly faults = new Faults();
  readonly #setup: Setup;
  readonly #random: Random;
  readonly #workspace = new Workspace();
  readonly #writers: readonly Writer[];
  readonly #counters: SharedCounters;
  readonly #cas = new CasUniques(this.faults);
  readonly #lasting: LastingCounts;
  #server: ServerProcess | undefined;
  #daemon: Program | undefined;
  #rounds = 0;
  /** The delete of a prefix that was asked for in this round. */
  #deletion: Deletion | undefined;
  #lastStartMs = 0;

  constructor(setup: Setup, seed: number) {
    this.#setup = setup;
    this.#random = new Random(seed);
    this.#lasting = new LastingCounts(this.faults, setup);
    const counterKeys = Array.from({ length: 4 }, (_, i) => `shared:${i}`);
    this.#counters = new SharedCounters(counterKeys, this.faults, setup);
    const deps = { faults: this.faults, cas: this.#cas, counters: this.#counters };
    this.#writers = setup.profiles.map((profile, i) => new Writer(`c${i}`, profile, setup, { ...deps, random: this.#random.fork() }));
  }

  /** Starts the processes on an empty store. Whatever happens, `close` must be called. */
  async start(): Promise<void> {
    await this.#startServer();
    this.#startDaemon();
    if (this.#setup.evicts) await this.#fill();
  }

  /** One round: load, a kill, a restart, and a look at everything. */
  async round({ kind, loadMs }: RoundOptions): Promise<RoundReport> {
    const random = this.#random;
    this.faults.when = `${this.#setup.name}, round ${this.#rounds} (${kind})`;
    this.#rounds++;
    const before = this.#acknowledged();
    const { port } = this.#running();
    let isOver = false;
    const load = Promise.all([...this.#writers.map(async (writer) => await writer.run(port)), this.#lasting.watch(port, () => isOver)]);
    await sleep(random.between(...loadMs));
    // What is flushed is deleted and compacted at once; where items are evicted that is done for them anyway.
    const willFlush = (kind === 'compacting' && !this.#setup.evicts) || random.chance(this.#setup.flushes);
    const willDelete = !willFlush && random.chance(this.#setup.deletes);
    const wipe = willFlush ? this.#flush(port, random.below(40)) : willDelete ? this.#delete(port, random.below(40)) : undefined;
    if (kind !== 'compacting' && random.chance(0.5)) await wipe;
    const { kills, isOnTime } = await this.#kill(kind);
    if (kind === 'daemon') {
      this.#startDaemon();
      await sleep(random.between(...loadMs) / 2);
      for (const writer of this.#writers) writer.stop();
      isOver = true;
    }
    await within(Promise.all([load, wipe]), () => 'clients do not end', PATIENCE_MS);
    let startMs: number | undefined;
    let openingKills = 0;
    if (kind !== 'daemon') {
      if (kind === 'opening') openingKills = await this.#killOpening();
      await this.#verify();
      startMs = await this.#startServer();
      if (this.#daemon?.isOver === true) this.#startDaemon();
    }
    const checked = await this.#check();
    return { kind, kills: kills + openingKills, isOnTime, acknowledged: this.#acknowledged() - before, hasFlushed: willFlush, hasDeleted: willDelete, startMs, ...checked };
  }

  /** Ends everything and removes the directory. Gives back the exit code of the server's orderly stop. */
  async close(): Promise<number | null | undefined> {
    try {
      this.#daemon?.signal('SIGKILL');
      const code = await this.#server?.stop();
      if (this.#server !== undefined) await this.#verify();
      return code;
    } finally {
      await this.#workspace.close();
    }
  }

  /** Lets the clients write until the disk is full, and something is evicted. */
  async #fill(): Promise<void> {
    this.faults.when = `${this.#setup.name}, filling`;
    const { port } = this.#running();
    const load = Promise.all(this.#writers.map(async (writer) => await writer.run(port)));
    const client = await PipeClient.connect(port);
    await eventually(async () => ((await client.stats('storage')).get('evicted_total') ?? 0) > 0, 'eviction', FILL_MS);
    client.close();
    for (const writer of this.#writers) writer.stop();
    await load;
  }

  #running(): ServerProcess {
    if (this.#server === undefined) throw new Error('no server');
    return this.#server;
  }

  #acknowledged(): number {
    return this.#writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
  }

  get #serverArgs(): string[] {
    return [...this.#setup.args, '--socket', this.#workspace.path('s'), '--sync', '1', '--log-level', 'warn'];
  }

  /** Starts the server; gives back the milliseconds to its first answer. */
  async #startServer(): Promise<number> {
    const began = performance.now();
    this.#server = await this.#workspace.serve({ args: this.#serverArgs });
    const client = await PipeClient.connect(this.#server.port);
    await client.ask('mg shared:0 v');
    client.close();
    this.#cas.serverStarted();
    this.#lastStartMs = Math.round(performance.now() - began);
    return this.#lastStartMs;
  }

  #startDaemon(): void {
    this.#daemon = this.#workspace.start(['expire', '--socket', this.#workspace.path('s'), '--interval', '1', '--no-stats', '--log-level', 'error']);
  }

  async #flush(port: number, afterMs: number): Promise<void> {
    await sleep(afterMs);
    let client: PipeClient | undefined;
    try {
      client = await PipeClient.connect(port);
      this.#counters.flushed();
      for (const writer of this.#writers) writer.flushBegins();
      const { line } = await client.ask('flush_all');
      if (line !== 'OK') this.faults.add(`flush_all is answered with ${line}`);
      for (const writer of this.#writers) writer.flushEnds();
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    } finally {
      client?.close();
    }
  }

  /** Has all items under a prefix deleted, which the server does after it has answered, and waits for the end of it. */
  async #delete(port: number, afterMs: number): Promise<void> {
    await sleep(afterMs);
    let client: PipeClient | undefined;
    try {
      client = await PipeClient.connect(port);
      const deletion = { prefix: this.#pickPrefix(), isSure: false };
      this.#deletion = deletion;
      for (const writer of this.#writers) writer.deleteBegins(deletion.prefix);
      const { line } = await client.ask(`expire delete ${encodeURIComponent(deletion.prefix)}`);
      if (!/^JOB \d+$/.test(line)) this.faults.add(`expire delete is answered with ${line}`);
      deletion.isSure = true;
      for (const writer of this.#writers) writer.deleteIsSure(deletion.prefix);
      await deletesEnd(client);
      for (const writer of this.#writers) writer.deleteEnds(deletion.prefix);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    } finally {
      client?.close();
    }
  }

  /** The beginning of a key: of many, or of all. */
  #pickPrefix(): string {
    const { key } = this.#random.pick(this.#random.pick(this.#writers).items);
    return key.slice(0, this.#random.between(this.#setup.prefixLength, key.length));
  }

  async #kill(kind: KillKind): Promise<{ kills: number; isOnTime: boolean }> {
    const random = this.#random;
    const server = this.#running();
    if (server.isOver) this.faults.add(`the server ended by itself: ${server.stderr.slice(-500)}`);
    switch (kind) {
      case 'daemon':
        await this.#killDaemon();
        return { kills: 1, isOnTime: true };
      case 'both':
        await Promise.all([server.kill(), this.#killDaemon()]);
        return { kills: 2, isOnTime: true };
      case 'closing': {
        server.signal('SIGTERM');
        await sleep(random.below(CLOSING_MS));
        const isOnTime = !server.isOver;
        await server.kill();
        return { kills: isOnTime ? 1 : 0, isOnTime };
      }
      case 'compacting': {
        const isOnTime = await this.#tableBegins(server.port);
        await server.kill();
        return { kills: 1, isOnTime };
      }
      case 'evicting': {
        const isOnTime = await evictionRuns(server.port);
        await sleep(random.below(30));
        await server.kill();
        return { kills: 1, isOnTime };
      }
      case 'server':
      case 'opening':
        await server.kill();
        return { kills: 1, isOnTime: true };
    }
  }

  async #killDaemon(): Promise<void> {
    if (this.#daemon?.isOver === true) this.faults.add(`the daemon ended by itself: ${this.#daemon.stderr.slice(-500)}`);
    await this.#daemon?.kill();
  }

  /** Starts servers and kills them before, while or just after they open the store. */
  async #killOpening(): Promise<number> {
    const kills = this.#random.between(1, OPENING_KILLS_MAX);
    for (let i = 0; i < kills; i++) {
      const server = this.#workspace.start(['serve', '--port', '0', '--file', this.#workspace.path('data'), ...this.#serverArgs]);
      await sleep(this.#random.next() * OPENING_SHARE * this.#lastStartMs);
      if (server.isOver) this.faults.add(`the server does not open the store: ${server.stderr.slice(-500)}`);
      await server.kill();
    }
    return kills;
  }

  /** Resolves when LevelDB begins a table file: it writes its buffer out, or compacts. The clients' own load takes long to get it so far. */
  async #tableBegins(port: number): Promise<boolean> {
    const watcher = watch(this.#workspace.path('data'));
    const client = await PipeClient.connect(port);
    try {
      return await new Promise<boolean>((resolve, reject) => {
        watcher.on('change', (_event, name) => {
          if (String(name).endsWith('.ldb')) resolve(true);
        });
        setTimeout(() => resolve(false), OCCASION_MS).unref();
        fillRows(client).catch(reject);
      });
    } finally {
      client.close();
      watcher.close();
    }
  }

  async #verify(): Promise<void> {
    for (const finding of await verifyCopy(this.#workspace.path('data'))) this.faults.add(finding);
  }

  /** A delete goes on after a crash: it takes what is meant by it in the end, or was never begun. */
  async #endDelete(client: PipeClient): Promise<void> {
    const deletion = this.#deletion;
    if (deletion === undefined) return;
    this.#deletion = undefined;
    await deletesEnd(client);
    if (deletion.isSure) for (const writer of this.#writers) writer.deleteEnds(deletion.prefix);
  }

  async #check(): Promise<{ compared: number; inDoubt: number }> {
    const client = await PipeClient.connect(this.#running().port);
    const total = { compared: 0, inDoubt: 0 };
    await this.#endDelete(client);
    const flushVerdicts = new Map<boolean, string>();
    for (const writer of this.#writers) {
      const { compared, inDoubt } = await writer.check(client, this.#setup.share, flushVerdicts);
      total.compared += compared;
      total.inDoubt += inDoubt;
    }
    if (flushVerdicts.size > 1) this.faults.add(`half flushed or deleted: ${flushVerdicts.get(true)} is gone and ${flushVerdicts.get(false)} is not`);
    await this.#counters.check(client);
    await this.#lasting.check(client);
    // What is stored from now on must have a higher cas unique than anything before.
    const { line } = await client.ask('ms probe 1 c\r\nx');
    this.#cas.saw(Number(/ c(\d+)/.exec(line)?.[1]), `probe ${this.#rounds}`, true);
    client.close();
    return total;
  }
}

/** Waits until the server has no delete of a prefix to do any more. */
async function deletesEnd(client: PipeClient): Promise<void> {
  await eventually(
    async () => {
      const stats = await client.stats('storage');
      // It runs without a job while it reads from disk what there is to do.
      return stats.get('prefix_delete_jobs') === 0 && stats.get('prefix_delete_running') === 0;
    },
    'deletes of prefixes end',
    PATIENCE_MS,
  );
}

/** Fills LevelDB's write buffer with rows that nobody looks at, until the connection is closed. */
async function fillRows(client: PipeClient): Promise<void> {
  const sets = Array.from({ length: 1000 }, (_, i) => `set row:${i} 0 0 ${ROW_BYTES} noreply\r\n${'r'.repeat(ROW_BYTES)}\r\n`).join('');
  try {
    for (;;) await client.ask(`${sets}mn`);
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error;
  }
}

/** Waits until the server evicts; false when it does not for long. */
async function evictionRuns(port: number): Promise<boolean> {
  const client = await PipeClient.connect(port);
  const endMs = performance.now() + OCCASION_MS;
  try {
    while (performance.now() < endMs) {
      if ((await client.stats('storage')).get('eviction_running') === 1) return true;
      await sleep(5);
    }
    return false;
  } finally {
    client.close();
  }
}
