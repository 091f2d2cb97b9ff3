import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The repository's directory. */
export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url));

/** A document, by its path in the repository. */
export function readDocument(path: string): string {
  return readFileSync(`${ROOT}${path}`, 'utf8');
}

/** The text between two headings of a document: from the line `## heading` to the next one of that level. */
export function sectionOf(document: string, heading: string): string {
  const start = document.indexOf(`\n## ${heading}\n`);
  if (start < 0) throw new Error(`no heading "${heading}"`);
  const end = document.indexOf('\n## ', start + 1);
  return document.slice(start, end < 0 ? undefined : end);
}

/** The contents of all fenced blocks in one language. */
export function fencedBlocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map((match) => match[1] ?? '');
}
