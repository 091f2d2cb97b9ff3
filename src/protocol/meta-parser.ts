import { type Command, type MetaMode, Op } from '../cache/command.ts';
import { parseI32, parseU32, parseU64 } from '../numbers.ts';
import { decodeBase64Key, encodeBase64Key } from './base64-key.ts';
import { isWord } from './command-word.ts';
import { KEY_MAX_LENGTH, VALUE_LENGTH_MAX } from './limits.ts';
import { Refusal } from './lines.ts';

/*
 * The meta commands (protocol.txt, "Meta Commands"; docs/protocol.md):
 *
 *   line    = 'mg' KEY { flag }  |  'ms' KEY LENGTH { flag }  |  'md' KEY { flag }  |  'ma' KEY { flag }
 *           | 'me' KEY { word }
 *   flag    = letter [ token ]                           no space between the two
 *   letter  = b c f h k l q s t u v x I                  a token is overlooked
 *           | N R T                                      signed 32 bit
 *           | F                                          unsigned 32 bit
 *           | C D E J                                    unsigned 64 bit
 *           | M                                          its first character counts
 *           | O                                          up to 31 bytes
 *           | L P                                        for proxies, overlooked
 *
 * Every command takes all letters, and overlooks those that mean nothing to it.
 */

/** Refusals that only meta commands know, without CRLF. */
export const MetaRefusal = {
  invalidFlag: 'CLIENT_ERROR invalid flag',
  duplicateFlag: 'CLIENT_ERROR duplicate flag',
  // Of ma, whatever was wrong.
  invalidOrDuplicateFlag: 'CLIENT_ERROR invalid or duplicate flag',
  badToken: 'CLIENT_ERROR bad token in command line format',
  badInitial: 'CLIENT_ERROR invalid numeric initial value',
  badDelta: 'CLIENT_ERROR invalid numeric delta value',
  tooManyWords: 'CLIENT_ERROR options flags are too long',
  opaqueTooLong: 'CLIENT_ERROR opaque token too long',
  badBase64: 'CLIENT_ERROR error decoding key',
  badSetMode: 'CLIENT_ERROR invalid mode for ms M token',
  badArithmeticMode: 'CLIENT_ERROR invalid mode for ma M token',
} as const;

/** Most words of a line, the command word included. */
const WORDS_MAX = 20;

/** Memcached splits off no more words than this, and so looks at the first bytes of no more. */
const WORDS_SPLIT_MAX = 23;

/** Longest O token, without its letter. */
const OPAQUE_MAX_LENGTH = 31;

/** What modeLetter() finds when there is no M: no byte. */
const NO_MODE = -1;

/**
 * Fills `command`, whose op is a meta command and whose keys are the words after the command word. Returns why the
 * line is refused, or ''; `command.skip` then tells how many bytes after the line belong to it.
 *
 * Leaves one key; after `b` it is the decoded one, in a buffer of its own that `command.buffer` then is. For ms,
 * `length` is set, and `flags` and `exptime` are what F and T say.
 */
export function parseMeta(command: Command): string {
  command.skip = 0;
  command.meta.reset();
  const isSet = command.op === Op.ms;
  const firstFlag = isSet ? 2 : 1;
  if (command.keyCount < firstFlag) {
    return Refusal.badLineFormat;
  }
  if (isSet) {
    const length = parseI32(command.buffer, wordStart(command, 1), wordEnd(command, 1));
    if (length === undefined || length < 0 || length > VALUE_LENGTH_MAX) {
      return Refusal.badLineFormat;
    }
    command.length = length;
    command.skip = length + 2;
  }
  if (hasNoLetter(command, firstFlag)) {
    return Refusal.badLineFormat;
  }
  const refusal = command.op === Op.me ? parseDebug(command) : parseFlags(command, firstFlag);
  command.keyCount = 1;
  return refusal;
}

/** Memcached refuses words that begin with neither a letter nor a digit before it looks at anything else. */
function hasNoLetter(command: Command, firstFlag: number): boolean {
  const count = Math.min(command.keyCount, WORDS_SPLIT_MAX - 1);
  for (let i = firstFlag; i < count; i++) {
    const byte = command.buffer[wordStart(command, i)] ?? 0;
    // Between the capitals and the small letters there are six marks that pass here and are invalid flags later.
    if (!(byte >= 0x41 && byte <= 0x7a) && !(byte >= 0x30 && byte <= 0x39)) {
      return true;
    }
  }
  return false;
}

