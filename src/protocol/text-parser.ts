import { Command, hasDataBlock, Op } from '../cache/command.ts';
import { isWord, lookUpCommand, startsWith } from './command-word.ts';
import { CONTROL_LINE_MAX, GET_LINE_MAX, KEY_MAX_LENGTH, LINE_MAX, VALUE_LENGTH_MAX } from './limits.ts';
import { Refusal } from './lines.ts';
import { parseMeta } from './meta-parser.ts';
import { parseI32, parseLooseExptime, parseLooseFlags, parseU32, parseU64 } from '../numbers.ts';

/*
 * The text protocol (protocol.txt, docs/protocol.md):
 *
 *   line    = word { ' '+ word } ' '* [CR] LF        the first word begins in the first column
 *   word    = any bytes but ' ' and LF
 *
 *   set|add|replace|append|prepend KEY FLAGS EXPTIME LENGTH [noreply]     + LENGTH bytes + CRLF
 *   cas KEY FLAGS EXPTIME LENGTH CASID [noreply]                          + LENGTH bytes + CRLF
 *   get|gets KEY+         gat|gats EXPTIME KEY+
 *   incr|decr KEY DELTA [noreply]     touch KEY EXPTIME [noreply]     delete KEY [0] [noreply]
 *   flush_all [EXPTIME] [noreply]     verbosity LEVEL [noreply]       version  quit  mn
 *   stats WORD*     expire WORD*      sync [noreply]
 *   shutdown|cache_memlimit|refresh_certs|slabs|lru|lru_crawler|watch WORD*          (administration)
 *   mg|md|ma|me KEY FLAG*             ms KEY LENGTH FLAG*     + LENGTH bytes + CRLF      (meta-parser.ts)
 *
 * `noreply` is the last word of a line; words that no command asks for are overlooked.
 * Meta commands know no noreply.
 */

/** What parseLine returns when the line is not complete yet. */
export const NEED_MORE = 0;

const SPACE = 0x20;
const LF = 0x0a;
const CR = 0x0d;

/** Memcached refuses shorter lines, their end included, before it looks at them. */
const LINE_MIN = 4;

/** A command keeps the ranges of its words; after a get of more keys than this the memory is given back. */
const KEPT_RANGES_MAX = 4096;

/**
 * Parses one command line of the bytes from `start` to `end`, and fills `command` with it.
 *
 * Returns the bytes of the line, its LF included, or NEED_MORE; then `command` holds nothing of use. The data block
 * of a storage command is not part of the line: `command.length` + 2 bytes follow it. Only the fields that the op
 * uses are set: `words` by stats, expire and administration; `exptime` by storage commands, touch, gat, gats, flush_all (0 when the
 * line has none) and verbosity (the level).
 *
 * A refused line has op Op.refused. Its `skip` says how many bytes after the line are to be swallowed, usually none;
 * with `close` there is nothing more to read.
 *
 * `scanFrom` is where to look for the LF: `start`, or the `end` of an earlier call that returned NEED_MORE.
 *
 * REQUIRES: start <= scanFrom <= end <= buffer.length
 */
export function parseLine(buffer: Buffer, start: number, end: number, scanFrom: number, command: Command): number {
  // A line that begins here is split into words while its LF is being looked for. One that was incomplete before is
  // split only once the LF is there, or a long line in small pieces would take quadratic time.
  if (scanFrom > start && !hasLineFeed(buffer, scanFrom, end)) {
    return refuseOverlong(buffer, start, end, command);
  }
  let wordEnd = start;
  while (wordEnd < end && buffer[wordEnd] !== SPACE && buffer[wordEnd] !== LF) {
    wordEnd++;
  }
  const lineFeed = splitWords(buffer, wordEnd, end, command);
  if (lineFeed < 0) {
    return refuseOverlong(buffer, start, end, command);
  }
  if (wordEnd === lineFeed && wordEnd > start && buffer[wordEnd - 1] === CR) {
    wordEnd--;
  }
  const consumed = lineFeed + 1 - start;
  if (consumed < LINE_MIN) {
    refuse(command, Refusal.badLineFormat);
    return consumed;
  }
  const op = lookUpCommand(buffer, start, wordEnd);
  command.op = op;
  command.noreply = false;
  command.buffer = buffer;
  switch (op) {
    case Op.get:
    case Op.gets:
      fillGet(command);
      break;
    case Op.gat:
    case Op.gats:
      fillGetAndTouch(command);
      break;
    case Op.set:
    case Op.add:
    case Op.replace:
    case Op.append:
    case Op.prepend:
    case Op.cas:
      fillStorage(command, lineFeed);
      break;
    case Op.incr:
    case Op.decr:
      fillArithmetic(command);
      break;
    case Op.delete:
      fillDelete(command);
      break;
    case Op.touch:
      fillTouch(command);
      break;
    case Op.flush_all:
      fillFlushAll(command);
      break;
    case Op.verbosity:
      fillVerbosity(command);
      break;
    case Op.sync:
      fillSync(command);
      break;
    case Op.stats:
    case Op.expire:
      fillWords(command);
      break;
    case Op.admin:
      fillAdministration(command, start, wordEnd);
      break;
    case Op.version:
    case Op.quit:
    case Op.mn:
      command.keyCount = 0;
      break;
    case Op.mg:
    case Op.ms:
    case Op.md:
    case Op.ma:
    case Op.me:
      fillMeta(command);
      break;
    case Op.refused:
      refuseUnknown(command, start, wordEnd);
      break;
  }
  return consumed;
}

