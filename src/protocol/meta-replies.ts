import { type MetaFields, type MetaFlags, Op } from '../cache/command.ts';
import type { U64 } from '../item.ts';
import { encodeBase64Key } from './base64-key.ts';
import type { ReplyBuffer } from './reply-buffer.ts';

/** Return codes of meta commands: done, value follows, miss of mg, not found, not stored, exists. */
export type MetaCode = 'HD' | 'VA' | 'EN' | 'NF' | 'NS' | 'EX';

const SPACE = 0x20;

/**
 * Appends the line that answers mg, ms, md or ma: the code, for VA the `length` of the value, the flags that the
 * request wants back, in its order, then Z, X and W (protocol.txt, "Meta Get"). After VA the caller appends the value
 * and its CRLF.
 *
 * Flags whose field is undefined are left out: on a miss only O and k are known. `length` counts for VA alone.
 */
export function metaReply(out: ReplyBuffer, code: MetaCode, meta: MetaFlags, fields: MetaFields, length = 0): void {
  out.ascii(code);
  if (code === 'VA') {
    out.byte(SPACE);
    out.u64(length);
  }
  for (const letter of meta.returns) {
    switch (letter) {
      case 'O':
        out.ascii(' O');
        out.ascii(meta.opaque);
        break;
      case 'k':
        keyFlag(out, meta, fields);
        break;
      case 's':
        numberFlag(out, ' s', fields.size);
        break;
      case 'c':
        numberFlag(out, ' c', fields.cas);
        break;
      case 'f':
        numberFlag(out, ' f', fields.clientFlags);
        break;
      case 'l':
        numberFlag(out, ' l', fields.lastAccess);
        break;
      case 't':
        if (fields.ttl === -1) {
          out.ascii(' t-1');
        } else {
          numberFlag(out, ' t', fields.ttl);
        }
        break;
      case 'h':
        if (fields.fetched !== undefined) {
          out.ascii(fields.fetched ? ' h1' : ' h0');
        }
        break;
    }
  }
  if (fields.winSent) {
    out.ascii(' Z');
  }
  if (fields.stale) {
    out.ascii(' X');
  }
  if (fields.won) {
    out.ascii(' W');
  }
  out.crlf();
}

/**
 * Appends the line that answers me for an item that is there, of `itemSize` bytes all told (protocol.txt, "Meta
 * Debug"). A miss is metaReply() with EN.
 */
export function metaDebugLine(out: ReplyBuffer, meta: MetaFlags, fields: MetaFields, itemSize: number): void {
  out.ascii('ME ');
  out.ascii(shownKey(meta, fields));
  out.ascii(' exp=');
  if (fields.ttl === undefined || fields.ttl === -1) {
    out.ascii('-1');
  } else {
    out.u64(fields.ttl);
  }
  out.ascii(' la=');
  out.u64(fields.lastAccess ?? 0);
  out.ascii(' cas=');
  out.u64(fields.cas ?? 0);
  // There are no slab classes; parsers of this line want a number.
  out.ascii(fields.fetched === true ? ' fetch=yes cls=1 size=' : ' fetch=no cls=1 size=');
  out.u64(itemSize);
  out.crlf();
}

/**
 * True when a reply with this code is not sent to a client that gave the flag q: what is usual for the command. Errors
 * are always sent.
 */
export function isHiddenByQuiet(op: Op, code: MetaCode): boolean {
  switch (op) {
    case Op.mg:
      return code === 'EN';
    case Op.ms:
    case Op.md:
      return code === 'HD';
    case Op.ma:
      return code === 'HD' || code === 'VA';
    default:
      return false;
  }
}

function keyFlag(out: ReplyBuffer, meta: MetaFlags, fields: MetaFields): void {
  out.ascii(' k');
  out.ascii(shownKey(meta, fields));
  if (meta.base64 || fields.base64Key) {
    out.ascii(' b');
  }
}

/** The key as a client can send it. One made in base64 is shown so even to who sent it as it is. */
function shownKey(meta: MetaFlags, fields: MetaFields): string {
  if (meta.base64 || !fields.base64Key) {
    return meta.sentKey;
  }
  const key = Buffer.from(meta.sentKey, 'latin1');
  return encodeBase64Key(key, 0, key.length);
}

function numberFlag(out: ReplyBuffer, flag: string, value: U64 | undefined): void {
  if (value !== undefined) {
    out.ascii(flag);
    out.u64(value);
  }
}
