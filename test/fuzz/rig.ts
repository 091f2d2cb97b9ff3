import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PasswordFile } from '../../src/auth/password-file.ts';
import { Cache } from '../../src/cache/cache.ts';
import { Residency } from '../../src/cache/residency.ts';
import { HeldClock } from '../../src/clock.ts';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.ts';
import { AccessTable } from '../../src/ram/access-table.ts';
import { RamTier } from '../../src/ram/ram-tier.ts';
import { Admin } from '../../src/server/admin.ts';
import { AuthDialect } from '../../src/server/auth-dialect.ts';
import { BinaryDialect } from '../../src/server/binary-dialect.ts';
import { ConnectionMemory } from '../../src/server/connection-memory.ts';
import { Connection, type ConnectionContext } from '../../src/server/connection.ts';
import { Control } from '../../src/server/control.ts';
import type { Administration, Dialect } from '../../src/server/dialect.ts';
import { Dump } from '../../src/server/dump.ts';
import { Arrivals } from '../../src/server/arrivals.ts';
import { ReadQueue } from '../../src/server/read-queue.ts';
import { TextDialect } from '../../src/server/text-dialect.ts';
import { Store } from '../../src/store/store.ts';
import { LocalTarget } from '../../src/upkeep/local-target.ts';
import { Quotas } from '../../src/upkeep/quotas.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { FuzzWire } from './wire.ts';
import { TurnQueue } from '../../src/server/turn-queue.ts';
import { SLICE_MS, SlicedQueue } from '../../src/sliced-queue.ts';

/** Small, so that limits are met. */
const RAM_BYTES = 256 * 1024;
const QUOTA_BYTES = 4000;
const EPHEMERAL_BYTES = 8 * 1024;
const MAX_ITEM_SIZE = 64 * 1024;
/** Milliseconds that a connection may take for an input. */
const PATIENCE_MS = 15_000;

/**
 * What does not depend on how writes were gathered into batches. Index rows do, and lists of what is committed, so there
 * are none to be seen.
 */
class SteadyTarget extends LocalTarget {
  override state(): ReturnType<LocalTarget['state']> {
    return Promise.resolve({ entries: 0, oldestDeadline: 0, now: 0, busyMs: 0, evictBytes: 0 });
  }

  override due(): ReturnType<LocalTarget['due']> {
    return Promise.resolve({ rows: [], seen: '0', next: undefined });
  }

  override keys(): ReturnType<LocalTarget['keys']> {
    return Promise.resolve([]);
  }

  override list(): ReturnType<LocalTarget['list']> {
    return Promise.resolve({ items: [], next: undefined });
  }

  override reap(): ReturnType<LocalTarget['reap']> {
    return Promise.resolve({ scanned: 0, deleted: 0, bytes: 0, stale: 0, changed: 0 });
  }
}

/** What a server consists of, without sockets and timers, on a store of its own: the same commands have the same replies. */
export class Rig {
  readonly clock = new ManualClock();
  /** What went wrong in the server itself. */
  readonly faults: Error[] = [];
  readonly memory: ConnectionMemory;
  readonly #directory: string;
  readonly #store: Store;
  readonly #context: ConnectionContext;
  readonly #auth: Dialect;
  readonly #connections = new Set<Connection>();
  #onClosed: (() => void) | undefined;

  private constructor(directory: string, store: Store, clock: ManualClock, residency: Residency, passwords: PasswordFile) {
    this.#directory = directory;
    this.#store = store;
    this.clock = clock;
    const held = new HeldClock(clock);
    const cache = new Cache(store, residency, held, MAX_ITEM_SIZE);
    const quotas = new Quotas(store, [{ prefix: 'q:', bytes: QUOTA_BYTES }]);
    cache.hasQuota = (key, growth) => quotas.hasRoom(key, growth);
    const line = new SlicedQueue(SLICE_MS);
    this.memory = new ConnectionMemory(4 * MAX_ITEM_SIZE, () => this.#connections, () => {}, line);
    const administration = this.#administration(cache);
    this.#auth = new AuthDialect(passwords, { commands: 0, errors: 0 });
    this.#context = {
      cache,
      store,
      text: new TextDialect(cache, administration),
      binary: new BinaryDialect(cache, administration),
      out: new ReplyBuffer(),
      ackFromMemory: false,
      traffic: { bytesRead: 0, bytesWritten: 0, yields: 0 },
      memory: this.memory,
      turns: new TurnQueue(line),
      reads: new ReadQueue(),
      arrivals: new Arrivals(),
    requestsPerEvent: 20,
      clock: held,
      turn: () => {},
      trace: undefined,
      sample: undefined,
      onClose: (connection) => {
        this.#connections.delete(connection);
        this.#onClosed?.();
      },
      onFault: (_connection, error) => this.faults.push(error),
    };
  }

