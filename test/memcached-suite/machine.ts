import { spawnSync } from 'node:child_process';
import type { SuiteRun } from './lists.ts';
import { UsageError } from './options.ts';

/** Its own network, with nothing but a loopback: every port is free, and nobody else can connect. */
const NAMESPACE = ['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];

/** What this machine has for the tests. */
export interface Machine {
  readonly hasTls: boolean;
  /** The words before a command that isolate it; none where that is not possible. */
  readonly isolation: readonly string[];
}

/** Finds out. Throws a UsageError where nothing can be run at all. */
export function examineMachine(): Machine {
  if (!works(['perl', '-MTest::More', '-MIO::Socket::UNIX', '-MTime::HiRes', '-e', '1'])) {
    throw new UsageError('the tests need perl with its core modules (Debian: apt-get install perl)');
  }
  return {
    hasTls: works(['perl', '-MIO::Socket::SSL', '-e', '1']),
    isolation: process.getuid?.() === 0 && works([...NAMESPACE, 'true']) ? NAMESPACE : [],
  };
}

/** Why a run is not possible on this machine. */
export function whyNot({ tls, wildcard }: SuiteRun, { hasTls, isolation }: Machine): string | undefined {
  if (tls === true && !hasTls) return 'needs the perl module IO::Socket::SSL (Debian: apt-get install libio-socket-ssl-perl)';
  if (wildcard === true && isolation.length === 0) return 'listens on all addresses: needs root, unshare -n and ip';
  return undefined;
}

function works([program = '', ...args]: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}
