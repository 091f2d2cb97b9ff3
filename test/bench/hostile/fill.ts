import type { Asker } from './victim.ts';

/** Items that are sent before their reply is waited for. */
const AT_ONCE = 2000;

/** Stores `count` items `PREFIX0` … with values of so many bytes. */
export async function fill(client: Asker, prefix: string, count: number, bytes: number, exptime = 0): Promise<void> {
  const value = Buffer.alloc(bytes, 'v').toString('latin1');
  const atOnce = Math.max(1, Math.min(AT_ONCE, Math.floor(4e6 / bytes)));
  for (let i = 0; i < count; i += atOnce) {
    const lines: string[] = [];
    for (let k = i; k < Math.min(count, i + atOnce); k++) lines.push(`set ${prefix}${k} 0 ${exptime} ${bytes} noreply\r\n${value}\r\n`);
    await client.ask(`${lines.join('')}mn\r\n`, 'MN\r\n');
  }
}

/** `PREFIX0 PREFIX1 …` */
export function keys(prefix: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`).join(' ');
}