/**
 * Looks ahead over the complete commands in the bytes from `start` to `end`, and reports their keys so that they can
 * be fetched together. Keys that were sent in base64 are left out: they do not lie in `buffer`. Stops at quit, at a
 * command that is refused or incomplete (its data block included), and after `limit` keys. Uses a command of its own
 * and so disturbs none that is being executed.
 *
 * REQUIRES: start <= end <= buffer.length
 */
export function peekKeys(
  buffer: Buffer,
  start: number,
  end: number,
  limit: number,
  onKey: (start: number, end: number, op: Op) => void,
): void {
  // A new one each time, so that onKey may look ahead in turn.
  const command = new Command();
  let left = limit;
  let next = start;
  while (left > 0 && next < end) {
    const consumed = parseLine(buffer, next, end, next, command);
    if (consumed === NEED_MORE || command.op === Op.refused || command.op === Op.quit) {
      return;
    }
    next += consumed;
    if (hasDataBlock(command.op)) {
      next += command.length + 2;
      if (next > end) {
        return;
      }
    }
    const count = command.buffer === buffer ? command.keyCount : 0;
    for (let i = 0; i < count && left > 0; i++) {
      left--;
      onKey(command.keyStarts[i] ?? 0, command.keyEnds[i] ?? 0, command.op);
    }
  }
}

function hasLineFeed(buffer: Buffer, start: number, end: number): boolean {
  // Not indexOf: it would search the unused rest of the buffer too.
  for (let i = start; i < end; i++) {
    if (buffer[i] === LF) {
      return true;
    }
  }
  return false;
}

/**
 * Finds the words between the command word and the LF, and leaves them where the keys of the command will be.
 * Returns the offset of the LF, or -1 when there is none before `end`.
 */
function splitWords(buffer: Buffer, from: number, end: number, command: Command): number {
  const starts = command.keyStarts;
  const ends = command.keyEnds;
  if (starts.length > KEPT_RANGES_MAX) {
    starts.length = 0;
    ends.length = 0;
  }
  let count = 0;
  let i = from;
  for (;;) {
    while (i < end && buffer[i] === SPACE) {
      i++;
    }
    if (i >= end) {
      return -1;
    }
    if (buffer[i] === LF) {
      break;
    }
    starts[count] = i;
    while (i < end && buffer[i] !== SPACE && buffer[i] !== LF) {
      i++;
    }
    if (i >= end) {
      return -1;
    }
    ends[count] = i;
    count++;
  }
  if (count > 0 && ends[count - 1] === i && buffer[i - 1] === CR) {
    if (starts[count - 1] === i - 1) {
      count--;
    } else {
      ends[count - 1] = i - 1;
    }
  }
  command.keyCount = count;
  return i;
}

function fillGet(command: Command): void {
  if (command.keyCount === 0) {
    refuse(command, Refusal.badLineFormat);
  } else if (hasLongKey(command)) {
    // `noreply` is a key here, and yet silences the refusal.
    refuseAloud(command, Refusal.badLineFormat, endsWithNoreply(command));
  }
}

