import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How long a client may take for all it does. */
const PATIENCE_MS = 60_000;

/** Clients that still run, so that none outlives a test run that is broken off. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** What a client's program said, and its exit code; -1 if it took too long. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The path of a script beside these tests. */
export function script(name: string): string {
  return fileURLToPath(new URL(`scripts/${name}`, import.meta.url));
}

/** What a program prints when it succeeds, without blanks around it; undefined if it fails or is not there. */
export function probe([program, ...args]: readonly [string, ...string[]]): string | undefined {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', timeout: PATIENCE_MS });
  return status === 0 ? stdout.trim() : undefined;
}

/** Where a client runs, and what is typed into it: nothing unless `input` says otherwise. */
export interface Surroundings {
  readonly directory?: string;
  readonly input?: string;
}

/** Runs a client's program to its end. */
export function runClient([program, ...args]: readonly [string, ...string[]], { directory, input = '' }: Surroundings = {}): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: directory,
      // Python keeps compiled modules beside their source otherwise.
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
    });
    running.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('latin1')));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('latin1')));
    child.once('error', reject);
    // It may end without having read it.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('close', (code) => {
      running.delete(child);
      resolve({ code: code ?? -1, stdout, stderr });
    });
  });
}
