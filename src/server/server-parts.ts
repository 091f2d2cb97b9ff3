import type { Logger } from 'pino';
import type { Cache } from '../cache/cache.ts';
import type { HeldClock } from '../clock.ts';
import type { ServeConfig } from '../config.ts';
import type { SlicedQueue } from '../sliced-queue.ts';
import type { Store } from '../store/store.ts';
import type { Quota } from '../upkeep/quotas.ts';
import type { Upkeep } from '../upkeep/upkeep.ts';
import type { Clients } from './clients.ts';
import type { Credentials } from './credentials.ts';
import type { Listeners } from './listeners.ts';
import type { MemoryLimit } from './memory-limit.ts';
import type { Verbosity } from './verbosity.ts';
import type { WatchHub } from './watch-hub.ts';

/** What a server consists of, without what answers its clients: that is made from these (create-context.ts). */
export interface ServerParts {
  readonly config: ServeConfig;
  readonly logger: Logger;
  readonly clock: HeldClock;
  readonly credentials: Credentials;
  readonly verbosity: Verbosity;
  readonly memory: MemoryLimit;
  readonly listeners: Listeners;
  readonly clients: Clients;
  readonly store: Store;
  readonly cache: Cache;
  readonly watch: WatchHub;
  /** Where all stand whose work takes long, for their share of a turn of the event loop. */
  readonly line: SlicedQueue;
  readonly upkeep: Upkeep;
  /** Of prefixes. */
  readonly quotas: readonly Quota[];
  /** Asks for an orderly end of the server. */
  requestStop(why: string): void;
}
