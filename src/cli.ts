#!/usr/bin/env node
import { backupCommand, restoreCommand } from './cli/backup.ts';
import { deleteCommand } from './cli/delete.ts';
import { expireCommand } from './cli/expire.ts';
import { keysCommand } from './cli/keys.ts';
import { memcachedCommand } from './cli/memcached.ts';
import { runProgram } from './cli/program.ts';
import { serveCommand } from './cli/serve.ts';
import { storeCommand } from './cli/store.ts';
import { topCommand } from './cli/top.ts';
import { print } from './stdout.ts';
import { packageVersion } from './version.ts';

// What we make is for its owner alone: LevelDB opens its files without a mode. What others should read is given one.
process.umask(0o077);

const status = await runProgram(process.argv.slice(2), {
  commands: [serveCommand(), expireCommand(), backupCommand(), restoreCommand(), storeCommand(), keysCommand(), deleteCommand(), topCommand()],
  rawCommands: [memcachedCommand],
  version: packageVersion(),
  environment: process.env,
  writeOut: print,
  writeError: (text) => void process.stderr.write(text),
});
// A failure ends the process even if something still holds the event loop; a success ends by itself.
if (status !== 0) process.exit(status);
