import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StatsListener } from '../../daemon/stats-listener.ts';
import { SweepStats } from '../../daemon/stats.ts';

let listener: StatsListener;
let sweeps = 0;

const options = {
  host: '127.0.0.1',
  port: 0,
  version: '1.2.3',
  stats: () => new Map([['sweeps', String(++sweeps)], ['server_reachable', '1']]),
};

beforeEach(async () => {
  sweeps = 0;
  listener = await StatsListener.open(options);
});

afterEach(async () => {
  await listener.close();
});

async function dial(): Promise<Socket> {
  const socket = connect(listener.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Sends and gives back all that is answered until the listener hangs up. */
async function talk(...parts: string[]): Promise<string> {
  const socket = await dial();
  for (const part of parts) await new Promise((resolve) => socket.write(part, resolve));
  return await text(socket);
}

const STATS = (n: number): string => `STAT sweeps ${n}\r\nSTAT server_reachable 1\r\nEND\r\n`;

describe('StatsListener', () => {
  it('answers stats, version and quit, and nothing else', async () => {
    expect(await talk('stats\r\nversion\r\nget a\r\n\r\nstats\nquit\r\nstats\r\n')).toBe(
      `${STATS(1)}VERSION 1.2.3\r\nERROR\r\nERROR\r\n${STATS(2)}`,
    );
  });

  it('answers a command that comes byte by byte', async () => {
    expect(await talk(...Array.from('stats\r\nquit\r\n'))).toBe(STATS(1));
  });

  it('hangs up on an overlong line', async () => {
    expect(await talk('version\r\n', 'x'.repeat(5000))).toBe('VERSION 1.2.3\r\nERROR\r\n');
  });

  it('closes with clients connected', async () => {
    const socket = await dial();
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    await listener.close();
    await closed;
  });

  it('says that the port is in use and what to do', async () => {
    await expect(StatsListener.open({ ...options, port: listener.port })).rejects.toMatchObject({
      code: 'TUGELA_LISTEN',
      message: expect.stringMatching(/port is in use.*--stats-port.*--no-stats/) as string,
    });
  });
});

describe('SweepStats', () => {
  it('counts rounds and sweeps', () => {
    const link = { reachable: false, reconnects: 4, incarnation: 1 };
    const stats = new SweepStats(link);
    stats.addRound('expired', { scanned: 10, deleted: 5, bytes: 100, stale: 3, changed: 2 });
    stats.addRound('removed', { scanned: 2, deleted: 1, bytes: 20, stale: 0, changed: 1 });
    stats.addRound('evicted', { scanned: 4, deleted: 1, bytes: 0, stale: 0, changed: 0 });
    stats.setState({ entries: 9, oldestDeadline: 70, now: 100, busyMs: 0 });
    const summary = {
      scanned: 12, expired: 5, removed: 1, evicted: 1, bytes: 120, stale: 3, changed: 3,
      durationMs: 6.4, rate: 1875.2, indexEntries: 9, lagSeconds: 30, interrupted: false,
    };
    stats.addSweep(summary, 1234);
    stats.addSweep({ ...summary, scanned: 0 }, 1240);
    expect(Object.fromEntries(stats.entries())).toMatchObject({
      sweeps: '2', sweeps_with_work: '1', entries_scanned: '16', items_expired: '5', items_removed: '1', items_evicted: '1',
      stale_entries_dropped: '3', items_changed: '3', bytes_reclaimed: '120', oldest_overdue_seconds: '30',
      index_entries: '9', last_sweep_at: '1234', last_sweep_ms: '6', last_sweep_rate: '1875',
      reconnects: '4', server_reachable: '0',
    });
    expect([...stats.entries().values()].every((value) => !value.includes(' '))).toBe(true);
  });
});
