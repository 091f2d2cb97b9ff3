import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { formatSummary, summaryJson } from '../../daemon/summary-text.ts';
import { expireCommand } from '../../src/cli/expire.ts';

/** What a wrong command line is answered with; nothing runs. */
async function usageError(...args: string[]): Promise<string> {
  let said = '';
  const command = expireCommand()
    .configureOutput({ writeErr: (words) => {
        said += words;
      } })
    .exitOverride();
  const error = await command.parseAsync(args, { from: 'user' }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CommanderError);
  return said;
}

describe('expireCommand()', () => {
  it.each([
    [['--port', '0'], /'0' is invalid.*a whole number from 1 to 65535/],
    [['--batch', '1e3'], /a whole number from 1 to 10000/],
    [['--interval', '0'], /a number of seconds above 0, up to 604800/],
    [['--wait', '-1', '--once'], /a number of seconds from 0 to 604800/],
    [['--older-than', '0'], /a number of days above 0, up to 36500/],
    [['--older-than', 'week'], /a number of days above 0/],
    [['--max-rate', 'fast'], /a whole number from 0/],
    [['--prefix', ''], /1 to 250 bytes/],
    [['--prefix', 'a b'], /without blanks/],
    [['--log-level', 'loud'], /one of trace, debug, info/],
    [['--json'], /--json needs --once/],
    [['--wait', '3'], /--wait needs --once/],
    [['--print', '--json'], /--print and --json exclude each other/],
    [['--print', '--dry-run'], /--print and --dry-run exclude each other/],
    [['-f', 'data', '-P', '1'], /--file and --port exclude each other/],
    [['-f', 'data', '--socket', '/x'], /--file and --socket exclude each other/],
    [['--socket', '/x', '-H', 'h'], /--socket and --host exclude each other/],
    [['--stats-port', '0', '--no-stats'], /--stats-port and --no-stats exclude each other/],
    [['--bogus'], /unknown option '--bogus'/],
    [['now'], /too many arguments/],
  ])('refuses %j', async (args, message) => {
    expect(await usageError(...args)).toMatch(message);
  });

  it('names every option in its help', () => {
    const help = expireCommand().helpInformation();
    for (const option of ['-H, --host', '-f, --file', '-o, --older-than', '-p, --prefix', '--print', '--no-stats']) {
      expect(help).toContain(option);
    }
  });
});

describe('summaries', () => {
  const summary = {
    scanned: 12, expired: 5, removed: 1, evicted: 2, bytes: 1_572_864, stale: 3, changed: 4,
    durationMs: 1500.25, rate: 8.4, indexEntries: 9, lagSeconds: 30, interrupted: false,
  };

  it('are aligned lines for people', () => {
    expect(formatSummary(summary, false)).toBe(
      [
        'scanned:   12 entries',
        'expired:   5 items deleted',
        'removed:   1 items deleted by age or prefix',
        'evicted:   2 items evicted to stay below limit and quotas',
        'reclaimed: 1.5 MB',
        'stale:     3 index entries dropped',
        'changed:   4 items left alone, stored anew meanwhile',
        'took:      1.500 s, 8 entries/s',
        'left:      9 index entries, oldest overdue 30 s',
        '',
      ].join('\n'),
    );
  });

  it('are one JSON object for programs', () => {
    const text = summaryJson(summary, true);
    expect(text.endsWith('}\n')).toBe(true);
    expect(JSON.parse(text)).toMatchObject({ dryRun: true, scanned: 12, durationMs: 1500.25, rate: 8, interrupted: false });
  });
});
