import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Hit } from '../../src/cache/hit.ts';
import type { CacheObserver } from '../../src/cache/observer.ts';
import type { ConnectionState, Session } from '../../src/server/session.ts';
import { parseWatchWords, WatchHub, type WatchKind } from '../../src/server/watch-hub.ts';
import { keyRange, OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const KEY = Buffer.from('key');
const NOW_MS = 1_700_000_000_250;

/** A connection whose client reads only when told to, behind a kernel that takes a given number of bytes. */
class FakeSession implements Session {
  readonly listener = 'tcp:127.0.0.1:11211';
  readonly transport = 'tcp';
  readonly isLocal = true;
  readonly state: ConnectionState = 'conn_watch';
  readonly isPipelined = false;
  readonly id: number;
  readonly peer: string;
  lastCommandAt = 0;
  authenticated = false;
  /** What reached the kernel. */
  received = '';
  pushes = 0;
  #unsent = '';
  /** Bytes that the kernel still takes. */
  room: number;

  constructor(id: number, room = Number.POSITIVE_INFINITY) {
    this.id = id;
    this.peer = `tcp:127.0.0.1:${40_000 + id}`;
    this.room = room;
  }

  get unsentBytes(): number {
    return this.#unsent.length;
  }

  push(bytes: Buffer): void {
    this.pushes++;
    this.#unsent += bytes.toString('latin1');
    this.#send();
  }

  /** The client reads. */
  makeRoom(bytes: number): void {
    this.room += bytes;
    this.#send();
  }

  get lines(): string[] {
    return this.received.split('\n').slice(0, -1);
  }

  #send(): void {
    const taken = Math.min(this.room, this.#unsent.length);
    this.received += this.#unsent.slice(0, taken);
    this.#unsent = this.#unsent.slice(taken);
    this.room -= taken;
  }
}

const watched: { observer: CacheObserver | undefined } = { observer: undefined };
let hub: WatchHub;

/** What a hub does once lines have been gathered for long enough. */
let due: (() => void)[] = [];

function makeHub(bufferBytes: number): WatchHub {
  return new WatchHub(watched, { bufferBytes, nowMs: () => NOW_MS, later: (run) => due.push(run) });
}

/** Ends the time in which lines are gathered. */
function turn(): Promise<void> {
  for (const run of due.splice(0)) run();
  return Promise.resolve();
}

function watch(id: number, ...kinds: WatchKind[]): FakeSession {
  const session = new FakeSession(id);
  expect(hub.add(session, new Set(kinds))).toBe('ok');
  return session;
}

/** One event of each kind. */
function everything(): void {
  hub.looked(KEY, 0, 3, 'found', 7);
  hub.stored(KEY, 0, 3, 'stored', 'set', 60, 7);
  hub.deleted(KEY, 0, 3, 'delete', 7);
  hub.evicted(KEY, 0, 3, true, -1, 5, 7);
  hub.connected(new FakeSession(9));
  hub.disconnected(new FakeSession(9), 'normal');
}

beforeEach(() => {
  watched.observer = undefined;
  due = [];
  hub = makeHub(256 * 1024);
});

describe('parseWatchWords', () => {
  it('takes no word for fetchers, and any of the ten', () => {
    expect(parseWatchWords([])).toEqual(new Set(['fetchers']));
    const all = ['fetchers', 'mutations', 'evictions', 'connevents', 'deletions', 'sysevents', 'rawcmds', 'proxyreqs', 'proxyevents', 'proxyuser'];
    expect(parseWatchWords([...all, 'fetchers'])).toEqual(new Set(all));
  });

  it('refuses a word that it does not know', () => {
    expect(parseWatchWords(['fetchers', 'bogus'])).toBeUndefined();
    expect(parseWatchWords(['Fetchers'])).toBeUndefined();
  });
});

describe('WatchHub', () => {
  it('gives each watcher the lines of what it watches, in order, at the end of the turn', async () => {
    const items = watch(1, 'fetchers', 'mutations');
    const rest = watch(2, 'deletions', 'evictions', 'connevents');
    hub.current = 5;
    everything();
    expect(items.received + rest.received).toBe('');
    await turn();
    expect(items.lines).toEqual([
      'ts=1700000000.250000 gid=1 type=item_get key=key status=found clsid=1 cfd=5 size=7',
      'ts=1700000000.250000 gid=2 type=item_store key=key status=stored cmd=set ttl=60 clsid=1 cfd=5 size=7',
    ]);
    expect(rest.lines).toEqual([
      'ts=1700000000.250000 gid=3 type=deleted key=key cmd=delete clsid=1 size=7',
      'ts=1700000000.250000 gid=4 type=eviction key=key fetch=yes ttl=-1 la=5 clsid=1 size=7',
      'ts=1700000000.250000 gid=5 type=conn_new rip=127.0.0.1 rport=40009 transport=tcp cfd=9',
      'ts=1700000000.250000 gid=6 type=conn_close rip=127.0.0.1 rport=40009 transport=tcp reason=normal cfd=9',
    ]);
    expect([items.pushes, rest.pushes]).toEqual([1, 1]);
  });

  it('numbers only what somebody watches', async () => {
    const session = watch(1, 'deletions');
    everything();
    everything();
    await turn();
    expect(session.lines.map((line) => line.split(' ')[1])).toEqual(['gid=1', 'gid=2']);
    expect(hub.stats()).toEqual({ written: 2, dropped: 0, skipped: 0, sent: 2, watchers: 1 });
  });

  it('accepts kinds that never happen here, and is silent', async () => {
    const session = watch(1, 'sysevents', 'rawcmds', 'proxyreqs', 'proxyevents', 'proxyuser');
    everything();
    await turn();
    expect(session.pushes).toBe(0);
    expect(watched.observer).toBeUndefined();
  });

  it('observes the cache only while somebody watches fetchers, mutations or deletions', () => {
    const events = watch(1, 'connevents', 'evictions');
    expect(watched.observer).toBeUndefined();
    for (const kind of ['fetchers', 'mutations', 'deletions'] as const) {
      const session = watch(2, kind);
      expect(watched.observer).toBe(hub);
      hub.remove(session);
      expect(watched.observer).toBeUndefined();
    }
    hub.remove(events);
    expect(hub.stats().watchers).toBe(0);
  });

  it('refuses the twenty-first watcher, until one leaves', () => {
    const sessions = Array.from({ length: 20 }, (_, id) => watch(id, 'fetchers'));
    const late = new FakeSession(21);
    expect(hub.add(late, new Set(['fetchers']))).toBe('too_many');
    hub.remove(new FakeSession(22));
    expect(hub.add(late, new Set(['fetchers']))).toBe('too_many');
    hub.remove(sessions[0]!);
    expect(hub.add(late, new Set(['fetchers']))).toBe('ok');
    expect(hub.stats().watchers).toBe(20);
  });

  it('pushes nothing to a watcher that left before the turn ended', async () => {
    const session = watch(1, 'fetchers');
    everything();
    hub.remove(session);
    await turn();
    expect(session.pushes).toBe(0);
  });

  it('zeroes its counts, and not the numbers of lines', async () => {
    const session = watch(1, 'fetchers');
    everything();
    hub.resetCounts();
    expect(hub.stats()).toEqual({ written: 0, dropped: 0, skipped: 0, sent: 0, watchers: 1 });
    everything();
    await turn();
    expect(session.lines[1]).toContain('gid=2');
  });
});

describe('a watcher that reads too slowly', () => {
  const look = (times: number): void => {
    for (let i = 0; i < times; i++) hub.looked(KEY, 0, 3, 'found', 7);
  };

  it('misses lines, and is told how many before the next that finds room', async () => {
    hub = makeHub(1000);
    const slow = new FakeSession(1, 0);
    hub.add(slow, new Set(['fetchers']));
    look(100);
    await turn();
    const { skipped, sent } = hub.stats();
    expect(skipped).toBeGreaterThan(80);
    expect(sent).toBe(100 - skipped);
    expect(slow.unsentBytes).toBeLessThanOrEqual(1000);
    slow.makeRoom(100_000);
    look(1);
    await turn();
    expect(slow.lines.at(-2)).toBe(`skipped=${skipped}`);
    expect(slow.lines.at(-1)).toContain(' gid=101 ');
    look(1);
    await turn();
    expect(slow.lines.at(-1)).toContain(' gid=102 ');
  });

  it('does not keep others from their lines', async () => {
    hub = makeHub(1000);
    const slow = new FakeSession(1, 0);
    const quick = new FakeSession(2);
    hub.add(slow, new Set(['fetchers']));
    hub.add(quick, new Set(['fetchers']));
    look(100);
    await turn();
    expect(quick.lines.length).toBe(100);
    expect(hub.stats()).toMatchObject({ written: 100, watchers: 2 });
  });

  it('misses nothing as long as the kernel takes what one turn makes, however much', async () => {
    hub = makeHub(1000);
    const session = new FakeSession(1);
    hub.add(session, new Set(['fetchers']));
    look(1000);
    await turn();
    expect(session.lines.length).toBe(1000);
    expect(hub.stats().skipped).toBe(0);
  });

  it('gets a line that exceeds the buffer when nothing else waits', async () => {
    hub = makeHub(100);
    const session = new FakeSession(1);
    hub.add(session, new Set(['fetchers']));
    hub.looked(Buffer.alloc(250, '#'), 0, 250, 'found', 1);
    await turn();
    expect(session.lines.length).toBe(1);
  });

  it('finds each line or its place in a skipped line, within bounded memory', async () => {
    const step = fc.record({ looks: fc.nat(30), reads: fc.nat(3000) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer({ min: 200, max: 4000 }), async (steps, bufferBytes) => {
        hub = makeHub(bufferBytes);
        const session = new FakeSession(1, 0);
        hub.add(session, new Set(['fetchers']));
        let made = 0;
        for (const { looks, reads } of steps) {
          look(looks);
          made += looks;
          await turn();
          expect(session.unsentBytes).toBeLessThanOrEqual(bufferBytes);
          session.makeRoom(reads);
        }
        session.makeRoom(Number.POSITIVE_INFINITY);
        look(1);
        made++;
        await turn();
        let expected = 1;
        for (const line of session.lines) {
          const skipped = /^skipped=(\d+)$/.exec(line);
          if (skipped !== null) expected += Number(skipped[1]);
          else expect(line).toContain(` gid=${expected++} `);
        }
        expect(expected).toBe(made + 1);
      }),
      { numRuns: 50 },
    );
  });
});

describe('WatchHub when a watcher has missed lines', () => {
  it('says how many as soon as there is room, though nothing happens any more', async () => {
    hub = makeHub(1000);
    const slow = new FakeSession(1, 0);
    hub.add(slow, new Set<WatchKind>(['fetchers']));
    for (let i = 0; i < 100; i++) {
      hub.looked(KEY, 0, 3, 'found', 7);
      await turn();
    }
    await turn();
    expect(slow.lines).toEqual([]);
    slow.makeRoom(Number.POSITIVE_INFINITY);
    const shown = slow.lines.length;
    await turn();
    expect(slow.lines.at(-1)).toBe(`skipped=${100 - shown}`);
    expect(due).toEqual([]);
  });
});

describe('WatchHub on a cache', () => {
  it('tells of its commands as long as somebody watches', async () => {
    const open = await OpenCache.open(tempDirectory());
    hub = new WatchHub(open.cache, { bufferBytes: 256 * 1024, nowMs: () => NOW_MS, later: (run) => due.push(run) });
    const session = watch(1, 'fetchers', 'mutations', 'deletions');
    hub.current = 4;
    await open.set('vfoo', Buffer.from('vbar'));
    open.cache.fetch(keyRange('vfoo'), undefined, new Hit());
    await open.delete('vfoo');
    await turn();
    const heard = session.lines.map((line) => line.replace('ts=1700000000.250000 ', ''));
    expect(heard).toEqual([
      'gid=1 type=item_get key=vfoo status=not_found clsid=0 cfd=4 size=0',
      'gid=2 type=item_store key=vfoo status=stored cmd=set ttl=0 clsid=1 cfd=4 size=4',
      'gid=3 type=item_get key=vfoo status=found clsid=1 cfd=4 size=4',
      'gid=4 type=item_get key=vfoo status=found clsid=1 cfd=4 size=4',
      'gid=5 type=deleted key=vfoo cmd=delete clsid=1 size=4',
    ]);
    hub.remove(session);
    await open.set('vfoo', Buffer.from('vbar'));
    await turn();
    expect(session.lines.length).toBe(5);
    await open.close();
  });
});
