import type { Target } from './target.ts';

/*
 * All targets by name. Those of a family are in one file, which is loaded in the thread that runs one of them alone: the
 * coverage then is that of the target.
 */
const FAMILIES = {
  protocol: ['text', 'meta', 'binary', 'auth', 'datagram', 'keys'],
  files: ['rows', 'dump', 'passwords', 'config-file', 'command-line', 'level-log', 'level-files'],
  peers: ['replies', 'clients', 'sasl'],
  connection: ['connection', 'pipeline'],
  server: ['server'],
} as const satisfies Record<string, readonly string[]>;

/** The names of all targets. */
export const targetNames: readonly string[] = Object.values(FAMILIES).flat();

/** Those with a fault that is to be found. */
export const plantedNames: readonly string[] = ['planted-fault', 'planted-hang', 'planted-memory', 'planted-exception'];

/** The target of a name. */
export async function makeTarget(name: string): Promise<Target> {
  const targets = await load(name);
  const target = targets.find((each) => each.name === name);
  if (target === undefined) throw new TypeError(`No target '${name}'`);
  return target;
}

async function load(name: string): Promise<readonly Target[]> {
  const family = Object.entries(FAMILIES).find(([, names]) => (names as readonly string[]).includes(name))?.[0];
  switch (family) {
    case 'protocol':
      return (await import('./targets/protocol.ts')).protocolTargets;
    case 'files':
      return (await import('./targets/files.ts')).fileTargets;
    case 'peers':
      return (await import('./targets/peers.ts')).peerTargets;
    case 'connection':
      return (await import('./targets/connection.ts')).connectionTargets;
    case 'server':
      return (await import('./targets/server.ts')).serverTargets;
    default:
      return (await import('./targets/planted.ts')).plantedTargets;
  }
}
