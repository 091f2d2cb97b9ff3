import { isUtf8 } from 'node:buffer';
import type { ListedItem } from '../../daemon/target.ts';
import { encodeUriKey } from '../protocol/uri-key.ts';

/** A listed item, and its value if it was asked for and is there. */
export interface ShownItem {
  readonly item: ListedItem;
  readonly value?: Buffer | undefined;
}

/** `KEY SIZE EXPIRES AGE [VALUE]` with tabs between; EXPIRES is seconds from now, `-` = never. */
export function plainLine({ item, value }: ShownItem, now: number): string {
  const { key, length, expiresAt, storedAt } = item;
  const words = [encodeUriKey(key, 0, key.length), length, expiresAt === 0 ? '-' : expiresAt - now, Math.max(0, now - storedAt)];
  if (value !== undefined) words.push(visible(value));
  return `${words.join('\t')}\n`;
}

/** One JSON object; what is not UTF-8 stands in base64 under another name. */
export function jsonLine({ item, value }: ShownItem, now: number): string {
  return `${JSON.stringify({
    ...namedBytes('key', item.key),
    size: item.length,
    expiresAt: item.expiresAt === 0 ? null : item.expiresAt,
    storedAt: item.storedAt,
    age: Math.max(0, now - item.storedAt),
    ...(value === undefined ? {} : namedBytes('value', value)),
  })}\n`;
}

/** A member of a JSON object for some bytes: text, or `…Base64` for what is not UTF-8. */
export function namedBytes(name: string, bytes: Buffer): Record<string, string> {
  return isUtf8(bytes) ? { [name]: bytes.toString('utf8') } : { [`${name}Base64`]: bytes.toString('base64') };
}

/** A value in one line that a terminal can show: text stays, the rest becomes `\n`, `\xNN` and the like. */
function visible(value: Buffer): string {
  if (!isUtf8(value)) return value.toString('latin1').replaceAll(/[^\x20-\x5b\x5d-\x7e]/g, escape);
  return value.toString('utf8').replaceAll(/[\\\p{C}\u2028\u2029]/gu, escape);
}

function escape(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const short = { '\\': '\\\\', '\n': String.raw`\n`, '\r': String.raw`\r`, '\t': String.raw`\t` }[character];
  return short ?? (code > 0xff ? `\\u{${code.toString(16)}}` : `\\x${code.toString(16).padStart(2, '0')}`);
}
