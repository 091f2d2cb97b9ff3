import { Command, Option } from 'commander';
import { readServeSettings } from '../config/serve-config.ts';
import { serveOptions } from '../config/serve-options.ts';
import { packageVersion } from '../version.ts';
import { addOptions } from './options.ts';
import { serveInProcess } from './serve-process.ts';

const NOTES = `
Every long option can also be said as TUGELA_NAME in the environment (TUGELA_MAX_ITEM_SIZE=2m) or as a
key of the JSON object in --config or TUGELA_CONFIG ({"maxItemSize": "2m"}). The command line wins over
the environment, the environment over the file. memcached's own variables are heeded too:
MEMCACHED_PORT_FILENAME names a file that the ports are written to, MEMCACHED_SASL_PWDB the passwords of
--enable-sasl.

Letters that memcached has too mean the same here, but for -s and -f, and for 0 as a port, which is any
free one. Its -t, -L, -n and -k are taken without effect. For a command line of memcached's as it stands
there is "tugela-ts memcached"; only that runs in the background with -d, for here a service manager does.

Signals: SIGTERM, SIGINT and SIGUSR1 stop in order, a second one at once. SIGHUP reads the password file
and the certificates again.`;

/** The command `serve`: options and signals around the server. */
export function serveCommand(): Command {
  const command = new Command('serve').description('run the server').addHelpText('after', NOTES);
  addOptions(command, serveOptions);
  command.addOption(new Option('--config <file>', 'read options from this JSON file').helpGroup('Process:'));
  command.optionsGroup('Other:').version(packageVersion(), '-V, --version', 'print the version');
  return command.action(async (given: Record<string, unknown>) => {
    const settings = readServeSettings(given, process.env);
    // Not left to the event loop: after a forced stop something is still in hand.
    process.exit(await serveInProcess(settings, { printsAddresses: true }));
  });
}
