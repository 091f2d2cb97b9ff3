import { describe, expect, test } from 'vitest';
import { expireCommand } from '../../src/cli/expire.ts';
import { optionsMarkdown } from '../../src/config/option.ts';
import { serveOptions } from '../../src/config/serve-options.ts';
import { readDocument, sectionOf } from './markdown.ts';

const readme = readDocument('README.md');

describe('README.md', () => {
  test('has the options of serve as the program knows them', () => {
    expect(tableOf(sectionOf(readme, 'Options of `tugela-ts serve`'))).toBe(optionsMarkdown(serveOptions));
  });

  test('has the options of expire with their defaults', () => {
    const rows = tableOf(sectionOf(readme, 'Options of `tugela-ts expire`')).split('\n').slice(2, -1);
    const documented = rows.map((row) => row.split(' |').slice(0, 2).map((cell) => cell.replaceAll(/[|`]/g, '').trim()));
    const known = expireCommand().options.map(({ flags, defaultValue }) => [flags, shownDefault(flags, defaultValue)]);
    expect(documented).toEqual([...known, ['-h, --help', '']]);
  });
});

/** The first table in a text, with its last line end. */
function tableOf(text: string): string {
  return `${text.split('\n').filter((line) => line.startsWith('|')).join('\n')}\n`;
}

/** An option that only switches something off has a default of its own, which means nothing to people. */
function shownDefault(flags: string, value: unknown): string {
  return flags.startsWith('--no-') || !(typeof value === 'string' || typeof value === 'number') ? '' : `${value}`;
}
