import { assertListens, type NameOf } from './check-together.ts';
import { readConfigFile } from './file.ts';
import { readCommandLine, readEnvironment, resolveOptions, type SaidValues, usageError } from './resolve.ts';
import { serveOptions } from './serve-options.ts';
import { type ServeSettings, settle } from './settle.ts';

export type { ProcessConfig, ServeSettings } from './settle.ts';

/** Names the configuration file when the command line does not. */
export const CONFIG_VARIABLE = 'TUGELA_CONFIG';

/**
 * Settles what `tugela-ts serve` was told: command line over environment over file over defaults.
 * `given` holds what commander gathered. Throws `TUGELA_USAGE` with one line that says what is wrong,
 * where it was said and what is allowed.
 */
export function readServeSettings(
  given: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv,
): ServeSettings {
  const resolved = resolveOptions(serveOptions, {
    commandLine: readCommandLine(serveOptions, given),
    environment: readEnvironment(serveOptions, environment),
    file: readFile(given['config'], environment),
  });
  const nameOf: NameOf = (key) => `--${serveOptions[key].name}`;
  assertListens(resolved, nameOf);
  return settle(resolved, environment, nameOf);
}

function readFile(given: unknown, environment: NodeJS.ProcessEnv): SaidValues {
  const path = typeof given === 'string' ? given : environment[CONFIG_VARIABLE];
  if (path === undefined || (path === '' && given === undefined)) return new Map();
  if (path === '') throw usageError("--config: '' is not a path");
  return readConfigFile(serveOptions, path);
}
