import { readFileSync } from 'node:fs';
import { messageOf, systemCodeOf } from '../errors.ts';
import { type OptionSpec, type OptionTable, shownOptions } from './option.ts';
import { type Said, type SaidValues, usageError } from './resolve.ts';
import type { JsonType } from './value-type.ts';

/**
 * Reads a configuration file: one JSON object with the options' long names as keys, in kebab-case or
 * camelCase. Throws `TUGELA_USAGE` when it cannot be read, is not that, or names an unknown option.
 * Whether the values are allowed is checked later, with those of the other layers.
 */
export function readConfigFile(table: OptionTable, path: string): SaidValues {
  const said = new Map<string, Said>();
  for (const [written, value] of Object.entries(parseObject(path))) {
    const key = Object.keys(table).find((name) => name === written || table[name]?.name === written);
    const spec = key === undefined ? undefined : table[key];
    if (key === undefined || spec === undefined) {
      throw usageError(`${path}: unknown key '${written}'; allowed: ${namesOf(table).join(', ')}`);
    }
    const place = `${path}: ${written}`;
    if (said.has(key)) throw usageError(`${place}: said twice, as ${spec.name} and as ${key}`);
    said.set(key, { text: textOf(spec, place, value), place });
  }
  return said;
}

function parseObject(path: string): object {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    const why = systemCodeOf(error) === 'ENOENT' ? 'no such file' : messageOf(error);
    throw usageError(`Cannot read the configuration file ${path}: ${why}`, { cause: error });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (error) {
    // The parser quotes the text around the mistake, line ends included.
    const why = messageOf(error).replaceAll(/\s+/g, ' ');
    throw usageError(`${path}: not JSON: ${why}`, { cause: error });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw usageError(`${path}: not a JSON object with option names as keys`);
  }
  return parsed;
}

function textOf(spec: OptionSpec<unknown>, place: string, value: unknown): string {
  const kind = jsonTypeOf(value);
  if (kind === undefined || !spec.type.json.includes(kind)) throw wrongType(spec, place, value);
  if (!Array.isArray(value)) return String(value);
  if (value.some((element) => jsonTypeOf(element) !== 'string')) throw wrongType(spec, place, value);
  return value.join(',');
}

function wrongType(spec: OptionSpec<unknown>, place: string, value: unknown): Error {
  const types = spec.type.json.map((type) => (type === 'array' ? 'array of strings' : type)).join(' or ');
  return usageError(`${place}: ${JSON.stringify(value)} is not allowed; write a JSON ${types}: ${spec.type.allowed}`);
}

function jsonTypeOf(value: unknown): JsonType | undefined {
  if (Array.isArray(value)) return 'array';
  const type = typeof value;
  return type === 'string' || type === 'number' || type === 'boolean' ? type : undefined;
}

function namesOf(table: OptionTable): string[] {
  return shownOptions(table).map((spec) => spec.name);
}
