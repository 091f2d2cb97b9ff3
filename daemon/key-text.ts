import { encodeUriKey } from '../src/protocol/uri-key.ts';

/** A key as the control commands and notes for people write it: all but `A-Za-z0-9-._~` as `%XX`. */
export function keyText(key: Buffer): string {
  return encodeUriKey(key, 0, key.length);
}
