import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backOffMs } from '../../daemon/back-off.ts';
import { systemClock, type Clock } from '../../daemon/clock.ts';
import { DEFAULT_LIMITS, type LineClientLimits } from '../../daemon/line-client.ts';
import { RemoteTarget } from '../../daemon/remote-target.ts';
import { SweepStats } from '../../daemon/stats.ts';
import { Sweeper } from '../../daemon/sweeper.ts';
import type { ListedItem } from '../../daemon/target.ts';
import { captureLogger } from './capture-logger.ts';
import { FakeServer, type Answer } from './fake-server.ts';

const REAPED = 'REAPED 3 1 20 1 1\r\n';
const STATE = 'STAT entries 7\r\nSTAT oldest_deadline 90\r\nSTAT now 100\r\nSTAT busy_ms 1.5\r\nEND\r\n';

/** What the first servers did not say yet. */
const UNTOLD = { evictBytes: 0, liveBytes: 0, deadBytes: 0, diskBytes: 0, compactBytes: 0, valueBytesGivenBack: 0 };

let answer: Answer;
let server: FakeServer;
let controller: AbortController;
let log: ReturnType<typeof captureLogger>;
let onPause: () => void;

/** Real time, but back-off pauses are a millisecond. */
const quickClock: Clock = {
  ...systemClock,
  pause: async (_ms, signal) => {
    onPause();
    await systemClock.pause(1, signal);
  },
};

beforeEach(async () => {
  controller = new AbortController();
  log = captureLogger();
  onPause = () => undefined;
  answer = () => undefined;
  server = await FakeServer.open((line) => answer(line));
});

afterEach(async () => {
  controller.abort();
  await server.close();
});

function remote(waitMs = Number.POSITIVE_INFINITY, limits: Partial<LineClientLimits> = {}, port = server.port): RemoteTarget {
  return new RemoteTarget({
    address: { host: '127.0.0.1', port },
    clock: quickClock,
    logger: log.logger,
    signal: controller.signal,
    random: () => 0,
    waitMs,
    limits: { ...DEFAULT_LIMITS, ...limits },
  });
}

function item(key: string, cas = '1'): ListedItem {
  return { key: Buffer.from(key, 'latin1'), cas, expiresAt: 77, storedAt: 0, length: 0 };
}

describe.each([
  ['in one piece', false],
  ['byte by byte', true],
])('RemoteTarget with replies %s', (_name, slow) => {
  beforeEach(() => {
    server.slow = slow;
  });

  it('reads the state', async () => {
    answer = () => STATE;
    expect(await remote().state()).toEqual({ entries: 7, oldestDeadline: 90, now: 100, busyMs: 1.5, ...UNTOLD });
    expect(server.lines).toEqual(['expire state']);
  });

  it('reads what newer servers say of the disk', async () => {
    const disk = ['live_bytes 1', 'dead_bytes 2', 'disk_bytes 3', 'compact_bytes 4', 'value_gc_bytes_given_back 5', 'evict_bytes 6'];
    answer = () => STATE.replace('END', `${disk.map((stat) => `STAT ${stat}\r\n`).join('')}END`);
    const expected = { liveBytes: 1, deadBytes: 2, diskBytes: 3, compactBytes: 4, valueBytesGivenBack: 5, evictBytes: 6 };
    expect(await remote().state()).toMatchObject(expected);
  });

  it('reads due rows and hands back seen and next', async () => {
    answer = (line) => (line.startsWith('expire due') ? 'ROW a-1 90 3\r\nROW a-2 91 4\r\nEND 18446744073709551615 a-2\r\n' : REAPED);
    const target = remote();
    const due = await target.due(100, 'a-0');
    expect(due).toEqual({
      rows: [
        { id: 'a-1', deadline: 90, entries: 3 },
        { id: 'a-2', deadline: 91, entries: 4 },
      ],
      seen: '18446744073709551615',
      next: 'a-2',
    });
    expect(await target.reap(due.seen, ['a-1', 'a-2'])).toEqual({ scanned: 3, deleted: 1, bytes: 20, stale: 1, changed: 1 });
    expect(server.lines).toEqual(['expire due 100 a-0', 'expire reap 18446744073709551615 a-1 a-2']);
  });

  it('decodes keys and items', async () => {
    answer = (line) =>
      line.startsWith('expire keys') ? 'KEY a%FFb\r\nKEY c\r\nEND\r\n' : 'ITEM a%25b 5 0 1700000000 12\r\nEND -\r\n';
    const target = remote();
    expect(await target.keys('r-1')).toEqual([Buffer.from('a\xffb', 'latin1'), Buffer.from('c')]);
    expect(await target.list({ limit: 9, prefix: Buffer.from('a%'), storedBefore: 77, after: 'x' })).toEqual({
      items: [{ key: Buffer.from('a%b'), cas: '5', expiresAt: 0, storedAt: 1_700_000_000, length: 12 }],
      next: undefined,
    });
    expect(server.lines).toEqual(['expire keys r-1', 'expire list 9 x 77 a%25']);
  });
});