function fillGetAndTouch(command: Command): void {
  if (command.keyCount < 2) {
    refuse(command, Refusal.badLineFormat);
    return;
  }
  const { keyStarts, keyEnds } = command;
  const exptime = parseI32(command.buffer, wordStart(command, 0), wordEnd(command, 0));
  if (exptime === undefined) {
    refuse(command, Refusal.badExptime);
    return;
  }
  command.exptime = exptime;
  command.keyCount--;
  for (let i = 0; i < command.keyCount; i++) {
    keyStarts[i] = wordStart(command, i + 1);
    keyEnds[i] = wordEnd(command, i + 1);
  }
  if (hasLongKey(command)) {
    refuse(command, Refusal.badLineFormat);
  }
}

/** Words: key, flags, exptime, length, and for cas the id. */
function fillStorage(command: Command, lineEnd: number): void {
  const buffer = command.buffer;
  // Without a length nothing can be skipped, and memcached has not looked for noreply yet: the data block earns
  // errors of its own.
  const length = command.keyCount < 4 ? undefined : parseI32(buffer, wordStart(command, 3), wordEnd(command, 3));
  if (length === undefined || length < 0 || length > VALUE_LENGTH_MAX) {
    refuse(command, Refusal.badLineFormat);
    return;
  }
  const noreply = endsWithNoreply(command);
  const flags = parseLooseFlags(buffer, wordStart(command, 1), lineEnd);
  const exptime = parseLooseExptime(buffer, wordStart(command, 2), lineEnd);
  const casUnique = command.op === Op.cas ? casWord(command) : 0;
  if (isLongKey(command, 0) || flags === undefined || exptime === undefined || casUnique === undefined) {
    refuse(command, noreply ? '' : Refusal.badLineFormat, length + 2);
    return;
  }
  command.noreply = noreply;
  command.flags = flags;
  command.exptime = exptime;
  command.length = length;
  command.casUnique = casUnique;
  command.keyCount = 1;
}

function casWord(command: Command): Command['casUnique'] | undefined {
  return command.keyCount < 5 ? undefined : parseU64(command.buffer, wordStart(command, 4), wordEnd(command, 4));
}

function fillArithmetic(command: Command): void {
  if (command.keyCount < 2) {
    refuse(command, Refusal.badLineFormat);
    return;
  }
  const noreply = endsWithNoreply(command);
  if (isLongKey(command, 0)) {
    refuseAloud(command, Refusal.badLineFormat, noreply);
    return;
  }
  const delta = parseU64(command.buffer, wordStart(command, 1), wordEnd(command, 1));
  if (delta === undefined) {
    refuseAloud(command, Refusal.badDelta, noreply);
    return;
  }
  command.noreply = noreply;
  command.delta = delta;
  command.keyCount = 1;
}

function fillTouch(command: Command): void {
  if (command.keyCount < 2) {
    refuse(command, Refusal.badLineFormat);
    return;
  }
  const noreply = endsWithNoreply(command);
  if (isLongKey(command, 0)) {
    refuseAloud(command, Refusal.badLineFormat, noreply);
    return;
  }
  const exptime = parseI32(command.buffer, wordStart(command, 1), wordEnd(command, 1));
  if (exptime === undefined) {
    refuseAloud(command, Refusal.badExptime, noreply);
    return;
  }
  command.noreply = noreply;
  command.exptime = exptime;
  command.keyCount = 1;
}

function fillDelete(command: Command): void {
  if (command.keyCount === 0) {
    refuse(command, Refusal.badLineFormat);
    return;
  }
  // The key may be called noreply: then it is both.
  const noreply = endsWithNoreply(command);
  if (isLongKey(command, 0)) {
    refuseAloud(command, Refusal.badLineFormat, noreply);
    return;
  }
  // Old clients send a delay of 0. Memcached 1.6.45 overlooks all further words and earlier ones refused them; a
  // client that sends more than one key had better hear that only one would be deleted.
  let used = 1;
  if (command.keyCount > used && isWord(command.buffer, wordStart(command, 1), wordEnd(command, 1), '0')) {
    used++;
  }
  if (command.keyCount > used && noreply) {
    used++;
  }
  if (command.keyCount > used) {
    refuseAloud(command, Refusal.deleteUsage, noreply);
    return;
  }
  command.noreply = noreply;
  command.keyCount = 1;
}

