import pino from 'pino';
import type { Logger } from '../../src/log.ts';

/** A logger that keeps its lines: `warn: message`. */
export function recordingLogger(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const logger = pino(
    { level: 'trace' },
    {
      write(line: string): void {
        const { level, msg } = JSON.parse(line) as { level: number; msg: string };
        lines.push(`${pino.levels.labels[level] ?? level}: ${msg}`);
      },
    },
  );
  return { logger, lines };
}
