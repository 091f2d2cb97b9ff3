import { InvalidArgumentError, Option } from 'commander';
import { decodeUriKey } from '../protocol/uri-key.ts';

/** `-p, --prefix` of what works on dumps: percent-encoded as in these. Becomes a latin1 string, a character per byte. */
export function storePrefixOption(): Option {
  return new Option('-p, --prefix <prefix>', 'only keys that begin so; percent-encoded, as in a dump')
    .default('', 'all keys')
    .argParser((word) => {
      const prefix = decodeUriKey(word);
      if (prefix === undefined) throw new InvalidArgumentError('Allowed are 1 to 250 bytes, blanks and control bytes as %XX.');
      return prefix.toString('latin1');
    });
}
