import { EventEmitter } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type RunDeps, runServer } from '../../src/cli/run-server.ts';
import { readServeSettings } from '../../src/config/serve-config.ts';
import { ManualTimers } from './manual-timers.ts';
import { recordingLogger } from './recording-logger.ts';
import { temporaryDirectory } from './temporary-directory.ts';

interface Fake {
  /** User id the process starts with. */
  readonly uid?: number;
  /** The server's stop; by default it stops at once. */
  readonly stop?: () => Promise<void>;
  /** Delays the end of the start. */
  readonly started?: Promise<void>;
  /** Settles when a client asks for a stop; by default none does. */
  readonly stopRequested?: Promise<string>;
  readonly reload?: () => void;
}

/** A server and a process around it of which every step is written down. */
function setUp(fake: Fake = {}, given: Record<string, unknown> = {}) {
  const { logger, lines } = recordingLogger();
  const signals = new EventEmitter();
  const timers = new ManualTimers();
  const steps: string[] = [];
  const ready: string[][] = [];
  const directory = temporaryDirectory();
  const accountsFile = join(directory, 'passwd');
  const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  writeFileSync(accountsFile, `cache:x:${me.uid === 0 ? 990 : me.uid}:${me.uid === 0 ? 991 : me.gid}::/:/\n`);
  let uid = fake.uid ?? 1000;
  let fail: (error: Error) => void = () => undefined;
  const listening: Promise<void> = new Promise((resolve) => {
    signals.once('test:listening', () => resolve());
  });
  const deps: RunDeps = {
    logger,
    signals,
    timers,
    accountsFile,
    pidfile: { pid: 500, isAlive: (pid) => pid === 600 },
    identity: {
      uid: () => uid,
      initgroups: () => void steps.push('initgroups'),
      setgid: () => void steps.push('setgid'),
      setuid(id) {
        if (uid !== 0) throw new Error('EPERM');
        steps.push('setuid');
        uid = id;
      },
    },
    async startServer(_config, { afterBind }) {
      steps.push('bind');
      afterBind?.();
      steps.push('open');
      await fake.started;
      return {
        addresses: ['127.0.0.1:4000', '[::1]:4000'],
        failed: new Promise((resolve) => {
          fail = resolve;
        }),
        stopRequested: fake.stopRequested ?? new Promise(() => undefined),
        reload() {
          steps.push('reload');
          fake.reload?.();
        },
        async stop() {
          steps.push('stop');
          await fake.stop?.();
        },
      };
    },
    companion: (addresses) => ({
      start: () => void steps.push(`companion of ${addresses.join(' ')}`),
      async stop() {
        steps.push('companion stop');
      },
    }),
    print(line) {
      steps.push(line);
      signals.emit('test:listening');
    },
    onReady: () => void ready.push([...steps]),
  };
  const file = join(directory, 'data');
  const status = runServer(readServeSettings({ file, ...given }, {}), deps);
  return { status, listening, steps, ready, lines, signals, timers, file, fail: (error: Error) => fail(error) };
}

const STARTED = ['bind', 'open', 'listening on 127.0.0.1:4000', 'listening on [::1]:4000'];

function never(): Promise<void> {
  return new Promise(() => undefined);
}

