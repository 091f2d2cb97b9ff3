import { UsageError } from './options.ts';

/**
 * Replaces what stands between the marks of `name` in a page. A mark is a comment of its own line:
 * `<!-- figures NAME -->` and `<!-- end of figures NAME -->`. Throws a UsageError when the page has no such marks.
 */
export function replaceFigures(page: string, name: string, figures: string): string {
  const begin = `<!-- figures ${name} -->\n`;
  const end = `<!-- end of figures ${name} -->\n`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new UsageError(`the page of benchmarks has no marks for the figures ${name}`);
  return `${page.slice(0, from + begin.length)}\n${figures.trim()}\n\n${page.slice(to)}`;
}
