import { chmodSync, chownSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';

/** Who we are and who else runs. */
export interface PidfileDeps {
  readonly pid: number;
  isAlive(pid: number): boolean;
}

/** The user and group a pidfile is given to. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Asks the system. A process that may not be signalled is alive, too. */
export const systemPidfileDeps: PidfileDeps = {
  pid: process.pid,
  isAlive(pid) {
    try {
      process.kill(pid, 0);
      return true;
    } catch (error) {
      return systemCodeOf(error) !== 'ESRCH';
    }
  },
};

/**
 * Throws `TUGELA_PIDFILE` when `path` names another process that lives, or holds something that is not
 * a process id and that writing would destroy. A file left by a dead process, or an empty one, is free.
 */
export function assertPidfileFree(path: string, deps: PidfileDeps): void {
  const content = readIfPresent(path);
  if (content === undefined || content === '') return;
  if (!/^\d{1,10}$/.test(content)) {
    throw new TugelaError('TUGELA_PIDFILE', `Cannot use ${path} as pidfile: it holds something else than a process id`);
  }
  const pid = Number(content);
  if (pid === deps.pid || pid === 0 || !deps.isAlive(pid)) return;
  throw new TugelaError(
    'TUGELA_PIDFILE',
    `Cannot use ${path} as pidfile: it names process ${pid}, which is running; stop that, or remove the file if it is not tugela-ts`,
  );
}

/**
 * Writes our process id and a newline, all or nothing, and gives the file to `owner` if there is one.
 * Throws `TUGELA_PIDFILE` as `assertPidfileFree` does, or when the file cannot be written.
 */
export function writePidfile(path: string, deps: PidfileDeps, owner?: Owner): void {
  assertPidfileFree(path, deps);
  const temporary = `${path}.${deps.pid}.tmp`;
  try {
    // Never through a file or link that is there already: we may be root in a directory open to all.
    rmSync(temporary, { force: true });
    writeFileSync(temporary, `${deps.pid}\n`, { flag: 'wx' });
    // Whatever the umask: service scripts of other users read it.
    chmodSync(temporary, 0o644);
    if (owner !== undefined) chownSync(temporary, owner.uid, owner.gid);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new TugelaError('TUGELA_PIDFILE', `Cannot write pidfile ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Removes the pidfile if it still names us; somebody else's stays.
 * Where the directory forbids it (privileges were dropped after writing) the file is emptied instead.
 */
export function removePidfile(path: string, deps: PidfileDeps): void {
  if (readIfPresent(path) !== String(deps.pid)) return;
  try {
    rmSync(path);
  } catch (error) {
    try {
      truncateSync(path);
    } catch {
      throw new TugelaError('TUGELA_PIDFILE', `Cannot remove pidfile ${path}: ${messageOf(error)}`, { cause: error });
    }
  }
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw new TugelaError('TUGELA_PIDFILE', `Cannot read pidfile ${path}: ${messageOf(error)}`, { cause: error });
  }
}
