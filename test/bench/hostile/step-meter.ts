/**
 * Loaded into a server before its own program (`node --import`): measures the CPU time of its main thread from one look
 * at it to the next. What `stats load` shows is time on the clock, in which on a busy machine other processes have their
 * share; this is what the server itself did in one go. Answers each message from the parent with the longest, in
 * milliseconds, since the last one.
 */
import { closeSync, openSync, readSync } from 'node:fs';

const PERIOD_MS = 5;

const file = openSync(`/proc/${process.pid}/task/${process.pid}/schedstat`, 'r');
const text = Buffer.alloc(64);
let before = cpuMs();
let longest = 0;

/** CPU time of the main thread, in milliseconds: the first figure of schedstat, in nanoseconds. */
function cpuMs(): number {
  const length = readSync(file, text, 0, text.length, 0);
  return Number(text.toString('latin1', 0, length).split(' ')[0]) / 1e6;
}

function look(): void {
  const now = cpuMs();
  longest = Math.max(longest, now - before);
  before = now;
}

setInterval(look, PERIOD_MS).unref();
process.on('message', () => {
  look();
  process.send?.(longest);
  longest = 0;
});
process.channel?.unref();
process.once('exit', () => closeSync(file));
