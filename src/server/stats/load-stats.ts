import type { Stat } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';

/** `stats load`: how late the event loop is, and the memory of connections. */
export function loadStats({ loop, connectionMemory }: StatsSources): Stat[] {
  const { limitBytes, usedBytes, peakBytes, waiting, waits, closed } = connectionMemory.stats();
  return [
    ...loop.stats(),
    ['connection_memory_limit_bytes', limitBytes],
    ['connection_memory_bytes', usedBytes],
    ['connection_memory_peak_bytes', peakBytes],
    ['connection_memory_waiting', waiting],
    ['connection_memory_waits', waits],
    ['connection_memory_closed', closed],
  ];
}
