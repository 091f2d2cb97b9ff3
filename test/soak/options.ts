import { parseArgs } from 'node:util';

/** What the command line asks for. */
export interface SoakOptions {
  /** The soak ends after so many minutes, done or not; what was not done is said. */
  readonly minutes: number;
  readonly crashRounds: number;
  /** States of the disk after a loss of power that are tried. */
  readonly powerPoints: number;
  readonly leakMinutes: number;
  /** Requests per second of the leak soak. */
  readonly rate: number;
  /** Numbers of items for which the time to start is measured. */
  readonly startItems: readonly number[];
  readonly seed: number;
}

/** A command line that cannot be followed; the message is for people. */
export class UsageError extends Error {}

/** The help text. */
export const usage = `Usage: npm run soak -- [options]

Runs real servers on loopback, with their data in temporary directories: rounds of kill -9 under load with a
comparison of everything after each, the time to start on a large store, and a long mixed load under which memory
and descriptors must stay flat. Besides, stores whose files lose what was not forced to disk, as with power, are
opened and compared. Prints its figures; exit status 1 when a promise was broken. Needs Linux.

  --minutes <n>          end after so many minutes, whatever is left (default 75)
  --crash-rounds <n>     rounds with a kill; 0 = none (default 200)
  --power-points <n>     states of the disk after a loss of power; 0 = none (default 2000)
  --leak-minutes <n>     minutes of mixed load; 0 = none (default 30)
  --rate <n>             requests per second of that load (default 1500)
  --start-items <a,b>    measure the time to start with so many items; 0 = do not (default 1000000)
  --seed <n>             seed of all that is random (default 1)
  --help                 print this
`;

/** Reads the command line. Undefined = help is asked for. Throws a UsageError when it makes no sense. */
export function parseOptions(args: readonly string[]): SoakOptions | undefined {
  const values = parse(args);
  if (values.help === true) return undefined;
  return {
    minutes: positive('minutes', values.minutes),
    crashRounds: wholeNumber('crash-rounds', values['crash-rounds']),
    powerPoints: wholeNumber('power-points', values['power-points']),
    leakMinutes: notNegative('leak-minutes', values['leak-minutes']),
    rate: positive('rate', values.rate),
    startItems: values['start-items'].split(',').map((text) => wholeNumber('start-items', text)).filter((items) => items > 0),
    seed: wholeNumber('seed', values.seed),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        minutes: { type: 'string', default: '75' },
        'crash-rounds': { type: 'string', default: '200' },
        'power-points': { type: 'string', default: '2000' },
        'leak-minutes': { type: 'string', default: '30' },
        rate: { type: 'string', default: '1500' },
        'start-items': { type: 'string', default: '1000000' },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function notNegative(name: string, text: string): number {
  const value = Number(text);
  if (text === '' || !(value >= 0 && value <= 1e9)) throw new UsageError(`--${name} takes a number from 0 on, not ${text}`);
  return value;
}

function positive(name: string, text: string): number {
  const value = notNegative(name, text);
  if (value === 0) throw new UsageError(`--${name} takes a number above 0`);
  return value;
}

function wholeNumber(name: string, text: string): number {
  const value = notNegative(name, text);
  if (!Number.isInteger(value)) throw new UsageError(`--${name} takes a whole number, not ${text}`);
  return value;
}
