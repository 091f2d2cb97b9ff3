import { isIP } from 'node:net';

/** What reading a value came to: the value, or what is wrong with the text, to follow "--port: ". */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** The JSON types a configuration file may use for a value. */
export type JsonType = 'string' | 'number' | 'boolean' | 'array';

/** How one kind of value is written, whether on the command line, in the environment or in a file. */
export interface ValueType<T> {
  /** What is allowed, as the end of the sentence "… is not". */
  readonly allowed: string;
  readonly json: readonly JsonType[];
  /** Lists are written with commas; a command line may also repeat the option, a file use an array. */
  readonly list: boolean;
  parse(text: string): Parsed<T>;
}

/** A whole number in decimal, from `min` to `max`. */
export function wholeNumber(min: number, max: number): ValueType<number> {
  return single(`a whole number from ${min} to ${max}`, ['number', 'string'], (text) =>
    /^\d{1,15}$/.test(text) ? within(Number(text), min, max) : undefined,
  );
}

/** Seconds from 0 to `max`, to the millisecond. */
export function seconds(max: number): ValueType<number> {
  return single(`a number of seconds from 0 to ${max}`, ['number', 'string'], (text) =>
    /^\d{1,10}(\.\d{1,3})?$/.test(text) ? within(Number(text), 0, max) : undefined,
  );
}

/** Bytes, with `k` or `m` for 1024 and 1024² of them, from `min` to `max`. */
export function byteSize(min: number, max: number): ValueType<number> {
  const allowed = `a size from ${formatBytes(min)} to ${formatBytes(max)} (bytes, or a number with k or m)`;
  return single(allowed, ['number', 'string'], (text) => {
    const match = /^(\d{1,15})([km]?)$/i.exec(text);
    if (match === null) return undefined;
    const unit = { '': 1, k: KILO, m: KILO * KILO }[match[2]?.toLowerCase() ?? ''] ?? 1;
    return within(Number(match[1]) * unit, min, max);
  });
}

/** Permission bits in octal. A JSON number would be decimal and mean something else, so a file needs a string. */
export function octalMode(): ValueType<number> {
  return single('an octal mode from 0000 to 0777', ['string'], (text) =>
    /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined,
  );
}

/** One of a few words. */
export function oneOf<const T extends string>(...words: readonly T[]): ValueType<T> {
  return single(`one of ${words.join(', ')}`, ['string'], (text) => words.find((word) => word === text));
}

/** Any text but the empty one. */
export function text(what: string): ValueType<string> {
  return single(what, ['string'], (value) => (value === '' || value.includes('\0') ? undefined : value));
}

/** A unix socket's path: the system's address structure has room for 107 bytes on Linux. */
export function socketPath(): ValueType<string> {
  return single(`a path of 1 to ${SOCKET_PATH_MAX} bytes`, ['string'], (value) =>
    value === '' || value.includes('\0') || Buffer.byteLength(value) > SOCKET_PATH_MAX ? undefined : value,
  );
}

/** Yes or no; a bare option on the command line is yes. */
export function flag(): ValueType<boolean> {
  return single('one of true, false, yes, no, on, off, 1, 0', ['boolean', 'number', 'string'], (word) => {
    if (['true', 'yes', 'on', '1'].includes(word.toLowerCase())) return true;
    return ['false', 'no', 'off', '0'].includes(word.toLowerCase()) ? false : undefined;
  });
}

/**
 * Addresses to listen on: host names, IPv4, and IPv6 with or without brackets.
 * `none` alone is the empty list.
 */
export function hostList(): ValueType<readonly string[]> {
  const allowed = 'a host name, an IPv4 or an IPv6 address';
  return {
    allowed: `${allowed}; several with commas; or none`,
    json: ['string', 'array'],
    list: true,
    parse(value) {
      const words = value.split(',').map((word) => word.trim());
      if (value === '' || (words.length === 1 && words[0] === 'none')) return { ok: true, value: [] };
      const hosts = new Set<string>();
      for (const word of words) {
        const host = parseHost(word);
        if (host === undefined) return { ok: false, problem: hostProblem(word, allowed) };
        hosts.add(host);
      }
      return { ok: true, value: [...hosts] };
    },
  };
}

/** Bytes in the shortest exact form with `k` or `m`: 1048576 is `1m`. */
export function formatBytes(bytes: number): string {
  if (bytes >= KILO * KILO && bytes % (KILO * KILO) === 0) return `${bytes / (KILO * KILO)}m`;
  return bytes >= KILO && bytes % KILO === 0 ? `${bytes / KILO}k` : String(bytes);
}

const KILO = 1024;
const SOCKET_PATH_MAX = 107;

function single<T>(allowed: string, json: readonly JsonType[], read: (text: string) => T | undefined): ValueType<T> {
  return {
    allowed,
    json,
    list: false,
    parse(value) {
      const result = read(value);
      return result === undefined
        ? { ok: false, problem: `'${value}' is not ${allowed}` }
        : { ok: true, value: result };
    },
  };
}

function within(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined;
}

function parseHost(word: string): string | undefined {
  if (word.startsWith('[') && word.endsWith(']')) {
    const inner = word.slice(1, -1);
    return isIP(inner) === 6 ? inner : undefined;
  }
  if (isIP(word) !== 0) return word;
  // Digits and dots alone are a mistyped address, which a resolver might take for something else.
  if (/^[\d.]+$/.test(word) || word === 'none') return undefined;
  return /^[a-z\d_]([a-z\d_-]*[a-z\d_])?(\.[a-z\d_]([a-z\d_-]*[a-z\d_])?)*\.?$/i.test(word) ? word : undefined;
}

function hostProblem(word: string, allowed: string): string {
  if (word === '*') return "'*' is not an address; every address is 0.0.0.0 or ::";
  if (word === 'none') return "'none' stands alone";
  const withPort = /^(\[.+\]|[^:]+):\d+$/.exec(word);
  if (withPort !== null) return `'${word}' has a port in it; give the port with --port`;
  return `'${word}' is not ${allowed}`;
}
