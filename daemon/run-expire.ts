import type { Logger } from 'pino';
import { systemClock } from './clock.ts';
import { DeletePrinter } from './delete-printer.ts';
import { previewing } from './disposal.ts';
import { keyText } from './key-text.ts';
import { formatAddress, type Address } from './address.ts';
import { reasonOf } from './link-error.ts';
import type { Link } from './link.ts';
import { RemoteTarget } from './remote-target.ts';
import { StatsListener } from './stats-listener.ts';
import { SweepStats, type SweepSummary } from './stats.ts';
import { stopOnSignals } from './stop-signals.ts';
import { formatSummary, summaryJson } from './summary-text.ts';
import { Sweeper, type SweepSettings } from './sweeper.ts';
import type { SweepTarget } from './target.ts';

/** What is swept: a running server, or the directory of a stopped one. */
export type Source =
  | { readonly kind: 'server'; readonly address: Address }
  | { readonly kind: 'directory'; readonly dir: string };

/** What becomes of what is found: `report` = only counted, `print` = `delete KEY` lines on stdout. */
export type Mode = 'delete' | 'report' | 'print';

/** Everything `tugela-ts expire` can be told. */
export interface ExpireConfig {
  readonly source: Source;
  readonly settings: SweepSettings;
  readonly mode: Mode;
  /** One sweep, then exit. Always so for a directory and for the modes that delete nothing. */
  readonly once: boolean;
  readonly json: boolean;
  /** Milliseconds that a single sweep waits for a server that cannot be reached. */
  readonly waitMs: number;
  /** Port of the daemon's own stats; undefined = none. */
  readonly statsPort: number | undefined;
}

export interface ExpireContext {
  readonly logger: Logger;
  readonly version: string;
  /** True when stdin is a pipe from a parent without which this process has no reason to be. */
  readonly endsWithStdin: boolean;
  /** Opens a stopped server's directory; rejects with a clear message when a server holds it. */
  readonly openOffline: (dir: string) => Promise<SweepTarget>;
}

/** Address on which the daemon shows its stats: they are for this machine. */
const STATS_HOST = '127.0.0.1';

/** Runs `tugela-ts expire` until its work is done or a signal stops it. Rejects with what went wrong. */
export async function runExpire(config: ExpireConfig, context: ExpireContext): Promise<void> {
  // A directory is closed in order whatever it takes; with a server nothing is lost by leaving.
  const stop = stopOnSignals({ isForced: config.source.kind === 'server', endsWithStdin: context.endsWithStdin });
  // Whoever read the output is gone: nothing is left to do for it.
  let outputError: Error | undefined;
  const onOutputError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') outputError ??= error;
    stop.stop();
  };
  process.stdout.on('error', onOutputError);
  try {
    const { target, link } = await openSource(config, context, stop.signal);
    try {
      if (config.once) await runOnce(config, context, target, link, stop.signal);
      else await runDaemon(config, context, target, link, stop.signal);
    } finally {
      await target.close();
    }
  } catch (error) {
    // What a stop breaks off is no failure.
    if (!stop.signal.aborted) throw error;
  } finally {
    stop.release();
  }
  if (outputError !== undefined) throw new Error(`Cannot write to stdout: ${outputError.message}`, { cause: outputError });
}

interface OpenSource {
  readonly target: SweepTarget;
  readonly link: Link | undefined;
}

async function openSource(config: ExpireConfig, context: ExpireContext, signal: AbortSignal): Promise<OpenSource> {
  if (config.source.kind === 'directory') {
    return { target: await context.openOffline(config.source.dir), link: undefined };
  }
  const target = new RemoteTarget({
    address: config.source.address,
    clock: systemClock,
    logger: context.logger,
    signal,
    random: Math.random,
    waitMs: config.once ? config.waitMs : Number.POSITIVE_INFINITY,
  });
  return { target, link: target };
}

async function runOnce(
  config: ExpireConfig,
  context: ExpireContext,
  target: SweepTarget,
  link: Link | undefined,
  signal: AbortSignal,
): Promise<void> {
  const note = (text: string): void => {
    process.stderr.write(`tugela-ts: ${text}\n`);
  };
  const printer = config.mode === 'print' ? new DeletePrinter(process.stdout, note, keyText) : undefined;
  const show = async (key: Buffer): Promise<void> => await printer?.print(key);
  const sweeper = new Sweeper({
    target,
    link,
    settings: config.settings,
    stats: new SweepStats(link),
    clock: systemClock,
    logger: context.logger,
    random: Math.random,
    ...(config.mode === 'delete' ? {} : { disposal: previewing(target, async (item) => await show(item.key)) }),
  });
  const summary = await sweeper.sweepOnce(signal);
  await printer?.end();
  if (printer === undefined) process.stdout.write(summaryText(config, summary));
}

function summaryText(config: ExpireConfig, summary: SweepSummary): string {
  const dryRun = config.mode !== 'delete';
  return config.json ? summaryJson(summary, dryRun) : formatSummary(summary, dryRun);
}

/**
 * Opens the daemon's own stats. Beside a server that supervises it the sweeping matters more than they do:
 * a second such pair on a machine finds the port taken and goes on without, for the server shows the same
 * figures. Started by hand, a taken port is an error.
 */
async function openStats(
  { statsPort: port }: ExpireConfig,
  { version, logger, endsWithStdin }: ExpireContext,
  stats: () => ReadonlyMap<string, string>,
): Promise<StatsListener | undefined> {
  if (port === undefined) return undefined;
  try {
    return await StatsListener.open({ host: STATS_HOST, port, version, stats });
  } catch (error) {
    if (!endsWithStdin) throw error;
    logger.warn({ reason: reasonOf(error) }, "no stats listener; the server's stats expire shows the same");
    return undefined;
  }
}

async function runDaemon(
  config: ExpireConfig,
  context: ExpireContext,
  target: SweepTarget,
  link: Link | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { logger, version } = context;
  const stats = new SweepStats(link);
  const startedMs = systemClock.nowMs();
  const allStats = (): ReadonlyMap<string, string> =>
    new Map([
      ['pid', String(process.pid)],
      ['uptime', String(Math.floor((systemClock.nowMs() - startedMs) / 1000))],
      ['time', String(systemClock.unixSeconds())],
      ['version', version],
      ...stats.entries(),
    ]);
  const listener = await openStats(config, context, allStats);
  try {
    logger.info(
      {
        version,
        server: config.source.kind === 'server' ? formatAddress(config.source.address) : config.source.dir,
        ...(listener === undefined ? {} : { stats: `${STATS_HOST}:${listener.port}` }),
        intervalMs: config.settings.intervalMs,
        batch: config.settings.batch,
        maxRate: config.settings.maxRate,
      },
      'expiry daemon started',
    );
    await new Sweeper({
      target,
      link,
      settings: config.settings,
      stats,
      clock: systemClock,
      logger,
      random: Math.random,
    }).run(signal);
    logger.info('expiry daemon stopped');
  } finally {
    await listener?.close();
  }
}
