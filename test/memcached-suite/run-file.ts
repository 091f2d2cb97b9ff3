import { once } from 'node:events';
import { closeSync, createWriteStream, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ProcessKeeper, signalGroup } from '../bench/process-keeper.ts';
import { endDetached, removeTestFiles } from './leftovers.ts';
import type { SuiteRun } from './lists.ts';
import type { Workplace } from './prepare.ts';
import { TapReader } from './tap.ts';
import { type Ending, judge, type Verdict } from './verdict.ts';

/** What a test file said, and what that comes to. */
export interface Result extends Verdict {
  readonly tap: TapReader;
  readonly seconds: number;
}

const LIMIT_SECONDS = 120;

/** Runs test files, one at a time. */
export class FileRunner {
  readonly #keeper: ProcessKeeper;
  readonly #workplace: Workplace;
  readonly #isolation: readonly string[];
  readonly #logs: string;
  /** The process of the file that is running. */
  #pid: number | undefined;

  /** `logs` is a directory for what the files and their servers say. */
  constructor(keeper: ProcessKeeper, workplace: Workplace, isolation: readonly string[], logs: string) {
    this.#keeper = keeper;
    this.#workplace = workplace;
    this.#isolation = isolation;
    this.#logs = logs;
  }

  /** Runs a file. When it resolves, nothing of the file's processes is left. */
  async run(run: SuiteRun): Promise<Result> {
    const { saslUsers, dataDirectory } = this.#workplace;
    writeFileSync(saslUsers, '', { mode: 0o600 });
    const tap = new TapReader();
    const start = performance.now();
    const ending = await this.#play(run, tap);
    const seconds = (performance.now() - start) / 1000;
    this.clean();
    rmSync(dataDirectory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    mkdirSync(dataDirectory);
    return { ...judge(run, tap, ending), tap, seconds };
  }

  /** Ends and removes what the keeper does not know of. REQUIRES: the file itself is ended. */
  clean(): void {
    endDetached(this.#workplace.dataDirectory);
    if (this.#pid !== undefined) removeTestFiles(this.#pid);
    this.#pid = undefined;
  }

  async #play(run: SuiteRun, tap: TapReader): Promise<Ending> {
    const log = join(this.#logs, run.tls === true ? `tls-${run.file}` : run.file);
    const errors = openSync(`${log}.err`, 'w');
    const results = createWriteStream(`${log}.tap`);
    const [program, ...args] = [...this.#isolation, 'env', ...this.#environment(run), 'perl', `t/${run.file}`];
    const child = await this.#keeper.start(program, args, { cwd: this.#workplace.directory, stdio: ['ignore', 'pipe', errors] });
    this.#pid = child.pid;
    closeSync(errors);
    let cut: Ending['cut'];
    const end = (why: NonNullable<Ending['cut']>): void => {
      cut ??= why;
      signalGroup(child, 'SIGKILL');
    };
    const timer = setTimeout(() => end('limit'), (run.limitSeconds ?? LIMIT_SECONDS) * 1000);
    const closed = once(child, 'close');
    if (child.stdout !== null) {
      child.stdout.pipe(results);
      for await (const line of createInterface({ input: child.stdout })) {
        tap.read(line);
        if (tap.seen === run.part?.stopAfter) end('enough');
      }
    }
    await closed;
    clearTimeout(timer);
    return { status: child.exitCode ?? undefined, cut };
  }

  #environment({ tls, sasl }: SuiteRun): string[] {
    const { programs, saslUsers } = this.#workplace;
    return [
      `PATH=${programs}:${process.env['PATH']}`,
      `MEMCACHED_SASL_PWDB=${saslUsers}`,
      'LC_ALL=C',
      ...(tls === true ? ['SSL_TEST=1'] : []),
      ...(sasl === true ? ['RUN_SASL_TESTS=1'] : []),
    ];
  }
}
