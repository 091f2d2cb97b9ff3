import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Contestant, ROOT, tugelaIn } from './contestants.ts';
import { revisionName, UsageError } from './options.ts';
import type { ProcessKeeper } from './process-keeper.ts';

/** Builds a revision of this repository below `directory`, with the packages that are installed here. */
export async function buildRevision(revision: string, directory: string, keeper: ProcessKeeper): Promise<Contestant> {
  const commit = resolveRevision(revision);
  const root = join(directory, 'revision');
  mkdirSync(root);
  const archive = join(directory, 'revision.tar');
  await run('git', ['-C', ROOT, 'archive', '--format=tar', `--output=${archive}`, commit], ROOT, keeper);
  await run('tar', ['-xf', archive], root, keeper);
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  await run(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')], root, keeper);
  if (!existsSync(join(root, 'dist', 'src', 'cli.js'))) throw new Error(`building ${revision} gave no dist/src/cli.js`);
  return tugelaIn(root, revisionName(revision), `tugela-ts of ${commit.slice(0, 12)}`);
}

/** The commit that a name stands for. Throws a UsageError when it stands for none. */
export function resolveRevision(revision: string): string {
  try {
    const args = ['-C', ROOT, 'rev-parse', '--quiet', '--verify', '--end-of-options', `${revision}^{commit}`];
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch (error) {
    throw new UsageError(`--compare ${revision}: git knows no such revision here`, { cause: error });
  }
}

async function run(file: string, args: readonly string[], cwd: string, keeper: ProcessKeeper): Promise<void> {
  const child = await keeper.start(file, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) throw new Error(`${file} ${args[0] ?? ''} ended with ${status ?? 'a signal'}`);
}
