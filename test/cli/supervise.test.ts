import { expect, test } from 'vitest';
import { type Child, type ChildExit, Supervisor } from '../../src/cli/supervise.ts';
import { ManualTimers } from './manual-timers.ts';
import { recordingLogger } from './recording-logger.ts';

/** Children that live until told otherwise; they end at SIGTERM unless deaf. */
function setUp(options: { deaf?: boolean } = {}) {
  const timers = new ManualTimers();
  const { logger, lines } = recordingLogger();
  const signals: string[] = [];
  const exits: ((exit: ChildExit) => void)[] = [];
  const supervisor = new Supervisor('daemon', {
    timers,
    logger,
    spawn(onExit): Child {
      exits.push(onExit);
      return {
        pid: 100 + exits.length,
        kill(signal) {
          signals.push(signal);
          if (signal === 'SIGKILL' || options.deaf !== true) queueMicrotask(() => onExit({ code: null, signal }));
        },
      };
    },
  });
  return {
    supervisor,
    timers,
    lines,
    signals,
    spawned: () => exits.length,
    die: (exit: ChildExit = { code: 1, signal: null }) => exits.at(-1)?.(exit),
  };
}

test('Supervisor doubles the pause before each restart up to a minute', () => {
  const { supervisor, timers, spawned, die } = setUp();
  supervisor.start();
  const pauses: number[] = [];
  for (let restart = 1; restart <= 9; restart++) {
    const diedAtMs = timers.nowMs();
    die();
    while (spawned() === restart) timers.advance(500);
    pauses.push((timers.nowMs() - diedAtMs) / 1000);
  }
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
});

test('Supervisor restarts quickly again after a minute of health', () => {
  const { supervisor, timers, spawned, die } = setUp();
  supervisor.start();
  die();
  timers.advance(1000);
  die();
  timers.advance(2000);
  expect(spawned()).toBe(3);
  timers.advance(60_000);
  die();
  timers.advance(1000);
  expect(spawned()).toBe(4);
});

test('Supervisor logs each start and each end once', () => {
  const { supervisor, timers, lines, die } = setUp();
  supervisor.start();
  die();
  timers.advance(1000);
  expect(lines).toEqual(['info: daemon started', 'warn: daemon ended, will be restarted', 'info: daemon started']);
});

test('Supervisor restarts a child that could not be started at all', () => {
  const { supervisor, timers, spawned, die } = setUp();
  supervisor.start();
  die({ code: null, signal: null, error: new Error('EAGAIN') });
  timers.advance(1000);
  expect(spawned()).toBe(2);
});

test('Supervisor.stop() ends the child with SIGTERM and starts no other', async () => {
  const { supervisor, timers, spawned, signals, lines } = setUp();
  supervisor.start();
  await supervisor.stop();
  expect(signals).toEqual(['SIGTERM']);
  expect(timers.pending).toBe(0);
  timers.advance(120_000);
  expect(spawned()).toBe(1);
  expect(lines.at(-1)).toBe('info: daemon stopped');
});

test('Supervisor.stop() kills a child that does not heed SIGTERM for 5 s', async () => {
  const { supervisor, timers, signals } = setUp({ deaf: true });
  supervisor.start();
  const stopped = supervisor.stop();
  timers.advance(4999);
  expect(signals).toEqual(['SIGTERM']);
  timers.advance(1);
  await stopped;
  expect(signals).toEqual(['SIGTERM', 'SIGKILL']);
});

test('Supervisor.stop() calls a pending restart off', async () => {
  const { supervisor, timers, spawned, die } = setUp();
  supervisor.start();
  die();
  await supervisor.stop();
  timers.advance(120_000);
  expect(spawned()).toBe(1);
});
