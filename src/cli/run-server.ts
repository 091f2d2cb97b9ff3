import { chownSync } from 'node:fs';
import type { ServeConfig } from '../config.ts';
import type { ServeSettings } from '../config/serve-config.ts';
import type { Logger } from '../log.ts';
import { EndWatch, type SignalSource } from './end-watch.ts';
import { assertPidfileFree, type PidfileDeps, removePidfile, writePidfile } from './pidfile.ts';
import { type Account, assertWritable, dropPrivileges, findAccount, type Identity, prepareDirectory } from './privileges.ts';
import type { Timers } from './timers.ts';

/** A server that accepts clients. */
export interface RunningServer {
  /** Where it listens, with the ports the system chose: "127.0.0.1:11211", "[::1]:11211", "unix:/path". */
  readonly addresses: readonly string[];
  /** Settles only if the server breaks in a way it cannot mend: with the error, or rejected with it. */
  readonly failed: Promise<unknown>;
  /** Settles when a client asks for an orderly stop: with what the log is to call it, such as "shutdown command". */
  readonly stopRequested?: Promise<string>;
  /** Stops accepting, finishes requests in hand, commits, fsyncs and closes. */
  stop(): Promise<void>;
  /** Reads the password file and the certificates again. What is wrong with them it logs, and keeps what it has. */
  reload?(): void;
}

/** What a starting server is handed. */
export interface StartDeps {
  readonly logger: Logger;
  /** To be called once, after all sockets are bound and before the store is opened or a client accepted. */
  readonly afterBind?: () => void;
}

export type StartServer = (config: ServeConfig, deps: StartDeps) => Promise<RunningServer>;

/** A second process kept alongside the server. */
export interface Companion {
  start(): void;
  stop(): Promise<void>;
}

/** Everything outside this file that running a server touches. */
export interface RunDeps {
  readonly startServer: StartServer;
  readonly logger: Logger;
  readonly signals: SignalSource;
  readonly timers: Timers;
  readonly identity: Identity;
  readonly pidfile: PidfileDeps;
  /** Account file for --user; the system's own when absent. */
  readonly accountsFile?: string;
  /** Makes the supervised expiry daemon for a server at these addresses. */
  companion(addresses: readonly string[]): Companion;
  /** Prints a line for scripts. */
  print(line: string): void;
  /** Called once clients are accepted and the pidfile is there. */
  onReady?(): void;
}

/**
 * Runs a server from start to stop and resolves with the exit status: 0 after an orderly stop, 1 after a
 * forced one or a failure. Rejects when the server cannot be started at all.
 */
export async function runServer(settings: ServeSettings, deps: RunDeps): Promise<number> {
  for (const notice of settings.notices) deps.logger.warn(notice);
  const watch = new EndWatch(deps.signals, deps.timers, deps.logger);
  try {
    return await Promise.race([watch.forced.then(() => 1), serve(settings, deps, watch)]);
  } finally {
    watch.close();
    releasePidfile(settings, deps);
  }
}

async function serve(settings: ServeSettings, deps: RunDeps, watch: EndWatch): Promise<number> {
  const { pidfile, withExpire } = settings.process;
  if (pidfile !== undefined) assertPidfileFree(pidfile, deps.pidfile);
  const account = accountToBecome(settings.process.user, deps);
  const server = await deps.startServer(settings.server, {
    logger: deps.logger,
    afterBind: () => {
      if (account !== undefined) become(account, settings, deps);
    },
  });
  watch.onHangup(() => reload(server, deps.logger));
  void server.stopRequested?.then((reason) => watch.request(reason));
  if (pidfile !== undefined && account === undefined) await writePidfileOrStop(pidfile, server, deps);
  for (const address of server.addresses) deps.print(`listening on ${address}`);
  deps.onReady?.();
  const companion = withExpire && !watch.stopping ? deps.companion(server.addresses) : undefined;
  companion?.start();

  const failure = await Promise.race([watch.requested.then(() => undefined), failureOf(server)]);
  if (failure !== undefined) {
    deps.logger.fatal({ err: failure.error }, 'server failed, stopping');
    watch.startLimit();
  }
  return (await stopAll(server, companion, deps.logger)) && failure === undefined ? 0 : 1;
}

function reload(server: RunningServer, logger: Logger): void {
  logger.info('SIGHUP, reading passwords and certificates again');
  try {
    server.reload?.();
  } catch (error) {
    logger.error({ err: error }, 'could not read them again, going on with those there are');
  }
}

/** The user to become; undefined = stay who we are. */
function accountToBecome(user: string | undefined, deps: RunDeps): Account | undefined {
  const isRoot = deps.identity.uid() === 0;
  if (user === undefined) {
    if (isRoot) deps.logger.warn('running as root: whoever breaks into the server owns the machine; consider --user');
    return undefined;
  }
  if (!isRoot) {
    deps.logger.info({ user }, '--user ignored: not started as root');
    return undefined;
  }
  const account = findAccount(user, deps.accountsFile);
  // Asked for root, and is root.
  return account.uid === 0 ? undefined : account;
}

/** All that only root can do for the user it is about to become, and then the drop. */
function become(account: Account, { server, process }: ServeSettings, deps: RunDeps): void {
  prepareDirectory(server.file, account);
  if (server.socket !== undefined) chownSync(server.socket, account.uid, account.gid);
  // Before the drop, since a directory such as /run is closed to everybody but root.
  if (process.pidfile !== undefined) writePidfile(process.pidfile, deps.pidfile, account);
  dropPrivileges(account, deps.identity);
  assertWritable(server.file, account);
}

async function writePidfileOrStop(path: string, server: RunningServer, deps: RunDeps): Promise<void> {
  try {
    writePidfile(path, deps.pidfile);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function failureOf(server: RunningServer): Promise<{ readonly error: unknown }> {
  try {
    return { error: await server.failed };
  } catch (error) {
    return { error };
  }
}

/** Stops the companion and then the server, so that it does not miss it; true when both stopped as they should. */
async function stopAll(server: RunningServer, companion: Companion | undefined, logger: Logger): Promise<boolean> {
  const results = await Promise.allSettled([companion?.stop()]);
  results.push(...(await Promise.allSettled([server.stop()])));
  const failures = results.filter((result) => result.status === 'rejected');
  for (const { reason } of failures) logger.error({ err: reason }, 'stop failed');
  return failures.length === 0;
}

function releasePidfile({ process }: ServeSettings, deps: RunDeps): void {
  if (process.pidfile === undefined) return;
  try {
    removePidfile(process.pidfile, deps.pidfile);
  } catch (error) {
    deps.logger.warn({ err: error }, 'pidfile left behind');
  }
}
