import { type Command, Option } from 'commander';
import type { Access } from '../../daemon/address.ts';
import { text } from '../config/value-type.ts';
import { parser } from './parser.ts';

/** What the options of `addAccessOptions` come to. */
interface AccessOptions {
  readonly passwordFile?: string;
  readonly tls?: true;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** Their names, as commander has them. */
const NAMES = ['passwordFile', 'tls', 'tlsCa', 'tlsCert', 'tlsKey'] as const satisfies readonly (keyof AccessOptions)[];

/** Gives a command the options with which a server lets it in. Passwords never stand on a command line, where others see them. */
export function addAccessOptions(command: Command): Command {
  const path = parser(text('a path'));
  return command
    .addOption(new Option('--password-file <path>', 'file with one line user:password, for a server with --auth-file').argParser(path))
    .addOption(new Option('--tls', 'connect with TLS'))
    .addOption(new Option('--tls-ca <path>', "PEM file of the authorities that sign servers' certificates; without it the system's").argParser(path))
    .addOption(new Option('--tls-cert <path>', 'PEM file with a certificate of our own, for a server that asks for one').argParser(path))
    .addOption(new Option('--tls-key <path>', "PEM file with that certificate's private key").argParser(path));
}

/** True when a command line has any of them. */
export function asksForAccess(command: Command): boolean {
  return NAMES.some((name) => command.getOptionValueSource(name) === 'cli');
}

/** What they say; undefined = nothing. Ends with a mistake in the command line where they do not go together. */
export function accessOf(command: Command): Access | undefined {
  const { passwordFile, tls, tlsCa, tlsCert, tlsKey, socket } = command.opts<AccessOptions & { readonly socket?: string }>();
  const refuse = (message: string): never => command.error(`error: ${message}`, { exitCode: 2 });
  if (tls !== true) {
    const [file] = Object.entries({ '--tls-ca': tlsCa, '--tls-cert': tlsCert, '--tls-key': tlsKey }).find(([, path]) => path !== undefined) ?? [];
    if (file !== undefined) refuse(`${file} needs --tls`);
    return passwordFile === undefined ? undefined : { passwordFile };
  }
  if (socket !== undefined) refuse('--tls and --socket exclude each other: a unix socket is never encrypted');
  if ((tlsCert === undefined) !== (tlsKey === undefined)) refuse('--tls-cert and --tls-key need each other');
  return { passwordFile, tls: { ca: tlsCa, cert: tlsCert, key: tlsKey } };
}
