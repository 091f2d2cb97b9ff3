import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type Address, formatAddress } from '../../daemon/address.ts';
import type { LineClient } from '../../daemon/line-client.ts';
import { describe, openClient, withClient } from '../client/open-client.ts';
import { addressOf, addServerOptions } from '../client/server-options.ts';
import { messageOf } from '../errors.ts';
import { print } from '../stdout.ts';
import { type Figures, figuresOf } from '../top/figures.ts';
import { figuresJson } from '../top/figures-json.ts';
import { type Sample, takeSample } from '../top/sample.ts';
import { Screen } from '../top/screen.ts';
import { render } from '../top/view.ts';

/** Longest interval: an hour. */
const INTERVAL_MAX_SECONDS = 3600;
/** Milliseconds until the first figures: nobody wants to look at an empty screen for long. */
const FIRST_MS = 500;
/** Size of what is printed where there is no terminal. */
const PRINTED = { columns: 100, rows: 60 };

interface TopOptions {
  readonly interval: number;
  readonly once?: true;
  readonly json?: true;
}

/** The command `tugela-ts top`: what a running server does, refreshed until q. */
export function topCommand(): Command {
  const command = new Command('top').description('watch what a running server does: rates, delays, RAM, disk, hot keys').allowExcessArguments(false);
  addServerOptions(command)
    .addOption(new Option('-i, --interval <secs>', 'seconds between two looks').default(2).argParser(parseInterval))
    .addOption(new Option('--once', 'print one interval and exit; so it is where stdout is no terminal'))
    .addOption(new Option('--json', 'print one interval as a JSON object and exit'));
  return command.action(async () => {
    const address = addressOf(command);
    const { interval, once, json } = command.opts<TopOptions>();
    if (once === true || json === true || !process.stdout.isTTY) await printOnce(address, interval * 1000, json === true);
    else await watch(address, interval * 1000);
  });
}

async function printOnce(address: Address, intervalMs: number, json: boolean): Promise<void> {
  const figures = await withClient(address, async (client): Promise<Figures> => {
    const before = await takeSample(client);
    await delay(intervalMs);
    return figuresOf(before, await takeSample(client));
  });
  await print(json ? figuresJson(figures) : `${render(figures, formatAddress(address), PRINTED).join('\n')}\n`);
}

/** Shows figures until the user has seen enough. A server that goes away is waited for. */
async function watch(address: Address, intervalMs: number): Promise<void> {
  const server = formatAddress(address);
  const stop = new AbortController();
  let client: LineClient | undefined = await openClient(address);
  let before: Sample | undefined;
  let figures: Figures | undefined;
  let problem = 'looking…';
  const screen = new Screen(process.stdout, process.stdin, () => quit(), () => draw());
  const draw = (): void => screen.draw(figures === undefined ? [`${server}  ${problem}`] : render(figures, server, screen.size));
  const quit = (): void => {
    stop.abort();
    // A server that does not answer must not keep the user waiting.
    client?.close();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, quit);
  // Nobody sees it any more: the terminal is gone.
  process.stdout.on('error', quit);
  screen.open();
  try {
    while (!stop.signal.aborted) {
      try {
        client ??= await openClient(address, stop.signal);
        const sample = await takeSample(client);
        if (before !== undefined) figures = figuresOf(before, sample);
        before = sample;
      } catch (error) {
        client?.close();
        client = undefined;
        before = undefined;
        figures = undefined;
        problem = messageOf(describe(error, address));
      }
      draw();
      await delay(figures === undefined ? Math.min(intervalMs, FIRST_MS) : intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  } finally {
    client?.close();
    screen.close();
    for (const name of signals) process.off(name, quit);
  }
}

function parseInterval(word: string): number {
  const value = /^\d{1,4}(\.\d{1,3})?$/.test(word) ? Number(word) : Number.NaN;
  if (!(value >= 0.1 && value <= INTERVAL_MAX_SECONDS)) throw new InvalidArgumentError(`Allowed is a number of seconds from 0.1 to ${INTERVAL_MAX_SECONDS}.`);
  return value;
}
