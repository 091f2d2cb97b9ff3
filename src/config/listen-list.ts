import { isIP } from 'node:net';
import type { ListenAddress } from '../config.ts';
import { everyAddress, formatEndpoint } from './address.ts';
import { PORT_MAX, type ValueType, wholeNumber } from './value-type.ts';

const ALLOWED = 'a host name, an IPv4 or an IPv6 address, or * for all addresses';

/** memcached's prefixes that say whether an address has TLS. */
const SECURITY: Readonly<Record<string, ListenAddress['security']>> = { notls: 'plain', btls: undefined, mtls: 'mutual' };

const port = wholeNumber(0, PORT_MAX);

/**
 * Addresses to listen on: host names, IPv4, IPv6 with or without brackets, or `*` for all of the machine; each may
 * carry a port (`host:port`, `[v6]:port`) and one of the prefixes `notls:`, `btls:` and `mtls:`. `none` alone is
 * the empty list.
 */
export function listenList(): ValueType<readonly ListenAddress[]> {
  return {
    allowed: `${ALLOWED}; with :port for one of its own; several with commas; with TLS also notls: or mtls: in front; or none`,
    json: ['string', 'array'],
    list: true,
    parse(value) {
      const words = value.split(',').map((word) => word.trim());
      if (value === '' || (words.length === 1 && words[0] === 'none')) return { ok: true, value: [] };
      // The same address twice is one: the second could not be bound.
      const addresses = new Map<string, ListenAddress>();
      for (const word of words) {
        const address = parseAddress(word);
        if (typeof address === 'string') return { ok: false, problem: address };
        addresses.set(formatListenAddress(address), address);
      }
      return { ok: true, value: [...addresses.values()] };
    },
  };
}

/** An address as `listenList` reads it, and as errors show it. */
export function formatListenAddress({ host, port, security }: ListenAddress): string {
  const prefix = security === undefined ? '' : security === 'plain' ? 'notls:' : 'mtls:';
  return prefix + (port === undefined ? host : formatEndpoint(host, port));
}

/** The address, or what is wrong with the word. */
function parseAddress(word: string): ListenAddress | string {
  if (word === 'none') return "'none' stands alone";
  const [, prefix, rest = ''] = /^(?:(notls|btls|mtls):)?(.*)$/.exec(word) ?? [];
  if (/^(proto|tag)(\[|_)/.test(rest)) {
    return `'${word}': of memcached's prefixes only notls:, btls: and mtls: are understood; --protocol fixes the protocol`;
  }
  const [host, digits] = splitPort(rest);
  const name = parseHost(host);
  if (name === undefined) return `'${word}' is not ${ALLOWED}`;
  const parsed = digits === undefined ? undefined : port.parse(digits);
  if (parsed?.ok === false) return `'${word}' has a port that is not ${port.allowed}`;
  return { host: name, port: parsed?.value, security: prefix === undefined ? undefined : SECURITY[prefix] };
}

/** A bare IPv6 address is all address: its last group could else be taken for a port. */
function splitPort(word: string): readonly [host: string, port: string | undefined] {
  if (isIP(word) === 6) return [word, undefined];
  const match = /^(\[.*\]|[^:]*):([^:]*)$/.exec(word);
  return match === null ? [word, undefined] : [match[1] ?? '', match[2]];
}

function parseHost(word: string): string | undefined {
  if (word === '*') return everyAddress();
  if (word.startsWith('[') && word.endsWith(']')) {
    const inner = word.slice(1, -1);
    return isIP(inner) === 6 ? inner : undefined;
  }
  if (isIP(word) !== 0) return word;
  // Digits and dots alone are a mistyped address, which a resolver might take for something else.
  if (/^[\d.]+$/.test(word) || word === 'none') return undefined;
  return /^[a-z\d_]([a-z\d_-]*[a-z\d_])?(\.[a-z\d_]([a-z\d_-]*[a-z\d_])?)*\.?$/i.test(word) ? word : undefined;
}