describe('runServer()', () => {
  test.each(['SIGTERM', 'SIGINT'])('stops in order at %s', async (signal) => {
    const run = setUp();
    await run.listening;
    run.signals.emit(signal);
    expect(await run.status).toBe(0);
    expect(run.steps).toEqual([...STARTED, 'stop']);
    expect(run.lines).toEqual([`info: ${signal}, stopping`]);
    expect(run.timers.pending).toBe(0);
    expect(run.signals.eventNames()).toEqual([]);
  });

  test('ends at once at a second signal', async () => {
    const run = setUp({ stop: never });
    await run.listening;
    run.signals.emit('SIGTERM');
    run.signals.emit('SIGINT');
    expect(await run.status).toBe(1);
    expect(run.lines.at(-1)).toBe('warn: SIGINT again, ending at once');
  });

  test('gives up a stop after 30 s', async () => {
    const run = setUp({ stop: never });
    await run.listening;
    run.signals.emit('SIGTERM');
    run.timers.advance(30_000);
    expect(await run.status).toBe(1);
    expect(run.lines.at(-1)).toBe('error: not stopped after 30 s, giving up');
  });

  test('exits with 1 when the stop fails', async () => {
    const run = setUp({ stop: () => Promise.reject(new Error('disk full')) });
    await run.listening;
    run.signals.emit('SIGTERM');
    expect(await run.status).toBe(1);
    expect(run.lines.at(-1)).toBe('error: stop failed');
  });

  test('rereads at SIGHUP what can be reread, and goes on', async () => {
    const run = setUp();
    await run.listening;
    run.signals.emit('SIGHUP');
    run.signals.emit('SIGTERM');
    expect(await run.status).toBe(0);
    expect(run.steps).toEqual([...STARTED, 'reload', 'stop']);
    expect(run.lines).toEqual(['info: SIGHUP, reading passwords and certificates again', 'info: SIGTERM, stopping']);
  });

  test('goes on when that fails', async () => {
    const run = setUp({
      reload: () => {
        throw new Error('no such file');
      },
    });
    await run.listening;
    run.signals.emit('SIGHUP');
    run.signals.emit('SIGTERM');
    expect(await run.status).toBe(0);
    expect(run.lines[1]).toBe('error: could not read them again, going on with those there are');
  });

  test('ignores SIGHUP while it starts', async () => {
    let finishStart: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      finishStart = resolve;
    });
    const run = setUp({ started });
    run.signals.emit('SIGHUP');
    finishStart();
    await run.listening;
    run.signals.emit('SIGTERM');
    expect(await run.status).toBe(0);
    expect(run.lines).toEqual(['info: SIGHUP ignored: still starting', 'info: SIGTERM, stopping']);
  });

  test('stops in order when a client asks for it', async () => {
    const run = setUp({ stopRequested: Promise.resolve('shutdown command') });
    expect(await run.status).toBe(0);
    expect(run.steps).toEqual([...STARTED, 'stop']);
    expect(run.lines).toEqual(['info: shutdown command, stopping']);
    expect(run.timers.pending).toBe(0);
  });

  test('is not forced to end by a client that asks during a stop', async () => {
    let ask: (reason: string) => void = () => undefined;
    let finishStop: () => void = () => undefined;
    const stopRequested = new Promise<string>((resolve) => {
      ask = resolve;
    });
    const stopped = new Promise<void>((resolve) => {
      finishStop = resolve;
    });
    const run = setUp({ stopRequested, stop: () => stopped });
    await run.listening;
    run.signals.emit('SIGTERM');
    ask('shutdown command');
    await stopRequested;
    finishStop();
    expect(await run.status).toBe(0);
    expect(run.lines).toEqual(['info: SIGTERM, stopping']);
  });

  test('says once that it is ready, after the addresses', async () => {
    const run = setUp();
    await run.listening;
    run.signals.emit('SIGTERM');
    await run.status;
    expect(run.ready).toEqual([STARTED]);
  });

  test('logs what was said without effect', async () => {
    const run = setUp({}, { threads: '4' });
    await run.listening;
    run.signals.emit('SIGTERM');
    await run.status;
    expect(run.lines[0]).toBe('warn: --threads has no effect here: all requests are executed by one thread');
  });

  test('ends at an uncaught error', async () => {
    const run = setUp();
    await run.listening;
    run.signals.emit('uncaughtException', new Error('broken'));
    expect(await run.status).toBe(1);
    expect(run.lines).toEqual(['fatal: uncaught error, ending']);
  });

  test('stops and exits with 1 when the server fails', async () => {
    const run = setUp();
    await run.listening;
    run.fail(new Error('broken'));
    expect(await run.status).toBe(1);
    expect(run.steps.at(-1)).toBe('stop');
    expect(run.lines).toEqual(['fatal: server failed, stopping']);
  });

  test('stops a server that was still starting when the signal came', async () => {
    let finishStart: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      finishStart = resolve;
    });
    const run = setUp({ started }, { withExpire: true });
    run.signals.emit('SIGTERM');
    finishStart();
    expect(await run.status).toBe(0);
    expect(run.steps).toEqual([...STARTED, 'stop']);
  });

  test('rejects when the server cannot be started', async () => {
    const run = setUp({ started: Promise.reject(new Error('locked')) });
    await expect(run.status).rejects.toThrow('locked');
    expect(run.signals.eventNames()).not.toContain('SIGTERM');
  });

  test('keeps the expiry daemon alongside when asked to, and stops it first', async () => {
    const run = setUp({}, { withExpire: true });
    await run.listening;
    run.signals.emit('SIGTERM');
    expect(await run.status).toBe(0);
    expect(run.steps.slice(STARTED.length)).toEqual([
      'companion of 127.0.0.1:4000 [::1]:4000',
      'companion stop',
      'stop',
    ]);
  });
});

