import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';

/** Milliseconds for which a fault that was logged is only counted when it comes again. */
const QUIET_MS = 10_000;
/** Different faults remembered. */
const FAULTS_MOST = 100;

interface Known {
  readonly saidAtMs: number;
  times: number;
}

/** Logs faults that commands meet; those that every command meets, such as a disk's, once in a while and with their number. */
export class FaultLog {
  readonly #logger: Logger;
  readonly #nowMs: () => number;
  readonly #known = new Map<string, Known>();

  constructor(logger: Logger, nowMs: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#nowMs = nowMs;
  }

  note(connection: number, error: Error): void {
    // Names of files and offsets differ, the fault is the same.
    const fault = messageOf(error).replaceAll(/\d+/g, '0');
    const known = this.#known.get(fault);
    const nowMs = this.#nowMs();
    if (known !== undefined && nowMs - known.saidAtMs < QUIET_MS) {
      known.times++;
      return;
    }
    if (this.#known.size >= FAULTS_MOST) this.#known.clear();
    this.#known.set(fault, { saidAtMs: nowMs, times: 0 });
    this.#logger.error({ err: error, connection, ...(known === undefined || known.times === 0 ? {} : { unsaid: known.times }) }, 'command failed');
  }
}
