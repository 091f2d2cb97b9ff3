import pino from 'pino';
import { expect, it } from 'vitest';
import { FaultLog } from '../../src/server/fault-log.ts';

it('FaultLog says a fault that every command meets once in ten seconds, and how often it came meanwhile', () => {
  const lines: Record<string, unknown>[] = [];
  let nowMs = 0;
  const log = new FaultLog(pino({}, { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) }), () => nowMs);
  for (let i = 0; i < 1000; i++) log.note(i, new Error(`EIO: i/o error, open 'values/${i}.values'`));
  log.note(1, new Error('another'));
  expect(lines.map(({ connection, unsaid }) => [connection, unsaid])).toEqual([[0, undefined], [1, undefined]]);
  nowMs = 10_000;
  log.note(7, new Error("EIO: i/o error, open 'values/000001.values'"));
  expect(lines.at(-1)).toMatchObject({ connection: 7, unsaid: 999, msg: 'command failed' });
});
