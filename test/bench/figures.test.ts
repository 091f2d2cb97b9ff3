import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replaceFigures } from './figures.ts';
import { UsageError } from './options.ts';

const page = 'before\n<!-- figures a -->\nold\n<!-- end of figures a -->\nbetween\n<!-- figures b -->\n<!-- end of figures b -->\n';

describe('replaceFigures()', () => {
  it('replaces what is between the marks, and nothing else, again and again', () => {
    const once = replaceFigures(page, 'a', 'new\n');
    expect(once).toBe(page.replace('old\n', '\nnew\n\n'));
    expect(replaceFigures(once, 'a', 'new\n')).toBe(once);
    expect(replaceFigures(page, 'b', '$& new')).toContain('between\n<!-- figures b -->\n\n$& new\n\n<!-- end');
  });

  it('refuses a page without the marks', () => {
    expect(() => replaceFigures(page, 'c', 'new')).toThrow(UsageError);
    expect(() => replaceFigures(page.replace('<!-- end of figures a -->', ''), 'a', 'new')).toThrow(UsageError);
  });

  it.each(['default', 'heavy', 'micro'])('finds the marks of %s in the page of the project', (name) => {
    const real = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'benchmarks.md'), 'utf8');
    expect(replaceFigures(real, name, 'new')).toContain(`<!-- figures ${name} -->\n\nnew\n\n<!-- end of figures ${name} -->`);
  });
});
