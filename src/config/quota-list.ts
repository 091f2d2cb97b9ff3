import type { QuotaConfig } from '../config.ts';
import { byteSize, type ValueType } from './value-type.ts';

/** Bytes of the smallest and largest quota: below, a few dozen items more or less would be all there is. */
const QUOTA_MIN = 64 * 1024;
const QUOTA_MAX = 1024 ** 5;
/** memcached's longest key. */
const PREFIX_MAX = 250;
/** Each has a row on disk and lines in stats. */
const QUOTAS_MAX = 10_000;

const size = byteSize(QUOTA_MIN, QUOTA_MAX);
const ALLOWED = `PREFIX=SIZE, with a prefix of 1 to ${PREFIX_MAX} bytes, where %XX stands for any byte, and ${size.allowed}`;

/** Quotas, `PREFIX=SIZE` each; the last `=` counts. `none` alone is the empty list. */
export function quotaList(): ValueType<readonly QuotaConfig[]> {
  return {
    allowed: `${ALLOWED}; several with commas or repeated; or none`,
    json: ['string', 'array'],
    list: true,
    parse(value) {
      const words = value.split(',').map((word) => word.trim());
      if (words.length === 1 && (words[0] === '' || words[0] === 'none')) return { ok: true, value: [] };
      if (words.length > QUOTAS_MAX) return { ok: false, problem: `${words.length} quotas are more than ${QUOTAS_MAX}` };
      const quotas = new Map<string, QuotaConfig>();
      for (const word of words) {
        const quota = parseQuota(word);
        if (typeof quota === 'string') return { ok: false, problem: quota };
        if (quotas.has(quota.prefix)) return { ok: false, problem: `'${word}' is for a prefix that has a quota already` };
        quotas.set(quota.prefix, quota);
      }
      return { ok: true, value: [...quotas.values()] };
    },
  };
}

/** The quota, or what is wrong with the word. */
function parseQuota(word: string): QuotaConfig | string {
  const at = word.lastIndexOf('=');
  if (at < 0) return `'${word}' is not ${ALLOWED}`;
  const prefix = parsePrefix(word.slice(0, at));
  if (prefix === undefined) return `'${word}' has a % that is not followed by two hexadecimal digits; %25 is a % itself`;
  if (prefix.length === 0) return `'${word}' has no prefix; --disk-limit is for all items together`;
  if (prefix.length > PREFIX_MAX) return `'${word}' has a prefix of ${prefix.length} bytes, and no key has more than ${PREFIX_MAX}`;
  const parsed = size.parse(word.slice(at + 1));
  return parsed.ok ? { prefix, bytes: parsed.value } : `'${word}' has a size that is not ${size.allowed}`;
}

/** The bytes of a prefix, in UTF-8, as a latin1 string; undefined when it has a bad escape. */
function parsePrefix(text: string): string | undefined {
  if (/%(?![\da-f]{2})/i.test(text)) return undefined;
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replaceAll(/%([\da-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