  static async open(passwords: string): Promise<Rig> {
    const directory = mkdtempSync(join(tmpdir(), 'tugela-fuzz-'));
    const clock = new ManualClock();
    let residency: Residency | undefined;
    const store = await Store.open(directory, {
      blockCacheBytes: 2 ** 20,
      syncEveryBatch: false,
      countedPrefixes: ['q:'],
      ephemeral: { seconds: 10, limitBytes: EPHEMERAL_BYTES, clock },
      onFailed: (keys) => residency?.forget(keys),
    });
    residency = new Residency(store, new RamTier(RAM_BYTES, new AccessTable(4096)));
    const file = new PasswordFile(passwords);
    await file.reload();
    return new Rig(directory, store, clock, residency, file);
  }

  /** Sends an input over a new connection and closes it: gives all that is replied, once the connection is over. */
  async play(wire: FuzzWire, pieces: readonly Buffer[], mustAuthenticate: boolean): Promise<Buffer> {
    const connection = new Connection(
      wire,
      { id: 1, peer: 'tcp:127.0.0.1:1', listener: 'tcp:127.0.0.1:2', transport: 'tcp', isLocal: true, isEncrypted: false, dialect: mustAuthenticate ? this.#auth : undefined },
      this.#context,
    );
    this.#connections.add(connection);
    const over = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`does not hold: a connection comes to its end (${connection.state})`)), PATIENCE_MS);
      this.#onClosed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    const feed = async (): Promise<void> => {
      for (const piece of pieces) {
        await wire.beforeRead();
        if (wire.isOver) return;
        // The buffer is the reader's only for the call.
        const shared = Buffer.from(piece);
        if (!connection.read(shared, shared.length)) wire.pause();
        shared.fill(0xaa);
      }
      await wire.beforeRead();
      wire.peerEnds();
    };
    await Promise.all([over, feed()]);
    return wire.received;
  }

  async close(): Promise<void> {
    this.memory.stop();
    await this.#store.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #administration(cache: Cache): Administration {
    const target = new SteadyTarget(cache, this.#store);
    const control = new Control('local', target, () => true, {
      deletePrefix: () => Promise.resolve(1),
      prefixJobs: () => [],
      hotKeys: () => 'END\r\n',
      dump: nothing,
    });
    const dump = new Dump(cache, this.#store);
    const admin = new Admin({
      shutdown: false,
      dumping: true,
      watching: true,
      mayControl: (session) => control.isAllowed(session),
      stop: () => {},
      setVerbosity: () => {},
      setMemory: () => {},
      refreshCertificates: () => Promise.resolve('Error TLS not enabled'),
      startSweep: () => true,
      metadump: () => dump.metadump(),
      mgdump: () => dump.mgdump(),
      watch: () => 'ok',
    });
    return {
      version: '1',
      flushAllowed: true,
      stats: (words) => `${words.map((_word, i) => `STAT s ${i}\r\n`).join('')}END\r\n`,
      expire: (words, session) => control.answer(words, session),
      command: (words, session) => admin.answer(words, session),
      sync: () => this.#store.sync(),
      setVerbosity: (level, session) => admin.setVerbosity(level, session),
    };
  }
}

/** A listing without anything. */
async function* nothing(): AsyncGenerator<Buffer, void, undefined> {
  yield Buffer.from('END\r\n');
}