describe('runServer() with a pidfile', () => {
  test('writes it before it prints the addresses, and removes it at the end', async () => {
    const pidfile = join(temporaryDirectory(), 't.pid');
    const run = setUp({}, { pidfile });
    await run.listening;
    expect(readFileSync(pidfile, 'utf8')).toBe('500\n');
    run.signals.emit('SIGTERM');
    await run.status;
    expect(existsSync(pidfile)).toBe(false);
  });

  test('does not even bind when the file names a live process', async () => {
    const pidfile = join(temporaryDirectory(), 't.pid');
    writeFileSync(pidfile, '600\n');
    const run = setUp({}, { pidfile });
    await expect(run.status).rejects.toMatchObject({ code: 'TUGELA_PIDFILE' });
    expect(run.steps).toEqual([]);
    expect(readFileSync(pidfile, 'utf8')).toBe('600\n');
  });

  test('stops the server again when the file cannot be written', async () => {
    const run = setUp({}, { pidfile: '/nowhere/t.pid' });
    await expect(run.status).rejects.toMatchObject({ code: 'TUGELA_PIDFILE' });
    expect(run.steps).toEqual(['bind', 'open', 'stop']);
  });
});

describe('runServer() with a user', () => {
  test('drops privileges between binding and opening', async () => {
    const pidfile = join(temporaryDirectory(), 't.pid');
    const run = setUp({ uid: 0 }, { user: 'cache', pidfile });
    await run.listening;
    expect(run.steps.slice(0, 5)).toEqual(['bind', 'initgroups', 'setgid', 'setuid', 'open']);
    expect(existsSync(run.file)).toBe(true);
    expect(readFileSync(pidfile, 'utf8')).toBe('500\n');
    run.signals.emit('SIGTERM');
    expect(await run.status).toBe(0);
    expect(run.lines).toEqual(['info: SIGTERM, stopping']);
  });

  test('does not even bind when the user is unknown', async () => {
    const run = setUp({ uid: 0 }, { user: 'nobody-here' });
    await expect(run.status).rejects.toMatchObject({ code: 'TUGELA_USER' });
    expect(run.steps).toEqual([]);
  });

  test('says that --user is ignored when not started as root', async () => {
    const run = setUp({ uid: 1000 }, { user: 'cache' });
    await run.listening;
    expect(run.steps).toEqual(STARTED);
    expect(run.lines).toEqual(['info: --user ignored: not started as root']);
    run.signals.emit('SIGTERM');
    await run.status;
  });

  test('warns of running as root', async () => {
    const run = setUp({ uid: 0 });
    await run.listening;
    expect(run.lines).toEqual([
      'warn: running as root: whoever breaks into the server owns the machine; consider --user',
    ]);
    run.signals.emit('SIGTERM');
    await run.status;
  });
});
