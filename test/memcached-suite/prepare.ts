import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from './options.ts';
import { saslpasswdScript, serverScript, timedrunScript, withRealTime } from './stand-ins.ts';

/** Where the parts of a prepared directory are. */
export interface Workplace {
  /** In it the tests are run, as `t/NAME.t`. */
  readonly directory: string;
  readonly dataDirectory: string;
  /** To be first in PATH. */
  readonly programs: string;
  readonly saslUsers: string;
}

/** Words of `-h` by which the tests know what a server can do. */
const FEATURES = ['unix-socket', 'enable-ssl', 'sasl'];

/** Fills an empty directory with a copy of memcached's tests and with what stands in for its programs. */
export function prepare(directory: string, checkout: string, server: readonly string[]): Workplace {
  const workplace: Workplace = {
    directory,
    dataDirectory: join(directory, 'data'),
    programs: join(directory, 'bin'),
    saslUsers: join(directory, 'sasl-users'),
  };
  copyTests(checkout, directory);
  mkdirSync(workplace.dataDirectory);
  mkdirSync(workplace.programs);
  const helpFile = join(directory, 'help');
  writeFileSync(helpFile, readHelp(server));
  writeProgram(join(directory, 'memcached-debug'), serverScript({ server, helpFile, dataDirectory: workplace.dataDirectory }));
  writeProgram(join(directory, 'timedrun'), timedrunScript);
  writeProgram(join(workplace.programs, 'saslpasswd2'), saslpasswdScript);
  return workplace;
}

function copyTests(checkout: string, directory: string): void {
  for (const path of ['t', 'doc/protocol.txt']) {
    const source = join(checkout, path);
    if (!existsSync(source)) throw new UsageError(`${source} is missing: ${checkout} is not the source of memcached`);
    cpSync(source, join(directory, path), { recursive: true });
  }
  const perlModule = join(directory, 't/lib/MemcachedTest.pm');
  writeFileSync(perlModule, withRealTime(readFileSync(perlModule, 'latin1')), 'latin1');
}

function readHelp([program = '', ...args]: readonly string[]): string {
  const help = execFileSync(program, [...args, '-h'], { encoding: 'utf8' });
  for (const feature of FEATURES) {
    if (!help.includes(feature)) throw new UsageError(`-h does not mention ${feature}, so the tests would leave it out`);
  }
  return help;
}

function writeProgram(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o755 });
}
