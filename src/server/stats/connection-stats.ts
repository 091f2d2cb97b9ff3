import { inTurns, type Stat, statLines } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';

/** Connections that `stats conns` lists in one go. */
const CONNS_AT_ONCE = 500;

/** The whole reply to `stats conns`. */
export async function connectionStats(sources: StatsSources): Promise<string> {
  return `${await inTurns(linesOf(sources))}END\r\n`;
}

function* linesOf(sources: StatsSources): Generator<string, void, undefined> {
  const now = sources.now();
  let stats: Stat[] = [];
  for (const { id, address } of sources.listeners()) {
    if (address.startsWith('udp')) stats.push([`${id}:UDP`, 'UDP']);
    stats.push([`${id}:addr`, address], [`${id}:state`, address.startsWith('udp') ? 'conn_read' : 'conn_listening']);
  }
  let count = 0;
  // Those of now: between two turns others come.
  const sessions = [...sources.sessions()];
  for (const session of sessions) {
    stats.push(
      [`${session.id}:addr`, session.peer],
      [`${session.id}:listen_addr`, session.listener],
      [`${session.id}:state`, session.state],
      [`${session.id}:secs_since_last_cmd`, Math.max(0, now - session.lastCommandAt)],
    );
    if (++count % CONNS_AT_ONCE > 0) continue;
    yield statLines(stats);
    stats = [];
  }
  yield statLines(stats);
}
