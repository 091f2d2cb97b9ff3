import { setImmediate as nextTurn } from 'node:timers/promises';

/** One line of a stats reply. */
export type Stat = readonly [string, string | number];

/** The whole text of a stats reply. */
export function listing(stats: readonly Stat[]): string {
  return `${statLines(stats)}END\r\n`;
}

/** Lines of a stats reply, without its end. */
export function statLines(stats: readonly Stat[]): string {
  return stats.map(([name, value]) => `STAT ${name} ${value}\r\n`).join('');
}

/** What memcached counts and does not exist here: 0 each. */
export function zeros(...names: string[]): Stat[] {
  return names.map((name) => [name, 0]);
}

/** Pieces of a long reply put together, with a turn of the event loop for others between two. */
export async function inTurns(pieces: Iterable<string>): Promise<string> {
  let text = '';
  let isFirst = true;
  for (const piece of pieces) {
    if (!isFirst) await nextTurn();
    isFirst = false;
    text += piece;
  }
  return text;
}
