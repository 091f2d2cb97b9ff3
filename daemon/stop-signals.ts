/** Milliseconds within which an orderly stop must be over. */
const STOP_WITHIN_MS = 900;

export interface StopOptions {
  /**
   * An orderly stop that takes longer than a second is cut short, with exit code 0; for work that
   * loses nothing by that.
   */
  readonly isForced: boolean;
  /** Stops as well when stdin ends, because the parent holds its other end. */
  readonly endsWithStdin: boolean;
}

export interface StopSignals {
  readonly signal: AbortSignal;
  /** Stops as a signal would. */
  stop(): void;
  /** Takes the handlers off again. */
  release(): void;
}

/** Aborts on SIGTERM and SIGINT; a second one ends the process with exit code 1. */
export function stopOnSignals(options: StopOptions): StopSignals {
  const controller = new AbortController();
  let watchdog: NodeJS.Timeout | undefined;
  const stop = (): void => {
    if (controller.signal.aborted) return;
    if (options.isForced) watchdog = setTimeout(() => process.exit(0), STOP_WITHIN_MS).unref();
    controller.abort();
  };
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(1);
    stop();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  if (options.endsWithStdin) {
    for (const event of ['end', 'close', 'error'] as const) process.stdin.on(event, stop);
    process.stdin.resume();
  }
  return {
    signal: controller.signal,
    stop,
    release(): void {
      clearTimeout(watchdog);
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
      // An open stdin would keep the process alive.
      if (options.endsWithStdin) process.stdin.destroy();
    },
  };
}
