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

/** A port, or `none` for undefined. */
export function portOrNone(): ValueType<number | undefined> {
  const port = wholeNumber(0, PORT_MAX);
  const allowed = `${port.allowed}, or none`;
  return {
    ...port,
    allowed,
    parse(value) {
      if (value === 'none') return { ok: true, value: undefined };
      const parsed = port.parse(value);
      return parsed.ok ? parsed : { ok: false, problem: `'${value}' is not ${allowed}` };
    },
  };
}

/** Seconds from 0 to `max`, to the millisecond. */
export function seconds(max: number): ValueType<number> {
  return single(`a number of seconds from 0 to ${max}`, ['number', 'string'], (text) =>
    /^\d{1,10}(\.\d{1,3})?$/.test(text) ? within(Number(text), 0, max) : undefined,
  );
}

/** Bytes, with `k`, `m` or `g` for 1024, 1024² and 1024³ of them, from `min` to `max`. */
export function byteSize(min: number, max: number): ValueType<number> {
  const allowed = `a size from ${formatBytes(min)} to ${formatBytes(max)} (bytes, or a number with k, m, g or t)`;
  return single(allowed, ['number', 'string'], (text) => {
    const match = /^(\d{1,15})([kmgt]?)$/i.exec(text);
    if (match === null) return undefined;
    const unit = { '': 1, k: KILO, m: KILO ** 2, g: KILO ** 3, t: KILO ** 4 }[match[2]?.toLowerCase() ?? ''] ?? 1;
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

/** One character that can be part of a key, of those on a keyboard. */
export function keyCharacter(): ValueType<string> {
  return single('one printable ASCII character other than the space', ['string'], (text) =>
    /^[!-~]$/.test(text) ? text : undefined,
  );
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

/** Bytes in the shortest exact form with `k`, `m` or `g`: 1048576 is `1m`. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [['t', KILO ** 4], ['g', KILO ** 3], ['m', KILO ** 2], ['k', KILO]] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

/** The largest TCP or UDP port. */
export const PORT_MAX = 65_535;

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
