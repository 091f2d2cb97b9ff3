const PADDING = 0x3d;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const NO_DIGIT = 0xff;

/** The six bits that each byte stands for; `=` counts as 0. */
const digits: Uint8Array = new Uint8Array(256).fill(NO_DIGIT);
for (let i = 0; i < ALPHABET.length; i++) {
  digits[ALPHABET.charCodeAt(i)] = i;
}
digits[PADDING] = 0;

/**
 * Decodes the base64 in a range of `buffer` to new memory. Returns undefined when it stands for no key.
 *
 * As memcached does, it takes whole groups of four only, overlooks bytes that are not base64, and ends at padding.
 */
export function decodeBase64Key(buffer: Buffer, start: number, end: number): Buffer | undefined {
  let count = 0;
  for (let i = start; i < end; i++) {
    if (digits[buffer[i] ?? 0] !== NO_DIGIT) {
      count++;
    }
  }
  if (count === 0 || count % 4 !== 0) {
    return undefined;
  }
  const key = Buffer.allocUnsafe((count / 4) * 3);
  let length = 0;
  let group = 0;
  let padding = 0;
  count = 0;
  for (let i = start; i < end; i++) {
    const byte = buffer[i] ?? 0;
    const digit = digits[byte] ?? NO_DIGIT;
    if (digit === NO_DIGIT) {
      continue;
    }
    if (byte === PADDING) {
      padding++;
    }
    group = (group << 6) | digit;
    count++;
    if (count % 4 !== 0) {
      continue;
    }
    key[length] = group >> 16;
    key[length + 1] = group >> 8;
    key[length + 2] = group;
    length += 3;
    group = 0;
    if (padding > 0) {
      return padding > 2 ? undefined : key.subarray(0, length - padding);
    }
  }
  return key.subarray(0, length);
}

/** Encodes a range of `buffer` in base64, with padding. */
export function encodeBase64Key(buffer: Buffer, start: number, end: number): string {
  return buffer.toString('base64', start, end);
}