function fillFlushAll(command: Command): void {
  const noreply = endsWithNoreply(command);
  let exptime: number | undefined = 0;
  if (command.keyCount > (noreply ? 1 : 0)) {
    exptime = parseI32(command.buffer, wordStart(command, 0), wordEnd(command, 0));
  }
  if (exptime === undefined) {
    refuseAloud(command, Refusal.badExptime, noreply);
    return;
  }
  command.noreply = noreply;
  command.exptime = exptime;
  command.keyCount = 0;
}

function fillVerbosity(command: Command): void {
  const noreply = endsWithNoreply(command);
  const level =
    command.keyCount === 0 ? undefined : parseU32(command.buffer, wordStart(command, 0), wordEnd(command, 0));
  if (level === undefined) {
    refuseAloud(command, Refusal.badLineFormat, noreply);
    return;
  }
  command.noreply = noreply;
  command.exptime = level;
  command.keyCount = 0;
}

function fillSync(command: Command): void {
  const noreply = endsWithNoreply(command);
  if (command.keyCount > (noreply ? 1 : 0)) {
    refuseAloud(command, Refusal.badLineFormat, noreply);
    return;
  }
  command.noreply = noreply;
  command.keyCount = 0;
}

function fillWords(command: Command): void {
  const words: string[] = [];
  for (let i = 0; i < command.keyCount; i++) {
    words.push(command.buffer.toString('latin1', wordStart(command, i), wordEnd(command, i)));
  }
  command.words = words;
  command.keyCount = 0;
}

/** Of these commands cache_memlimit alone knows noreply; the others take it for a word of theirs, and are silent. */
function fillAdministration(command: Command, start: number, end: number): void {
  command.noreply = endsWithNoreply(command);
  fillWords(command);
  const word = command.buffer.toString('latin1', start, end);
  if (command.noreply && word === 'cache_memlimit') {
    command.words.pop();
  }
  command.words.unshift(word);
}

function fillMeta(command: Command): void {
  const refusal = parseMeta(command);
  if (refusal !== '') {
    refuse(command, refusal, command.skip);
  }
}

function refuseUnknown(command: Command, start: number, end: number): void {
  const buffer = command.buffer;
  const last = command.keyCount - 1;
  if (last >= 0 && startsWith(buffer, wordStart(command, last), wordEnd(command, last), 'HTTP/')) {
    // A web browser, or someone making one talk to us: what follows are header lines, not commands.
    refuse(command, '', 0, true);
    return;
  }
  refuseAloud(command, Refusal.error, endsWithNoreply(command) || (last < 0 && isWord(buffer, start, end, 'noreply')));
}

/** Called when there is no LF between `start` and `end`. */
function refuseOverlong(buffer: Buffer, start: number, end: number, command: Command): number {
  const length = end - start;
  if (length <= LINE_MAX || length <= longLineMax(buffer, start, end)) {
    return NEED_MORE;
  }
  refuse(command, '', 0, true);
  return length;
}

function longLineMax(buffer: Buffer, start: number, end: number): number {
  if (startsWith(buffer, start, end, 'get ') || startsWith(buffer, start, end, 'gets ')) {
    return GET_LINE_MAX;
  }
  return startsWith(buffer, start, end, 'expire ') ? CONTROL_LINE_MAX : LINE_MAX;
}

function refuseAloud(command: Command, refusal: string, silent: boolean): void {
  refuse(command, silent ? '' : refusal);
}

function refuse(command: Command, refusal: string, skip = 0, close = false): void {
  command.op = Op.refused;
  command.noreply = refusal === '';
  command.keyCount = 0;
  command.refusal = refusal;
  command.skip = skip;
  command.close = close;
}

function wordStart(command: Command, index: number): number {
  return command.keyStarts[index] ?? 0;
}

function wordEnd(command: Command, index: number): number {
  return command.keyEnds[index] ?? 0;
}

function isLongKey(command: Command, index: number): boolean {
  return wordEnd(command, index) - wordStart(command, index) > KEY_MAX_LENGTH;
}

function hasLongKey(command: Command): boolean {
  for (let i = 0; i < command.keyCount; i++) {
    if (isLongKey(command, i)) {
      return true;
    }
  }
  return false;
}

function endsWithNoreply(command: Command): boolean {
  const last = command.keyCount - 1;
  return last >= 0 && isWord(command.buffer, wordStart(command, last), wordEnd(command, last), 'noreply');
}
