import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Address } from '../../daemon/address.ts';
import { socketPath, text, wholeNumber } from '../config/value-type.ts';
import { KEY_MAX_LENGTH } from '../protocol/limits.ts';
import { accessOf, addAccessOptions } from './access-options.ts';
import { parser } from './parser.ts';

/** What the options of `addServerOptions` come to. */
export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly socket?: string;
}

/** Gives a command the options that say which server it talks to, and how that lets it in. */
export function addServerOptions(command: Command): Command {
  return addAccessOptions(command
    .addOption(new Option('-H, --host <host>', 'the server').default('127.0.0.1').argParser(parser(text('a host name or address'))))
    .addOption(new Option('-P, --port <num>', "the server's port").default(11_211).argParser(parser(wholeNumber(1, 65_535))))
    .addOption(new Option('--socket <path>', "the server's unix socket, instead of host and port").argParser(parser(socketPath()))));
}

/** Where the server listens, and how to get in; ends with a mistake in the command line when that is said twice. */
export function addressOf(command: Command): Address {
  const { host, port, socket } = command.opts<ServerOptions>();
  const access = accessOf(command);
  if (socket === undefined) return { host, port, access };
  for (const name of ['host', 'port']) {
    if (command.getOptionValueSource(name) === 'cli') command.error(`error: --socket and --${name} exclude each other`, { exitCode: 2 });
  }
  return { path: socket, access };
}

/** Ends with a mistake in the command line when more than one of some flags is given. */
export function refuseTogether(command: Command, ...names: readonly string[]): void {
  const [first, second] = names.filter((name) => command.getOptionValueSource(name) === 'cli').map(flagName);
  if (second !== undefined) command.error(`error: --${first} and --${second} exclude each other`, { exitCode: 2 });
}

/** `-p, --prefix`. Keys begin with its bytes in UTF-8. */
export function prefixOption(description: string): Option {
  return new Option('-p, --prefix <prefix>', description).argParser(parsePrefix);
}

function flagName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function parsePrefix(word: string): Buffer {
  const prefix = Buffer.from(word, 'utf8');
  if (prefix.length === 0 || prefix.length > KEY_MAX_LENGTH) throw new InvalidArgumentError(`Allowed are 1 to ${KEY_MAX_LENGTH} bytes.`);
  return prefix;
}