describe('RemoteTarget', () => {
  const listing: Answer = (line) => (/^expire (reap|remove)/.test(line) ? REAPED : 'END 5 -\r\n');
  const itemListing: Answer = (line) => (/^expire (reap|remove)/.test(line) ? REAPED : 'END -\r\n');

  it('names at most 1024 rows in a line and adds the reports', async () => {
    answer = listing;
    const target = remote();
    await target.due(1000);
    const rows = Array.from({ length: 2100 }, (_, n) => `row-${n}`);
    expect(await target.reap('5', rows)).toMatchObject({ scanned: 9, deleted: 3 });
    const sent = server.lines.filter((line) => line.startsWith('expire reap 5 '));
    expect(sent.map((line) => line.split(' ').length - 3)).toEqual([1024, 1024, 52]);
  });

  it('keeps a line of removals within 32 KiB and gives each key its own cas and expiry', async () => {
    answer = itemListing;
    const target = remote();
    await target.list({ limit: 1 });
    const items = Array.from({ length: 100 }, (_, n) => item('\xff'.repeat(240) + String(n), String(1000 + n)));
    await target.remove(items);
    const sent = server.lines.slice(1);
    expect(sent.length).toBeGreaterThan(1);
    expect(sent.every((line) => line.length <= 32 * 1024)).toBe(true);
    const words = sent.flatMap((line) => line.split(' ').slice(2));
    expect(words).toHaveLength(300);
    expect(words.slice(-3)).toEqual([`${'%FF'.repeat(240)}99`, '1099', '77']);
  });

  it('answers many lookups at once in order', async () => {
    answer = (line) => `ITEM ${line.split(' ').at(-1)} 1 0 0 1\r\nEND -\r\n`;
    const target = remote();
    const names = Array.from({ length: 64 }, (_, n) => `k${n}`);
    const lists = await Promise.all(names.map(async (name) => await target.list({ limit: 1, prefix: Buffer.from(name) })));
    expect(lists.map(({ items }) => items[0]?.key.toString())).toEqual(names);
    expect(server.connections).toBe(1);
  });

  it.each([
    ['refused', 'CLIENT_ERROR control commands are not accepted on this connection\r\n'],
    ['client_error', 'CLIENT_ERROR no such row\r\n'],
    ['server_error', 'SERVER_ERROR store failed\r\n'],
    ['unsupported', 'ERROR\r\n'],
  ])('rejects with %s and keeps the connection', async (code, reply) => {
    answer = (line) => (line === 'expire state' ? STATE : reply);
    const target = remote();
    await expect(target.due(1)).rejects.toMatchObject({ name: 'LinkError', code });
    await target.state();
    expect(server.connections).toBe(1);
  });

  it.each([
    ['a line that is no reply', 'HELLO\r\nEND 1 -\r\n'],
    ['a row without a count', 'ROW a 1\r\nEND 1 -\r\n'],
    ['a row with a blank id', 'ROW  1 1\r\nEND 1 -\r\n'],
    ['an end without seen', 'END\r\n'],
  ])('rejects %s', async (_name, reply) => {
    answer = () => reply;
    await expect(remote().due(1)).rejects.toMatchObject({ code: 'bad_reply' });
  });

  it('bounds the length of a line and of a reply', async () => {
    answer = () => 'x'.repeat(2000);
    await expect(remote(Infinity, { maxLineBytes: 1000 }).state()).rejects.toMatchObject({ code: 'bad_reply' });
    answer = () => 'KEY abc\r\n'.repeat(1000);
    await expect(remote(Infinity, { maxReplyBytes: 1000 }).keys('r')).rejects.toMatchObject({ code: 'bad_reply' });
  });

  it('gives up a connection whose reply does not come', async () => {
    const target = remote(Infinity, { replyTimeoutMs: 50 });
    await expect(target.state()).rejects.toMatchObject({ code: 'timeout' });
    expect(target.reachable).toBe(false);
    answer = () => STATE;
    await target.state();
    expect(target.reachable).toBe(true);
  });

  it('rejects when the connection ends in the middle of a reply, and connects anew for the next', async () => {
    answer = () => 'STAT entries 7\r\nSTAT oldhang up';
    const target = remote();
    await expect(target.state()).rejects.toMatchObject({ code: 'connection_lost' });
    expect(target.reachable).toBe(false);
    answer = () => STATE;
    expect(await target.state()).toMatchObject({ entries: 7 });
    expect(target).toMatchObject({ reachable: true, reconnects: 1, incarnation: 1 });
    expect(log.lines.map(({ msg }) => msg)).toEqual(['server unreachable, trying again', 'server reachable']);
  });

  it('does not delete over another connection than that of the list', async () => {
    answer = (line) => (line === 'expire state' ? 'hang up' : listing(line));
    const target = remote();
    await target.due(1);
    await expect(target.state()).rejects.toMatchObject({ code: 'connection_lost' });
    answer = (line) => (line === 'expire state' ? STATE : listing(line));
    await target.state();
    await expect(target.reap('5', ['a'])).rejects.toMatchObject({ code: 'connection_lost' });
    await expect(target.remove([item('k')])).rejects.toMatchObject({ code: 'connection_lost' });
    expect(server.lines.some((line) => /^expire (reap|remove)/.test(line))).toBe(false);
  });

  it('waits for a server that is away, and knows another process by its pid', async () => {
    answer = () => STATE;
    const { port } = server;
    const target = remote();
    await target.state();
    await server.close();
    let attempts = 0;
    const reopened = new Promise<void>((resolve, reject) => {
      onPause = () => {
        if (++attempts !== 5) return;
        FakeServer.open((line) => answer(line), port).then((opened) => {
          opened.pid = 2;
          server = opened;
          resolve();
        }, reject);
      };
    });
    await target.state().catch(async () => await target.state());
    await reopened;
    expect(target).toMatchObject({ reachable: true, reconnects: 1, incarnation: 2 });
    expect(log.lines.map(({ msg }) => msg)).toEqual(['server unreachable, trying again', 'server reachable']);
  });

  it('gives up after the time allowed, saying where and why', async () => {
    const { port } = server;
    await server.close();
    const error = await remote(20, {}, port).state().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'unreachable' });
    expect(String(error)).toMatch(new RegExp(`Cannot reach the server at 127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`));
  });

  it.each(['while connecting', 'while waiting for a reply'])('ends at once when aborted %s', async (when) => {
    if (when === 'while connecting') {
      await server.close();
      onPause = () => controller.abort();
    } else {
      answer = () => {
        controller.abort();
        return undefined;
      };
    }
    await expect(remote(Infinity, {}, when === 'while connecting' ? 1 : server.port).state()).rejects.toMatchObject({ code: 'aborted' });
  });

  it('reports stats in one line', async () => {
    answer = () => 'OK\r\n';
    await remote().report(new Map([['sweeps', '3'], ['reconnects', '0']]));
    expect(server.lines).toEqual(['expire report sweeps 3 reconnects 0']);
  });

  it('lets a sweep go on over a connection lost in the middle of a reap', async () => {
    let rows = ['r-1', 'r-2', 'r-3'];
    let reaps = 0;
    answer = (line) => {
      const words = line.split(' ');
      switch (words[1]) {
        case 'state':
          return `STAT entries ${rows.length}\r\nSTAT oldest_deadline ${rows.length === 0 ? 0 : 90}\r\nSTAT now 100\r\nSTAT busy_ms 0\r\nEND\r\n`;
        case 'due': {
          const [row] = rows;
          return row === undefined ? 'END 5 -\r\n' : `ROW ${row} 90 1\r\nEND 5 ${rows.length > 1 ? row : '-'}\r\n`;
        }
        default:
          rows = rows.filter((row) => !words.includes(row));
          return ++reaps === 2 ? 'REAPED 1 hang up' : 'REAPED 1 1 10 0 0\r\n';
      }
    };
    const target = remote();
    const sweeper = new Sweeper({
      target,
      link: target,
      clock: quickClock,
      stats: new SweepStats(target),
      logger: log.logger,
      random: () => 0,
      settings: { batch: 1, maxRate: 0, intervalMs: 5000 },
    });
    // The second row's reply was lost: it is gone, but not counted.
    expect(await sweeper.sweepOnce(controller.signal)).toMatchObject({ expired: 2, indexEntries: 0 });
    expect(target.reconnects).toBe(1);
  });
});

describe('backOffMs()', () => {
  it('doubles between its bounds, with up to half of it left to chance', () => {
    expect([0, 1, 3, 6, 7, 1000].map((attempt) => backOffMs(attempt, 1))).toEqual([100, 200, 800, 6400, 10_000, 10_000]);
    expect([0, 1, 3, 6, 7, 1000].map((attempt) => backOffMs(attempt, 0))).toEqual([100, 100, 400, 3200, 5000, 5000]);
  });
});
