import type { Residency } from '../cache/residency.ts';
import { ReplyBuffer } from '../protocol/reply-buffer.ts';
import { BinaryDialect } from './binary-dialect.ts';
import { Arrivals } from './arrivals.ts';
import type { ConnectionContext } from './connection.ts';
import { ConnectionMemory } from './connection-memory.ts';
import { createAdministration } from './create-administration.ts';
import { FaultLog } from './fault-log.ts';
import { HotKeys, type LengthOf } from './hot-keys.ts';
import { ReadQueue } from './read-queue.ts';
import type { ServerParts } from './server-parts.ts';
import { TextDialect } from './text-dialect.ts';
import type { Traffic } from './traffic.ts';
import { TurnQueue } from './turn-queue.ts';

/** Makes what all connections share: the dialects, and what is counted and kept for all of them. */
export function createContext(parts: ServerParts): ConnectionContext {
  const { config, logger, clock, credentials, verbosity, clients, cache, store, watch, line } = parts;
  const traffic: Traffic = { bytesRead: 0, bytesWritten: 0, yields: 0 };
  const memory = new ConnectionMemory(config.connectionMemory, () => clients.all, (closed) =>
    logger.warn({ closed, limit: config.connectionMemory }, 'memory for connections is used up, closed those that hold most'),
    line,
  );
  const hotKeys = new HotKeys(lengthsIn(cache.residency), (isOn) => {
    context.sample = isOn ? (command) => hotKeys.note(command) : undefined;
  });
  const setVerbosity = (level: number): void => {
    verbosity.set(level);
    context.trace = verbosity.trace;
  };
  const administration = createAdministration(parts, { traffic, memory, hotKeys, setVerbosity });
  const faults = new FaultLog(logger);
  const context: ConnectionContext = {
    cache,
    store,
    text: new TextDialect(cache, administration),
    binary: new BinaryDialect(cache, administration, credentials.sasl),
    out: new ReplyBuffer(),
    ackFromMemory: config.ack === 'memory',
    traffic,
    memory,
    turns: new TurnQueue(line),
    reads: new ReadQueue(),
    arrivals: new Arrivals(),
    requestsPerEvent: config.requestsPerEvent,
    clock,
    turn: ({ id }) => (watch.current = id),
    trace: verbosity.trace,
    sample: undefined,
    onClose: (connection) => clients.forget(connection),
    onFault: (connection, error) => faults.note(connection.id, error),
  };
  return context;
}

/** Lengths of values as far as memory knows them. */
function lengthsIn(residency: Residency): LengthOf {
  const { ram } = residency;
  return (bytes, start, end, key) => {
    const slot = ram.find(residency.hash(bytes, start, end), bytes, start, end);
    if (slot < 0) return residency.besideRam(key, false)?.length;
    return ram.isAbsent(slot) ? undefined : ram.length(slot);
  };
}