function parseDebug(command: Command): string {
  if (isLongKey(command)) {
    return Refusal.badLineFormat;
  }
  // Memcached honours b only if one more word follows it, which no client expects. Other words mean nothing.
  for (let i = 1; i < command.keyCount; i++) {
    if (isWord(command.buffer, wordStart(command, i), wordEnd(command, i), 'b')) {
      const decoded = decodeBase64Key(command.buffer, wordStart(command, 0), wordEnd(command, 0));
      command.meta.base64 = true;
      takeKey(command, decoded, true);
      return decoded === undefined ? Refusal.badLineFormat : '';
    }
  }
  takeKey(command, undefined, true);
  return '';
}

function parseFlags(command: Command, firstFlag: number): string {
  const { meta, op } = command;
  // The words are gone once the key is a decoded one.
  const letter = op === Op.ms || op === Op.ma ? modeLetter(command, firstFlag) : NO_MODE;
  const fault = readFlags(command, firstFlag);
  if (fault !== '') {
    return op === Op.ma ? MetaRefusal.invalidOrDuplicateFlag : fault;
  }
  if (op === Op.ms || op === Op.ma) {
    const mode = op === Op.ms ? setMode(letter) : arithmeticMode(letter);
    if (mode === undefined) {
      return op === Op.ms ? MetaRefusal.badSetMode : MetaRefusal.badArithmeticMode;
    }
    meta.mode = mode;
  }
  // Memcached finds this out while it writes the reply, when all is done already.
  if (meta.opaque.length > OPAQUE_MAX_LENGTH) {
    return MetaRefusal.opaqueTooLong;
  }
  if (op === Op.ms) {
    command.flags = meta.clientFlags;
    command.exptime = meta.ttl ?? 0;
  }
  return '';
}

/**
 * Reads all flags into `command.meta`, and makes the key the decoded one after b. Returns what is wrong with them, or
 * ''. Bad tokens do not end the search: as with memcached, the last fault is the one that the client hears of.
 */
function readFlags(command: Command, firstFlag: number): string {
  if (isLongKey(command)) {
    return Refusal.badLineFormat;
  }
  if (command.keyCount + 1 > WORDS_MAX) {
    return MetaRefusal.tooManyWords;
  }
  const { buffer, meta } = command;
  let fault: string = '';
  let decoded: Buffer | undefined;
  for (let i = firstFlag; i < command.keyCount; i++) {
    if (isRepeated(command, firstFlag, i)) {
      return MetaRefusal.duplicateFlag;
    }
    const start = wordStart(command, i);
    const token = start + 1;
    const end = wordEnd(command, i);
    const letter = buffer[start] ?? 0;
    switch (letter) {
      case 0x62: // b
        decoded = decodeBase64Key(buffer, wordStart(command, 0), wordEnd(command, 0));
        if (decoded === undefined) fault = MetaRefusal.badBase64;
        meta.base64 = true;
        break;
      case 0x63: // c
      case 0x66: // f
      case 0x68: // h
      case 0x6b: // k
      case 0x6c: // l
      case 0x73: // s
        addReturned(command, letter);
        break;
      case 0x74: // t
        addReturned(command, letter);
        meta.ttlSteps += 't';
        break;
      case 0x71: // q
        meta.quiet = true;
        break;
      case 0x75: // u
        meta.noBump = true;
        break;
      case 0x76: // v
        meta.value = true;
        break;
      case 0x78: // x
        meta.clearValue = true;
        break;
      case 0x49: // I
        meta.invalidate = true;
        break;
      case 0x4e: // N
        meta.vivify = parseI32(buffer, token, end);
        if (meta.vivify === undefined) fault = MetaRefusal.badToken;
        meta.ttlSteps += 'N';
        break;
      case 0x52: // R
        meta.recache = parseI32(buffer, token, end);
        if (meta.recache === undefined) fault = MetaRefusal.badToken;
        meta.ttlSteps += 'R';
        break;
      case 0x54: // T
        meta.ttl = parseI32(buffer, token, end);
        if (meta.ttl === undefined) fault = MetaRefusal.badToken;
        meta.ttlSteps += 'T';
        break;
      case 0x43: // C
        meta.compareCas = parseU64(buffer, token, end);
        if (meta.compareCas === undefined) fault = MetaRefusal.badToken;
        break;
      case 0x45: { // E
        const cas = parseU64(buffer, token, end);
        if (cas === undefined) fault = MetaRefusal.badToken;
        meta.newCas = cas === 0 ? undefined : cas;
        break;
      }
      case 0x44: { // D
        const delta = parseU64(buffer, token, end);
        if (delta === undefined) fault = MetaRefusal.badDelta;
        meta.delta = delta ?? 0;
        break;
      }
      case 0x4a: { // J
        const initial = parseU64(buffer, token, end);
        if (initial === undefined) fault = MetaRefusal.badInitial;
        meta.initial = initial ?? 0;
        break;
      }
      case 0x46: { // F
        const flags = parseU32(buffer, token, end);
        // It has no text of its own, and leaves that of an earlier fault.
        if (flags === undefined && fault === '') fault = Refusal.badLineFormat;
        meta.clientFlags = flags ?? 0;
        break;
      }
      case 0x4f: // O
        addReturned(command, letter);
        meta.opaque = buffer.toString('latin1', token, end);
        break;
      case 0x4c: // L
      case 0x4d: // M
      case 0x50: // P
        break;
      default:
        return MetaRefusal.invalidFlag;
    }
  }
  if (fault === '') {
    takeKey(command, decoded, meta.returns.includes('k'));
  }
  return fault;
}

