import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { LoadDetails, LoadResult, LoadSpec, RunAnswer, RunOrder } from './load/load-spec.ts';
import { type ProcessKeeper, signalGroup } from './process-keeper.ts';

/** A load generator in a process of its own. */
export class LoadGenerator {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts the process, which connects at once. */
  static async start(spec: LoadSpec, keeper: ProcessKeeper): Promise<LoadGenerator> {
    const args = [join(import.meta.dirname, 'load', 'generator-process.js'), JSON.stringify(spec)];
    return new LoadGenerator(await keeper.start(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
  }

  /** Runs the load for `seconds`. Throws when it fails or is not done `graceSeconds` later. */
  async run(seconds: number, graceSeconds = 30): Promise<LoadResult> {
    return (await this.runInDetail(seconds, graceSeconds)).result;
  }

  /** As `run`, and tells more. */
  async runInDetail(seconds: number, graceSeconds = 30): Promise<{ result: LoadResult; details: LoadDetails }> {
    const order: RunOrder = { seconds };
    const answer = await new Promise<RunAnswer>((resolve) => {
      const fail = (failure: string): void => settle({ failure });
      const limit = setTimeout(() => fail(`no end after ${seconds} s and ${graceSeconds} s more`), (seconds + graceSeconds) * 1000);
      const onExit = (): void => fail('the load generator ended');
      const settle = (value: RunAnswer): void => {
        clearTimeout(limit);
        this.#child.off('exit', onExit);
        this.#child.off('message', settle);
        resolve(value);
      };
      this.#child.on('exit', onExit);
      this.#child.on('message', settle);
      this.#child.send(order);
    });
    if ('failure' in answer) throw new Error(answer.failure);
    return answer;
  }

  /** Ends the process and its connections. */
  end(): void {
    signalGroup(this.#child, 'SIGKILL');
  }
}
