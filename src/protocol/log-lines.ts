import type { LookupStatus, StoreStatus, StoreWord } from '../cache/observer.ts';
import { encodeUriKey } from './uri-key.ts';

/** Slab class of every item that is there: the only one there is. Memcached says 0 where there is no item. */
const THE_CLASS = 1;
const NO_CLASS = 0;

/** Why a connection ended. */
export type LogCloseReason = 'error' | 'normal' | 'idle_timeout' | 'shutdown';

/** Where a connection comes from. */
export interface LogPeer {
  readonly id: number;
  /** `tcp:1.2.3.4:5`, `tcp6:[::1]:5`, `udp:1.2.3.4:5` or `unix:/path`. */
  readonly peer: string;
  readonly transport: 'tcp' | 'udp' | 'local';
}

/*
 * The lines that watchers get (docs/protocol.md, protocol.txt "Watchers"):
 *
 *   ts=SECONDS.MICROSECONDS gid=N type=… NAME=VALUE…     + LF
 *
 * These functions give the part from `type=` on; `logLine` makes a line of it. ASCII throughout.
 */

/** A whole line. `nowMs` is Unix time in milliseconds, `gid` its number. */
export function logLine(nowMs: number, gid: number, event: string): string {
  return `ts=${(nowMs / 1000).toFixed(6)} gid=${gid} ${event}\n`;
}

/** The line that stands for those that a slow watcher missed. */
export function skippedLine(count: number): string {
  return `skipped=${count}\n`;
}

/** A lookup, by the connection numbered `cfd`. */
export function itemGetEvent(bytes: Buffer, start: number, end: number, status: LookupStatus, cfd: number, size: number): string {
  const key = encodeUriKey(bytes, start, end);
  return `type=item_get key=${key} status=${status} clsid=${status === 'found' ? THE_CLASS : NO_CLASS} cfd=${cfd} size=${size}`;
}

/** A value that was offered, and what became of it. */
export function itemStoreEvent(
  bytes: Buffer,
  start: number,
  end: number,
  status: StoreStatus,
  cmd: StoreWord,
  ttl: number,
  cfd: number,
  size: number,
): string {
  const clsid = status === 'too_large' || status === 'no_memory' ? NO_CLASS : THE_CLASS;
  return `type=item_store key=${encodeUriKey(bytes, start, end)} status=${status} cmd=${cmd} ttl=${ttl} clsid=${clsid} cfd=${cfd} size=${size}`;
}

/** An item that a command deleted. */
export function deletedEvent(bytes: Buffer, start: number, end: number, cmd: 'delete' | 'md', size: number): string {
  return `type=deleted key=${encodeUriKey(bytes, start, end)} cmd=${cmd} clsid=${THE_CLASS} size=${size}`;
}

/** An item that made room. `ttl` = seconds to live, -1 = for ever; `idle` = seconds since its last access. */
export function evictionEvent(bytes: Buffer, start: number, end: number, isFetched: boolean, ttl: number, idle: number, size: number): string {
  const fetch = isFetched ? 'yes' : 'no';
  return `type=eviction key=${encodeUriKey(bytes, start, end)} fetch=${fetch} ttl=${ttl} la=${idle} clsid=${THE_CLASS} size=${size}`;
}

/** A connection that came. */
export function connectionNewEvent(peer: LogPeer): string {
  return `type=conn_new ${from(peer)} cfd=${peer.id}`;
}

/** A connection that went. */
export function connectionCloseEvent(peer: LogPeer, reason: LogCloseReason): string {
  return `type=conn_close ${from(peer)} reason=${reason} cfd=${peer.id}`;
}

function from({ peer, transport }: LogPeer): string {
  // A unix client has no address of its own.
  const address = transport === 'local' ? null : /:\[?([^[\]]*)\]?:(\d+)$/.exec(peer);
  return `rip=${address?.[1] ?? 'unix'} rport=${address?.[2] ?? 0} transport=${transport}`;
}
