import { type MemcachedCommand, readMemcachedCommand } from '../config/memcached/read.ts';
import type { ServeSettings } from '../config/settle.ts';
import { createLogger } from '../log.ts';
import { withAbsolutePaths } from './absolute-paths.ts';
import { detach, isDetached, reportFailure, reportReady } from './detach.ts';
import { memcachedHelp, memcachedVersionLine } from './memcached-help.ts';
import type { RawCommand } from './program.ts';
import { LOG_NAME, serveInProcess } from './serve-process.ts';

const NAME = 'memcached';

/** The command `memcached`: the server behind memcached's own command line. */
export const memcachedCommand: RawCommand = {
  name: NAME,
  description: "run the server with memcached's command line",
  help: memcachedHelp(),
  async run(args, { environment, writeOut }) {
    const command = readMemcachedCommand(args, environment);
    const text = answerTo(command);
    if (text !== undefined) await writeOut(text);
    if (command.kind !== 'serve') return 0;
    if (isDetached(environment)) return await serveDetached(command.settings);
    if (command.daemon) return await startDetached(command.settings, args);
    // Not left to the event loop: after a forced stop something is still in hand.
    process.exit(await serveInProcess(command.settings, { printsAddresses: false }));
  },
};

function answerTo({ kind }: MemcachedCommand): string | undefined {
  switch (kind) {
    case 'help':
      return memcachedHelp();
    case 'license':
      return 'tugela-ts is under the MIT licence; its text is in the file LICENSE.\n';
    case 'version':
      return memcachedVersionLine();
    case 'serve':
      return undefined;
  }
}

async function startDetached(settings: ServeSettings, args: readonly string[]): Promise<number> {
  const { logLevel, logPretty } = settings.process;
  const logger = createLogger({ level: logLevel, pretty: logPretty, name: LOG_NAME });
  // Said here: the process in the background has nowhere to say it.
  for (const notice of settings.notices) logger.warn(notice);
  await detach([NAME, ...args]);
  return 0;
}

async function serveDetached(settings: ServeSettings): Promise<never> {
  const absolute = withAbsolutePaths(settings);
  // So that no directory is held that somebody may want to unmount.
  process.chdir('/');
  try {
    process.exit(await serveInProcess(absolute, { printsAddresses: false, onReady: () => void reportReady() }));
  } catch (error) {
    await reportFailure(error);
    throw error;
  }
}