/** Notes a flag that the reply is to repeat, if the command repeats it. */
function addReturned(command: Command, letter: number): void {
  const text = String.fromCharCode(letter);
  if (returnedBy(command.op).includes(text)) {
    command.meta.returns += text;
  }
}

/** The flags that a reply to `op` can repeat. */
function returnedBy(op: Op): string {
  switch (op) {
    case Op.mg:
      return 'cfhklOst';
    case Op.ms:
      return 'ckOs';
    case Op.md:
      return 'kO';
    case Op.ma:
      return 'ckOt';
    default:
      return '';
  }
}

/** True when an earlier flag has the letter of flag `index`. At most 19 flags: no table could be quicker. */
function isRepeated(command: Command, firstFlag: number, index: number): boolean {
  const letter = command.buffer[wordStart(command, index)];
  for (let i = firstFlag; i < index; i++) {
    if (command.buffer[wordStart(command, i)] === letter) {
      return true;
    }
  }
  return false;
}

function setMode(letter: number): MetaMode | undefined {
  switch (letter) {
    case NO_MODE:
    case 0x53: // S
      return 'set';
    case 0x45: // E
      return 'add';
    case 0x52: // R
      return 'replace';
    case 0x41: // A
      return 'append';
    case 0x50: // P
      return 'prepend';
    default:
      return undefined;
  }
}

function arithmeticMode(letter: number): MetaMode | undefined {
  switch (letter) {
    case NO_MODE:
    case 0x49: // I
    case 0x2b: // +
      return 'incr';
    case 0x44: // D
    case 0x2d: // -
      return 'decr';
    default:
      return undefined;
  }
}

/** The first byte of the M token, or of what comes after an empty one; NO_MODE when there is no M. */
function modeLetter(command: Command, firstFlag: number): number {
  for (let i = firstFlag; i < command.keyCount; i++) {
    const start = wordStart(command, i);
    if (command.buffer[start] === 0x4d) {
      // A word is followed by a blank or the end of the line, and neither is a mode.
      return command.buffer[start + 1] ?? 0;
    }
  }
  return NO_MODE;
}

/** Makes the key that of the command: as it was sent, or decoded. `shown` when a reply will show it. */
function takeKey(command: Command, decoded: Buffer | undefined, shown: boolean): void {
  if (decoded !== undefined) {
    command.buffer = decoded;
    command.keyStarts[0] = 0;
    command.keyEnds[0] = decoded.length;
  }
  if (shown) {
    const start = wordStart(command, 0);
    const end = wordEnd(command, 0);
    command.meta.sentKey =
      decoded === undefined ? command.buffer.toString('latin1', start, end) : encodeBase64Key(decoded, start, end);
  }
}

function isLongKey(command: Command): boolean {
  return wordEnd(command, 0) - wordStart(command, 0) > KEY_MAX_LENGTH;
}

function wordStart(command: Command, index: number): number {
  return command.keyStarts[index] ?? 0;
}

function wordEnd(command: Command, index: number): number {
  return command.keyEnds[index] ?? 0;
}
