import pino, { type Logger } from 'pino';

/** A logger that keeps its lines. */
export function captureLogger(level = 'debug'): { logger: Logger; lines: { level: number; msg: string }[] } {
  const lines: { level: number; msg: string }[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as { level: number; msg: string });
  return { logger: pino({ level }, { write }), lines };
}
