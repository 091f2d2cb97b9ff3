/** A way in which replies are meant to differ from those of memcached 1.6.18. */
export interface Difference {
  /** Why tugela-ts answers otherwise. */
  readonly reason: string;
  /** What memcached 1.6.18 answers; checked too, so that a newer one is noticed. */
  readonly memcached: RegExp;
  readonly tugela: RegExp;
}

const BAD_LINE = 'CLIENT_ERROR bad command line format\\r\\n';

/**
 * All intended differences. Everything else must be equal byte for byte.
 *
 * The replies are those to one step: a command, its data block, and for commands that only one of the two servers
 * carries out a `delete KEY noreply` that makes the items equal again.
 */
export const differences = {
  shortLine: {
    reason: 'A line of fewer than four bytes: newer versions (1.6.45) say what is wrong with it.',
    memcached: /^ERROR\r\n$/,
    tugela: exactly(BAD_LINE),
  },
  missingWords: {
    reason: 'Too few words: newer versions say so; 1.6.18 calls the command unknown, and answers gat without a key END.',
    memcached: /^((ERROR|END)\r\n)?$/,
    tugela: exactly(BAD_LINE),
  },
  badLengthNoreply: {
    reason: 'A store whose length is no length is refused aloud in newer versions, noreply or not: its data block earns errors of its own.',
    memcached: /^ERROR\r\n$/,
    tugela: exactly(`${BAD_LINE}ERROR\\r\\n`),
  },
  skippedData: {
    reason:
      'A store with a bad key, flags, exptime or cas unique: newer versions skip its data block, whose length is known; ' +
      '1.6.18 takes the data for commands.',
    memcached: exactly(`(${BAD_LINE}|ERROR\\r\\n)?ERROR\\r\\n`),
    tugela: exactly(`(${BAD_LINE})?`),
  },
  extraWords: {
    reason: 'More words than a command has: newer versions overlook them; 1.6.18 refuses some.',
    memcached: /^(ERROR\r\n){1,2}$/,
    tugela: /^((STORED|NOT_STORED|NOT_FOUND|EXISTS|TOUCHED|OK|\d+|CLIENT_ERROR cannot .*)\r\n)?$/,
  },
  extraDeleteWords: {
    reason: 'delete with more words than a key, 0 and noreply is refused with the text of its usage, however many they are.',
    memcached: /^ERROR\r\n$/,
    tugela: /^(CLIENT_ERROR bad command line format\. {2}Usage: delete <key> \[noreply\]\r\n)?$/,
  },
  silentErrors: {
    reason: 'noreply as the last word of any line silences its errors in newer versions, unknown commands and get included.',
    memcached: exactly(`(ERROR\\r\\n|${BAD_LINE})`),
    tugela: /^$/,
  },
  keyCalledNoreply: {
    reason: 'delete of a key called noreply is silent in newer versions.',
    memcached: /^(DELETED|NOT_FOUND)\r\n$/,
    tugela: /^$/,
  },
  leadingBlank: {
    reason: 'A command begins in the first column in newer versions; 1.6.18 overlooks blanks before it.',
    memcached: /END\r\n$/,
    tugela: /^ERROR\r\n$/,
  },
  strictNumber: {
    reason:
      'Lengths, cas uniques, deltas and the exptime of touch, gat and flush_all are bare digits that fit their type in ' +
      'newer versions; 1.6.18 takes what strtol takes, with blanks and + before, and cuts it to 32 bits.',
    memcached: /^(?!CLIENT_ERROR invalid)/,
    tugela: exactly(`(CLIENT_ERROR (invalid exptime|invalid numeric delta) argument\\r\\n|${BAD_LINE}|${BAD_LINE}ERROR\\r\\n)`),
  },
  nulInKey: {
    reason: 'A NUL is a byte of a key like others; 1.6.18 ends the line there.',
    memcached: /(END|ERROR)\r\n$/,
    tugela: /^END\r\n$/,
  },
  version: {
    reason: 'Each program tells its own version.',
    memcached: /^VERSION \S+\r\n$/,
    tugela: /^VERSION \S+\r\n$/,
  },
} as const satisfies Record<string, Difference>;

export type DifferenceName = keyof typeof differences;

/** What the sequences leave out, because the outcome in memcached is an accident or hangs on the time of day. */
export const leftOut: readonly string[] = [
  'incr and decr of a number in front of a large text: memcached refuses items that it stores in pieces, whose size follows from -I',
  'exptimes of a few seconds: the clocks of two servers do not tick together (other tests cover them)',
  'incr and decr on a value of blanks alone: memcached reads on behind the value and finds whatever was there',
  'incr and decr in the same packet as a get of that key: memcached then still holds the old item and stores the new ' +
    'number without padding; here they wait for earlier replies',
  'a get with an over-long key behind other commands in the same packet: 1.6.18 loses the replies to those',
  'the counters after a get with an over-long key, and gat with keys before one: memcached looks those up, and touches ' +
    'them, before it refuses the command',
  'the counters after a refused flush_all: memcached counts it in cmd_flush',
  'a delayed flush_all behind an immediate one: memcached has one flush time, so what was flushed comes back if nobody ' +
    'asked for it in between; it stays flushed here',
  'lines of 2 to 16 KB of other commands than get and gets: whether they are too long hangs on how their bytes arrive',
  'mn ended by LF alone: one of the lines that are too short to newer versions',
  'commands of administration and the answers of stats, but for the counters of commands',
];

function exactly(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`);
}
