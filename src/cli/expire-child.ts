import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ServeConfig } from '../config.ts';
import { formatEndpoint, isLoopback, isWildcard } from '../config/address.ts';
import { plainAddresses } from '../config/check-together.ts';
import { environmentName } from '../config/option.ts';
import type { LogLevel } from '../config/serve-options.ts';
import { serveOptions } from '../config/serve-options.ts';
import { CONFIG_VARIABLE } from '../config/serve-config.ts';
import type { ChildExit, SpawnChild } from './supervise.ts';

/** Set for a supervised daemon: it is to end when its stdin ends, for then its parent is gone. */
export const PARENT_PIPE_VARIABLE = 'TUGELA_PARENT_PIPE';

/** How the daemon is to log: as the server does. */
export interface ChildLogging {
  readonly logLevel: LogLevel;
  readonly logPretty: boolean;
}

/**
 * Where the daemon may connect: of a server with TLS the unix socket and the addresses without TLS, which are told
 * apart by the configuration alone.
 */
export function daemonAddresses(addresses: readonly string[], { listen, port, tls }: ServeConfig): readonly string[] {
  if (tls === undefined) return addresses;
  const plain = plainAddresses(listen, port, true).map((address) => formatEndpoint(address.host, address.port ?? port));
  return [...addresses.filter((address) => address.startsWith('unix:')), ...plain];
}

/**
 * The daemon's command line for a server that listens on `addresses` ("127.0.0.1:11211", "[::1]:11211",
 * "unix:/path"). A unix socket comes first, then a loopback address: there the server takes the
 * daemon for a local client.
 */
export function expireArguments(addresses: readonly string[], logging: ChildLogging): string[] {
  const log = ['--log-level', logging.logLevel, ...(logging.logPretty ? ['--log-pretty'] : [])];
  return ['expire', ...targetArguments(addresses), ...log];
}

/**
 * The daemon's environment: ours, without what was said to the server, since a variable such as
 * TUGELA_FILE could mean something else to the daemon; with the mark that its stdin is the parent's pipe.
 */
export function expireEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = new Set([CONFIG_VARIABLE, ...Object.values(serveOptions).map(environmentName)]);
  const kept = Object.entries(environment).filter(([name]) => !own.has(name));
  return { ...Object.fromEntries(kept), [PARENT_PIPE_VARIABLE]: '1' };
}

/** Starts the daemon as a real process that cannot outlive this one. */
export function expireSpawner(args: readonly string[], environment: NodeJS.ProcessEnv): SpawnChild {
  return (onExit) => {
    const program = fileURLToPath(new URL('../cli.js', import.meta.url));
    const child = spawn(process.execPath, [program, ...args], {
      env: environment,
      // stdin: a pipe that closes when this process ends, however it ends. stdout: to stderr, for ours
      // tells scripts the addresses and nothing else.
      stdio: ['pipe', 2, 2],
    });
    const exitOnce = once(onExit);
    child.on('error', (error) => {
      // With a process id this is a signal that could not be sent: the child lives and will exit by itself.
      if (child.pid === undefined) exitOnce({ code: null, signal: null, error });
    });
    child.on('exit', (code, signal) => exitOnce({ code, signal }));
    // Nothing is ever written to the pipe, so an error on it only says that the child is gone.
    child.stdin?.on('error', () => undefined);
    return {
      pid: child.pid,
      kill: (signal) => void child.kill(signal),
    };
  };
}

function targetArguments(addresses: readonly string[]): string[] {
  const socket = addresses.find((address) => address.startsWith('unix:'));
  if (socket !== undefined) return ['--socket', socket.slice('unix:'.length)];
  const endpoints = addresses.map(parseEndpoint).filter((endpoint) => endpoint !== undefined);
  const chosen = endpoints.find(({ host }) => isLoopback(host)) ?? endpoints.find(({ host }) => isWildcard(host)) ?? endpoints[0];
  if (chosen === undefined) throw new TypeError(`no address to reach the server by: ${addresses.join(', ')}`);
  return ['-H', reachable(chosen.host), '-P', chosen.port];
}

function parseEndpoint(address: string): { host: string; port: string } | undefined {
  // Others, such as "udp:127.0.0.1:11211", are not for the daemon.
  const match = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3];
  return host === undefined || port === undefined ? undefined : { host, port };
}

/** A wildcard is no address to connect to; behind it the loopback of the same family answers. */
function reachable(host: string): string {
  if (!isWildcard(host)) return host;
  return host.includes(':') ? '::1' : '127.0.0.1';
}

/** A process that cannot be started may report both an error and an exit. */
function once(listener: (exit: ChildExit) => void): (exit: ChildExit) => void {
  let called = false;
  return (exit) => {
    if (called) return;
    called = true;
    listener(exit);
  };
}
