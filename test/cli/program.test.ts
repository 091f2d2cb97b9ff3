import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addOptions } from '../../src/cli/options.ts';
import { runProgram } from '../../src/cli/program.ts';
import { readServeSettings, type ServeSettings } from '../../src/config/serve-config.ts';
import { serveOptions } from '../../src/config/serve-options.ts';
import { TugelaError } from '../../src/errors.ts';

/** Runs a command line against a `serve` that only reads its options, and a `fail` that throws. */
async function run(...args: string[]) {
  let out = '';
  let errors = '';
  let settings: ServeSettings | undefined;
  const serve = addOptions(new Command('serve').description('run the server'), serveOptions).action((given) => {
    settings = readServeSettings(given, {});
  });
  const fail = addOptions(new Command('fail'), serveOptions).action(() => {
    throw new TugelaError('TUGELA_STORE_LOCKED', 'Cannot open store at ./data: held by process 812', {
      cause: new Error('inner'),
    });
  });
  const status = await runProgram(args, {
    commands: [serve, fail],
    version: '1.2.3',
    environment: {},
    writeOut: async (text) => void (out += text),
    writeError: (text) => (errors += text),
  });
  return { status, out, errors, settings };
}

describe('runProgram() with a command that reads its words itself', () => {
  async function runRaw(result: () => Promise<number>, ...args: string[]) {
    let out = '';
    let errors = '';
    const seen: string[][] = [];
    const status = await runProgram(args, {
      commands: [new Command('serve')],
      rawCommands: [
        {
          name: 'other',
          description: "with another program's command line",
          help: 'all about other\n',
          async run(words, { writeOut }) {
            seen.push([...words]);
            await writeOut('ran\n');
            return await result();
          },
        },
      ],
      version: '1.2.3',
      environment: {},
      writeOut: async (text) => void (out += text),
      writeError: (text) => (errors += text),
    });
    return { status, out, errors, seen };
  }

  test('hands it all words as they are, those that mean something elsewhere too', async () => {
    const { status, out, seen } = await runRaw(async () => 7, 'other', '-V', '--help', '-vv', 'serve');
    expect({ status, out, seen }).toEqual({ status: 7, out: 'ran\n', seen: [['-V', '--help', '-vv', 'serve']] });
  });

  test('answers its failure as that of any other', async () => {
    const fail = (): Promise<number> => Promise.reject(new TugelaError('TUGELA_USAGE', "-c: '0' is wrong"));
    expect(await runRaw(fail, 'other')).toMatchObject({ status: 2, errors: "tugela-ts: -c: '0' is wrong\n" });
  });

  test('lists it, and shows its help', async () => {
    expect((await runRaw(async () => 0, '--help')).out).toMatch(/\n +other +with another program's command line\n/);
    expect((await runRaw(async () => 0, 'help', 'other')).out).toBe('all about other\n');
    expect((await runRaw(async () => 0)).errors).toBe('tugela-ts: no command given; say serve or other, or --help\n');
  });
});

describe('runProgram()', () => {
  test.each([['-V'], ['--version'], ['serve', '-V']])('prints the version for %s %s', async (...args) => {
    expect(await run(...args)).toMatchObject({ status: 0, out: '1.2.3\n', errors: '' });
  });

  test.each([
    [[], 'tugela-ts: no command given; say serve or fail, or --help\n'],
    [['sevre'], "tugela-ts: unknown command 'sevre' (Did you mean serve?)\n"],
    [['--frob'], "tugela-ts: unknown option '--frob'\n"],
    [['serve', '--prot', '1'], "tugela-ts: unknown option '--prot' (Did you mean --port?)\n"],
    [['serve', '-p'], "tugela-ts: option '-p, --port <num>' argument missing\n"],
    [['serve', 'data'], "tugela-ts: too many arguments for 'serve'. Expected 0 arguments but got 1.\n"],
    [['serve', '-p', '-5'], "tugela-ts: --port: '-5' is not a whole number from 0 to 65535\n"],
  ])('answers %j with one line and exit status 2', async (args, errors) => {
    expect(await run(...args)).toMatchObject({ status: 2, errors });
  });

  test('answers a failure with one line and exit status 1', async () => {
    const { status, errors } = await run('fail');
    expect([status, errors]).toEqual([1, 'tugela-ts: Cannot open store at ./data: held by process 812\n']);
  });

  test('adds stack and cause with -vv', async () => {
    const { errors } = await run('fail', '-vv');
    expect(errors).toMatch(/^tugela-ts: Cannot .*\nTugelaError: Cannot [^]*\n +at [^]*caused by Error: inner\n +at /);
  });

  test('hands what commander gathers to the table', async () => {
    const line =
      'serve -p 0 -l ::1,127.0.0.1 --listen 10.0.0.1 -I2m -vv --log-pretty --with-expire --no-with-expire -E 5 --socket-mode 0770 -P x.pid -u me';
    const { settings } = await run(...line.split(' '));
    expect(settings?.server).toMatchObject({
      port: 0,
      listen: ['::1', '127.0.0.1', '10.0.0.1'].map((host) => ({ host, port: undefined, security: undefined })),
      maxItemSize: 2_097_152,
      expireEvery: 5,
      socketMode: 0o770,
    });
    expect(settings?.process).toEqual({
      withExpire: false,
      autoRepair: false,
      pidfile: 'x.pid',
      user: 'me',
      logLevel: 'trace',
      logPretty: true,
    });
  });

  test('prints the help with groups and defaults', async () => {
    const { status, out } = await run('serve', '-h');
    expect(status).toBe(0);
    for (const heading of ['Network:', 'Store and memory:', 'Expiry:', 'Process:', 'Logging:']) expect(out).toContain(`\n${heading}\n`);
    expect(out).toMatch(/-m, --memory <MB> +memory for caching[^]*\(default\s+64\)/);
    expect(out).not.toContain('--no-');
    // Taken, but nothing to offer.
    expect(out).not.toContain('--threads');
  });
});
