import { KEY_MAX_LENGTH } from './limits.ts';

const PERCENT = 0x25;
const SPACE = 0x20;
const LF = 0x0a;

/** What each byte becomes: itself for letters, digits and `-._~`, else `%XX` with capital digits. */
const encoded: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[A-Za-z0-9\-._~]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

/** Encodes the key in a range of `buffer` as memcached's metadump and watch lines do. */
export function encodeUriKey(buffer: Buffer, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) {
    text += encoded[buffer[i] ?? 0] ?? '';
  }
  return text;
}

/** The same for a key that is a latin1 string. */
export function encodeUriText(key: string): string {
  return key.replaceAll(/[^A-Za-z0-9\-._~]/g, (character) => encoded[character.charCodeAt(0)] ?? '');
}

/**
 * Decodes what encodeUriKey wrote. Takes small hex digits and bytes that need not be bare too.
 *
 * Returns undefined for a malformed text, a bare blank or LF among it, and for what cannot be a key: nothing, or
 * more than 250 bytes. Encoded, any byte may be in it: keys of the binary protocol are not held to lines of text.
 */
export function decodeUriKey(text: string): Buffer | undefined {
  // Longer texts cannot fit, and the buffer below should stay small.
  if (text.length > KEY_MAX_LENGTH * 3) {
    return undefined;
  }
  const key = Buffer.alloc(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    let byte = text.charCodeAt(i);
    if (byte === SPACE || byte === LF) {
      return undefined;
    }
    if (byte === PERCENT) {
      byte = hexDigit(text.charCodeAt(i + 1)) * 16 + hexDigit(text.charCodeAt(i + 2));
      i += 2;
    }
    // NaN, from a bad or missing digit, is not <= 0xff either.
    if (!(byte <= 0xff)) {
      return undefined;
    }
    key[length] = byte;
    length++;
  }
  return length === 0 || length > KEY_MAX_LENGTH ? undefined : key.subarray(0, length);
}

function hexDigit(character: number): number {
  if (character >= 0x30 && character <= 0x39) {
    return character - 0x30;
  }
  const letter = character | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN;
}
