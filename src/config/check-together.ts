import { isIP } from 'node:net';
import type { ListenAddress } from '../config.ts';
import { isLoopback, isWildcard } from './address.ts';
import { formatListenAddress } from './listen-list.ts';
import { leastConnectionMemory } from './connection-memory.ts';
import { type Resolved, usageError } from './resolve.ts';
import type { ServeOptions } from './serve-options.ts';
import { formatBytes } from './value-type.ts';

/** What errors call an option: `--tls` for `serve`, `-Z` for a command line of memcached's. */
export type NameOf = (key: keyof ServeOptions) => string;

/** Throws `TUGELA_USAGE` when no client could ever come. */
export function assertListens({ values }: Resolved<ServeOptions>, nameOf: NameOf): void {
  if (values.listen.length > 0 || values.socket !== undefined) return;
  throw usageError(`${nameOf('listen')}: none leaves nothing to listen on; give ${nameOf('socket')} too`);
}

/** Throws `TUGELA_USAGE` when options that are right each by itself do not go together. */
export function checkTogether(resolved: Resolved<ServeOptions>, nameOf: NameOf): void {
  checkConnectionMemory(resolved, nameOf);
  checkUdp(resolved, nameOf);
  checkTls(resolved, nameOf);
  checkPasswords(resolved, nameOf);
  if (resolved.values.withExpire) checkExpiryDaemon(resolved, nameOf);
}

/** The addresses where a client without TLS is served, by a port known before the server has bound it. */
export function plainAddresses(listen: readonly ListenAddress[], port: number, tls: boolean): readonly ListenAddress[] {
  return tls ? listen.filter((address) => address.security === 'plain' && (address.port ?? port) !== 0) : listen;
}

function checkConnectionMemory({ values }: Resolved<ServeOptions>, nameOf: NameOf): void {
  const { connectionMemory, maxItemSize } = values;
  const least = leastConnectionMemory(maxItemSize);
  if (connectionMemory === undefined || connectionMemory >= least) return;
  throw usageError(
    `${nameOf('connectionMemory')}: ${formatBytes(connectionMemory)} is less than two items of ${nameOf('maxItemSize')} take, ${formatBytes(least)}`,
  );
}

function checkUdp({ values }: Resolved<ServeOptions>, nameOf: NameOf): void {
  if (values.udpPort === undefined) {
    if (values.udpLongReplies) throw usageError(`${nameOf('udpLongReplies')}: has no effect without ${nameOf('udpPort')}`);
    return;
  }
  if (values.listen.length > 0) return;
  throw usageError(`${nameOf('udpPort')}: UDP is served on the addresses of ${nameOf('listen')}, and there is none`);
}

function checkTls({ values, layerOf }: Resolved<ServeOptions>, nameOf: NameOf): void {
  const { tls, tlsCert, tlsKey, listen } = values;
  if (tls) {
    if (tlsCert === undefined || tlsKey === undefined) {
      throw usageError(`${nameOf('tls')}: needs ${nameOf('tlsCert')} and ${nameOf('tlsKey')}`);
    }
    if (listen.length === 0) throw usageError(`${nameOf('tls')}: only TCP has TLS, and there is no TCP address`);
    return;
  }
  const mutual = listen.find(({ security }) => security === 'mutual');
  if (mutual !== undefined) {
    throw usageError(`${nameOf('listen')}: ${formatListenAddress(mutual)} needs ${nameOf('tls')}`);
  }
  // Somebody who points at a certificate believes in encryption, unless it was switched off in so many words.
  if (layerOf.tls !== 'default') return;
  const idle = (['tlsCert', 'tlsKey', 'tlsCa', 'tlsVerify'] as const).find((key) => layerOf[key] !== 'default');
  if (idle !== undefined) throw usageError(`${nameOf(idle)}: has no effect without ${nameOf('tls')}`);
}

function checkPasswords({ values, layerOf }: Resolved<ServeOptions>, nameOf: NameOf): void {
  const { authFile, enableSasl, saslFile, protocol, udpPort } = values;
  if (saslFile !== undefined && !enableSasl && layerOf.enableSasl === 'default') {
    throw usageError(`${nameOf('saslFile')}: has no effect without ${nameOf('enableSasl')}`);
  }
  if (authFile === undefined && !enableSasl) return;
  if (authFile !== undefined && enableSasl) {
    throw usageError(
      `${nameOf('authFile')}: is for the text protocol alone, ${nameOf('enableSasl')} for the binary protocol alone; give one of them`,
    );
  }
  const [mine, only] = enableSasl ? ([nameOf('enableSasl'), 'binary'] as const) : ([nameOf('authFile'), 'ascii'] as const);
  if (layerOf.protocol !== 'default' && protocol !== only) {
    throw usageError(`${mine}: clients of another protocol would come in without a password; ${nameOf('protocol')} must be ${only}, not ${protocol}`);
  }
  if (udpPort !== undefined) throw usageError(`${mine}: there are no passwords over UDP; leave out ${nameOf('udpPort')}`);
}

/** The daemon that the server starts is a client of the text protocol that is told neither of TLS nor of passwords. */
function checkExpiryDaemon({ values }: Resolved<ServeOptions>, nameOf: NameOf): void {
  const { listen, port, socket, control, tls } = values;
  const mine = nameOf('withExpire');
  const instead = `or use ${nameOf('expireEvery')} instead`;
  if (control === 'off') {
    throw usageError(`${mine}: the daemon needs the commands that ${nameOf('control')} off forbids; use local or any, ${instead}`);
  }
  const barrier = barrierTo(values, nameOf);
  if (barrier !== undefined) throw usageError(`${mine}: ${barrier}; use ${nameOf('expireEvery')} instead`);
  if (socket !== undefined) return;
  if (listen.length === 0) throw usageError(`${mine}: the daemon needs an address; there is none`);
  const plain = plainAddresses(listen, port, tls);
  if (plain.length === 0) {
    throw usageError(
      `${mine}: the daemon is started without TLS; add ${nameOf('socket')}, or ${nameOf('listen')} notls:127.0.0.1 with a port of its own, ${instead}`,
    );
  }
  if (control === 'local' && plain.every(({ host }) => isElsewhere(host))) {
    throw usageError(
      `${mine}: the daemon cannot reach ${plain.map(formatListenAddress).join(', ')} as a local client; add ${nameOf('listen')} 127.0.0.1 or ${nameOf('socket')}, use ${nameOf('control')} any, ${instead}`,
    );
  }
}

/** What keeps the daemon out whatever the address. */
function barrierTo({ authFile, enableSasl, protocol }: Resolved<ServeOptions>['values'], nameOf: NameOf): string | undefined {
  if (authFile !== undefined) return `the daemon has no password for ${nameOf('authFile')}`;
  if (enableSasl) return `the daemon has no password for ${nameOf('enableSasl')}`;
  if (protocol === 'binary') return `the daemon speaks the text protocol, which ${nameOf('protocol')} binary forbids`;
  return undefined;
}

/** True for an address that a connection from this machine does not reach over the loopback. */
function isElsewhere(host: string): boolean {
  return isIP(host) !== 0 && !isLoopback(host) && !isWildcard(host);
}
