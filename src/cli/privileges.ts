import { accessSync, chmodSync, chownSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { messageOf, TugelaError } from '../errors.ts';

/** A user as the system's account file knows it. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The identity of this process; `undefined` results where the system has no such thing. */
export interface Identity {
  uid(): number | undefined;
  initgroups(user: string, gid: number): void;
  setgid(gid: number): void;
  setuid(uid: number): void;
}

const ACCOUNTS = '/etc/passwd';

/** Node has this call on POSIX systems, its types do not. */
const withInitgroups = process as NodeJS.Process & { initgroups?: (user: string, gid: number) => void };

/** The real process. */
export const systemIdentity: Identity = {
  uid: () => process.geteuid?.(),
  initgroups: (user, gid) => withInitgroups.initgroups?.(user, gid),
  setgid: (gid) => process.setgid?.(gid),
  setuid: (uid) => process.setuid?.(uid),
};

/** Finds a user by name or number. Throws `TUGELA_USER` when there is none. */
export function findAccount(user: string, accountsFile: string = ACCOUNTS): Account {
  let lines: string[];
  try {
    lines = readFileSync(accountsFile, 'utf8').split('\n');
  } catch (error) {
    throw userError(user, `cannot read ${accountsFile}: ${messageOf(error)}`, error);
  }
  const accounts = lines.map(parseAccount).filter((account) => account !== undefined);
  // A name of digits is a name first, as for chown.
  const found =
    accounts.find((account) => account.name === user) ?? accounts.find((account) => String(account.uid) === user);
  if (found === undefined) throw userError(user, `no such user in ${accountsFile}`);
  return found;
}

/**
 * Becomes `account` for good: supplementary groups, group, user, in that order, since each needs what
 * the next gives up. Throws `TUGELA_USER` when the system refuses, or when root could be had back.
 */
export function dropPrivileges(account: Account, identity: Identity): void {
  try {
    identity.initgroups(account.name, account.gid);
    identity.setgid(account.gid);
    identity.setuid(account.uid);
  } catch (error) {
    throw userError(account.name, messageOf(error), error);
  }
  if (identity.uid() !== account.uid) throw userError(account.name, `still user id ${String(identity.uid())}`);
  if (account.uid !== 0 && canBecomeRoot(identity)) throw userError(account.name, 'root could be had back');
}

/**
 * Makes the store's directory for `account` if it is missing, closed to all others; those above it stay root's, and open
 * to all. REQUIRES: still root.
 */
export function prepareDirectory(directory: string, account: Account): void {
  if (existsSync(directory)) return;
  try {
    makeParents(resolve(directory));
    mkdirSync(directory, { mode: 0o700 });
    chownSync(directory, account.uid, account.gid);
  } catch (error) {
    throw userError(account.name, `cannot make ${directory}: ${messageOf(error)}`, error);
  }
}

/** Throws `TUGELA_USER` when this process may not write to `directory`. Call after the drop. */
export function assertWritable(directory: string, account: Account): void {
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw userError(account.name, `may not write to ${directory}; give it the directory with chown -R`, error);
  }
}

/** Makes the directories above one, such that the user we become can pass through them whatever the umask. */
function makeParents(directory: string): void {
  const parent = dirname(directory);
  if (existsSync(parent)) return;
  makeParents(parent);
  mkdirSync(parent);
  chmodSync(parent, 0o755);
}

function canBecomeRoot(identity: Identity): boolean {
  try {
    identity.setuid(0);
    return true;
  } catch {
    // The refusal is what a complete drop looks like.
    return false;
  }
}

function parseAccount(line: string): Account | undefined {
  const [name, , uid, gid] = line.split(':');
  if (name === undefined || name === '' || uid === undefined || gid === undefined) return undefined;
  return /^\d+$/.test(uid) && /^\d+$/.test(gid) ? { name, uid: Number(uid), gid: Number(gid) } : undefined;
}

function userError(user: string, why: string, cause?: unknown): TugelaError {
  return new TugelaError('TUGELA_USER', `Cannot run as user ${user}: ${why}`, cause === undefined ? {} : { cause });
}
