import { Op } from '../cache/command.ts';

/** True when the range of `buffer` holds exactly the ASCII text `word`. */
export function isWord(buffer: Buffer, start: number, end: number, word: string): boolean {
  return end - start === word.length && startsWith(buffer, start, end, word);
}

/** True when the range of `buffer` begins with the ASCII text `prefix`. */
export function startsWith(buffer: Buffer, start: number, end: number, prefix: string): boolean {
  if (end - start < prefix.length) {
    return false;
  }
  for (let i = 0; i < prefix.length; i++) {
    if (buffer[start + i] !== prefix.charCodeAt(i)) {
      return false;
    }
  }
  return true;
}

/** Finds the command that a command word means; Op.refused for an unknown one. Words are lower case and exact. */
export function lookUpCommand(buffer: Buffer, start: number, end: number): Op {
  // The first byte leaves at most a few words to compare.
  switch (buffer[start]) {
    case 0x67: // g
      if (isWord(buffer, start, end, 'get')) return Op.get;
      if (isWord(buffer, start, end, 'gets')) return Op.gets;
      if (isWord(buffer, start, end, 'gat')) return Op.gat;
      if (isWord(buffer, start, end, 'gats')) return Op.gats;
      return Op.refused;
    case 0x73: // s
      if (isWord(buffer, start, end, 'set')) return Op.set;
      if (isWord(buffer, start, end, 'stats')) return Op.stats;
      if (isWord(buffer, start, end, 'sync')) return Op.sync;
      if (isWord(buffer, start, end, 'shutdown')) return Op.admin;
      if (isWord(buffer, start, end, 'slabs')) return Op.admin;
      return Op.refused;
    case 0x61: // a
      if (isWord(buffer, start, end, 'add')) return Op.add;
      if (isWord(buffer, start, end, 'append')) return Op.append;
      return Op.refused;
    case 0x64: // d
      if (isWord(buffer, start, end, 'delete')) return Op.delete;
      if (isWord(buffer, start, end, 'decr')) return Op.decr;
      return Op.refused;
    case 0x69: // i
      if (isWord(buffer, start, end, 'incr')) return Op.incr;
      return Op.refused;
    case 0x63: // c
      if (isWord(buffer, start, end, 'cas')) return Op.cas;
      if (isWord(buffer, start, end, 'cache_memlimit')) return Op.admin;
      return Op.refused;
    case 0x74: // t
      if (isWord(buffer, start, end, 'touch')) return Op.touch;
      return Op.refused;
    case 0x72: // r
      if (isWord(buffer, start, end, 'replace')) return Op.replace;
      if (isWord(buffer, start, end, 'refresh_certs')) return Op.admin;
      return Op.refused;
    case 0x70: // p
      if (isWord(buffer, start, end, 'prepend')) return Op.prepend;
      return Op.refused;
    case 0x76: // v
      if (isWord(buffer, start, end, 'version')) return Op.version;
      if (isWord(buffer, start, end, 'verbosity')) return Op.verbosity;
      return Op.refused;
    case 0x6d: // m
      if (isWord(buffer, start, end, 'mg')) return Op.mg;
      if (isWord(buffer, start, end, 'ms')) return Op.ms;
      if (isWord(buffer, start, end, 'md')) return Op.md;
      if (isWord(buffer, start, end, 'ma')) return Op.ma;
      if (isWord(buffer, start, end, 'me')) return Op.me;
      if (isWord(buffer, start, end, 'mn')) return Op.mn;
      return Op.refused;
    case 0x66: // f
      if (isWord(buffer, start, end, 'flush_all')) return Op.flush_all;
      return Op.refused;
    case 0x71: // q
      if (isWord(buffer, start, end, 'quit')) return Op.quit;
      return Op.refused;
    case 0x65: // e
      if (isWord(buffer, start, end, 'expire')) return Op.expire;
      return Op.refused;
    case 0x6c: // l
      if (isWord(buffer, start, end, 'lru_crawler')) return Op.admin;
      if (isWord(buffer, start, end, 'lru')) return Op.admin;
      return Op.refused;
    case 0x77: // w
      if (isWord(buffer, start, end, 'watch')) return Op.admin;
      return Op.refused;
    default:
      return Op.refused;
  }
}
