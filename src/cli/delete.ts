import { setTimeout as delay } from 'node:timers/promises';
import { Command, Option } from 'commander';
import type { Address } from '../../daemon/address.ts';
import type { LineClient } from '../../daemon/line-client.ts';
import { isTransient } from '../../daemon/link-error.ts';
import { askJob, beginDelete, type ShownJob } from '../client/jobs.ts';
import { keyPages } from '../client/key-pages.ts';
import { describe, openClient, withClient } from '../client/open-client.ts';
import { addressOf, addServerOptions, prefixOption, refuseTogether } from '../client/server-options.ts';
import { TugelaError } from '../errors.ts';
import { print } from '../stdout.ts';

/** Milliseconds between two looks at a job. */
const LOOK_MS = 200;
/** Milliseconds for which a server that is being restarted is waited for. */
const RESTART_MS = 30_000;

interface DeleteOptions {
  readonly prefix: Buffer;
  readonly wait?: true;
  readonly dryRun?: true;
}

/** The command `tugela-ts delete`: lets a running server delete all items under a prefix. */
export function deleteCommand(): Command {
  const command = new Command('delete').description('let a running server delete all that it has under a prefix, in the background').allowExcessArguments(false);
  addServerOptions(command)
    .addOption(prefixOption('all keys that begin so').makeOptionMandatory())
    .addOption(new Option('--wait', 'until it is done, with progress on a terminal'))
    .addOption(new Option('--dry-run', 'only count what would go'));
  return command.action(async () => {
    refuseTogether(command, 'wait', 'dryRun');
    const address = addressOf(command);
    const { prefix, wait, dryRun } = command.opts<DeleteOptions>();
    if (dryRun === true) {
      await print(`would delete ${await countUnder(address, prefix)}\n`);
      return;
    }
    const number = await withClient(address, (client) => beginDelete(client, prefix));
    if (wait === true) await print(`deleted ${await end(address, number)}\n`);
    else await print(`job ${number} deletes them\n`);
  });
}

async function countUnder(address: Address, prefix: Buffer): Promise<string> {
  let items = 0;
  let bytes = 0;
  await withClient(address, async (client) => {
    for await (const page of keyPages(client, { prefix })) {
      items += page.length;
      for (const { key, length } of page) bytes += key.length + length;
    }
  });
  return sum(items, bytes);
}

/** Resolves with what was deleted when the job is over, whether or not the server is restarted meanwhile. */
async function end(address: Address, number: number): Promise<string> {
  let client: LineClient | undefined;
  let last: ShownJob | undefined;
  let seenMs = performance.now();
  try {
    for (;;) {
      try {
        client = client === undefined || client.closed ? await openClient(address) : client;
        const job = await askJob(client, number);
        seenMs = performance.now();
        last = job ?? last;
        if (job === undefined || job.state === 'done') return sum(last?.deleted ?? 0, last?.bytes ?? 0);
        showProgress(job);
      } catch (error) {
        client?.close();
        if (!isPassing(error)) throw describe(error, address);
        if (performance.now() - seenMs > RESTART_MS) {
          const reason = `Cannot see whether job ${number} is over: the server is gone; the job goes on when it is back`;
          throw new TugelaError('TUGELA_CONNECT', reason, { cause: error });
        }
      }
      await delay(LOOK_MS);
    }
  } finally {
    client?.close();
    if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  }
}

/** True for what a restart of the server looks like from here. */
function isPassing(error: unknown): boolean {
  return isTransient(error) || (error instanceof TugelaError && error.code === 'TUGELA_CONNECT');
}

function showProgress({ deleted, bytes, state }: ShownJob): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${state}: ${sum(deleted, bytes)}`);
}

function sum(items: number, bytes: number): string {
  return `${items} ${items === 1 ? 'item' : 'items'}, ${bytes} bytes`;
}
