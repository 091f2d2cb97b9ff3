import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, messageOf, TugelaError } from '../errors.ts';

/** Marks the process that `-d` has started, in which the option is done already. */
const VARIABLE = 'TUGELA_DETACHED';

/** What the detached process tells the one that started it, once. */
type Report =
  | { readonly ready: true }
  | { readonly ready: false; readonly message: string; readonly code: ErrorCode | undefined };

/** True in the process that `detach` has started. */
export function isDetached(environment: NodeJS.ProcessEnv): boolean {
  return environment[VARIABLE] !== undefined;
}

/**
 * Starts this program again with the same arguments, in a session of its own and with its standard streams closed,
 * since Node cannot fork. Resolves when that process is ready, and lets go of it; rejects with why it is not.
 */
export async function detach(args: readonly string[]): Promise<void> {
  const program = fileURLToPath(new URL('../cli.js', import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, [VARIABLE]: '1' },
  });
  const report = await new Promise<Report>((resolve) => {
    const ended = (how: string): void => resolve({ ready: false, message: `The process in the background ${how}`, code: undefined });
    child.on('message', (message) => resolve(message as Report));
    child.on('error', (error) => ended(`cannot be started: ${messageOf(error)}`));
    child.on('exit', (code, signal) => {
      const tell = (): void => ended(`ended before it was ready, with ${signal ?? `exit status ${code}`}`);
      // What it said last may still be on its way.
      if (child.connected) child.once('disconnect', () => setImmediate(tell));
      else setImmediate(tell);
    });
  });
  if (child.connected) child.disconnect();
  child.unref();
  if (report.ready) return;
  throw report.code === undefined ? new Error(report.message) : new TugelaError(report.code, report.message);
}

/** To be called by the detached process when it is ready. */
export async function reportReady(): Promise<void> {
  await send({ ready: true });
}

/** To be called by the detached process when it cannot become ready. */
export async function reportFailure(error: unknown): Promise<void> {
  const code = error instanceof TugelaError ? error.code : undefined;
  await send({ ready: false, message: messageOf(error), code });
}

/** Resolves when it is sent, or when nobody listens any more. */
async function send(report: Report): Promise<void> {
  delete process.env[VARIABLE];
  if (process.send === undefined || !process.connected) return;
  await new Promise<void>((resolve) => {
    process.send?.(report, undefined, undefined, () => resolve());
  });
  if (process.connected) process.disconnect();
}
