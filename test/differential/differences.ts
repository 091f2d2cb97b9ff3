/** A way in which replies are meant to differ from those of memcached 1.6.18. */
export interface Difference {
  /** Why tugela-ts answers otherwise. */
  readonly reason: string;
  /** What memcached 1.6.18 answers; checked too, so that a newer one is noticed. */
  readonly memcached: RegExp;
  readonly tugela: RegExp;
}

const BAD_LINE = 'CLIENT_ERROR bad command line format\\r\\n';

const STATISTICS = /^(81 op 10 type 00 status 00 opaque 0 cas 0 extras {2}key \S+ value .*\n)*81 op 10 type 00 status 00 opaque 0 cas 0 extras {2}key {2}value \n$/;

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
  newerFlags: {
    reason: 'The flags E, a cas unique for the item, and x came after 1.6.18, which refuses the command; newer commands overlook x but for md.',
    memcached: /^CLIENT_ERROR invalid( or duplicate)? flag\r\n$/,
    tugela: /^(HD.*|EN|NF|NS|EX|VA .*|CLIENT_ERROR cannot increment or decrement non-numeric value)\r\n$/s,
  },
  newerFlagsOfMd: {
    reason: 'The flags E and x of md came after 1.6.18, which refuses the command.',
    memcached: /^CLIENT_ERROR invalid or duplicate flag\r\n$/,
    tugela: /^((HD|NF)( ka)?\r\n)?$/,
  },
  unchanged: {
    reason: 'mg with C, which newer versions answer without the value if the item has this cas unique; 1.6.18 overlooks C.',
    memcached: /^(VA (\d+) s\2.*|EN)\r\n$/s,
    tugela: /^(HD s\d+.*|VA (\d+) s\2.*|EN)\r\n$/s,
  },
  sizeOfStored: {
    reason: 'ms tells the size with s in newer versions.',
    memcached: /^HD\r\n$/,
    tugela: /^HD s2\r\n$/,
  },
  appendVivify: {
    reason: 'ms with N makes an item that append or prepend miss, in newer versions.',
    memcached: /^NS\r\n$/,
    tugela: /^HD\r\n$/,
  },
  quietVivify: {
    reason: 'q hides the HD of ma for a number that N made, as other HDs, in newer versions.',
    memcached: /^HD\r\n$/,
    tugela: /^$/,
  },
  modeLength: {
    reason: 'Of the token of M newer versions look at the first character alone.',
    memcached: /^CLIENT_ERROR incorrect length for M token\r\n$/,
    tugela: /^(HD|NS|CLIENT_ERROR invalid mode for ms M token)\r\n$/,
  },
  modeLengthOfMa: {
    reason: 'As above, and ma calls every fault of its flags the same.',
    memcached: /^CLIENT_ERROR invalid or duplicate flag\r\n$/,
    tugela: /^(HD|CLIENT_ERROR cannot increment or decrement non-numeric value)\r\n$/,
  },
  tooManyFlags: {
    reason: 'More than 20 words: newer versions have one text for all commands, and skip the data of ms.',
    memcached: /^CLIENT_ERROR options flags too long\r\n(ERROR\r\n)?$/,
    tugela: /^CLIENT_ERROR (options flags are too long|invalid or duplicate flag)\r\n$/,
  },
  punctuation: {
    reason: 'A flag that begins with neither a letter nor a digit makes the line a bad one in newer versions, whatever the command.',
    memcached: /^CLIENT_ERROR (invalid flag|duplicate flag|invalid or duplicate flag)\r\n$/,
    tugela: exactly(BAD_LINE),
  },
  faultsOfMd: {
    reason: 'Newer versions say of md what is wrong with its flags; 1.6.18 has one text for all.',
    memcached: /^CLIENT_ERROR invalid or duplicate flag\r\n$/,
    tugela: exactly(`CLIENT_ERROR (invalid flag|duplicate flag|bad token in command line format|bad command line format|error decoding key)\\r\\n`),
  },
  longKeyOfMa: {
    reason: 'A key that is too long counts as a fault of the flags in newer versions, for which ma has one text.',
    memcached: exactly(BAD_LINE),
    tugela: /^CLIENT_ERROR invalid or duplicate flag\r\n$/,
  },
  strictToken: {
    reason: 'Tokens are bare digits that fit their type in newer versions; 1.6.18 takes what strtol takes, and cuts it to 32 bits.',
    memcached: /^(HD.*|EN|NF|NS|EX|CLIENT_ERROR cannot increment or decrement non-numeric value)\r\n$/,
    tugela: exactly(`CLIENT_ERROR (bad token in command line format|bad command line format|invalid numeric delta value|invalid or duplicate flag)\\r\\n`),
  },
  statistics: {
    reason: 'Each program has its own statistics, a packet for each and an empty one behind.',
    memcached: STATISTICS,
    tugela: STATISTICS,
  },
  binaryVersion: {
    reason: 'Each program tells its own version.',
    memcached: /^81 op 0b type 00 status 00 opaque \d+ cas 0 extras {2}key {2}value 1\.6\.\S+\n$/,
    tugela: /^81 op 0b type 00 status 00 opaque \d+ cas 0 extras {2}key {2}value 1\.6\.\S+\n$/,
  },
} as const satisfies Record<string, Difference>;

export type DifferenceName = keyof typeof differences;

/** What the sequences leave out, because the outcome in memcached is an accident or hangs on the time of day. */
export const leftOut: readonly string[] = [
  'incr and decr of a number in front of a large text: memcached refuses items that it stores in pieces, whose size follows from -I',
  'what follows when incr or ma lengthens the number of an item that is stale or won: memcached then stores it anew, without' +
    ' the marks that it keeps when the number fits in place; here arithmetic leaves them in both cases',
  'ma with T that lengthens the number: memcached gives the time to live to the item that it has just replaced',
  'exptimes of a few seconds: the clocks of two servers do not tick together (other tests cover them)',
  'incr and decr on a value of blanks alone: memcached reads on behind the value and finds whatever was there',
  'incr and decr in the same packet as a get of that key: memcached then still holds the old item and stores the new ' +
    'number without padding; here they wait for earlier replies',
  'a get with an over-long key behind other commands in the same packet: 1.6.18 loses the replies to those',
  'the counters after a get with an over-long key, and gat with keys before one: memcached looks those up, and touches ' +
    'them, before it refuses the command',
  'refused packets that arrive in pieces: memcached waits for their key, here their header is enough, and the reply may get lost' +
    ' when more arrives behind the close',
  'the counters after mg with an opaque token that is too long: memcached finds that out while it writes the reply',
  'the counters after a refused flush_all: memcached counts it in cmd_flush',
  'a delayed flush_all behind an immediate one: memcached has one flush time, so what was flushed comes back if nobody ' +
    'asked for it in between; it stays flushed here',
  'lines of 2 to 16 KB of other commands than get and gets: whether they are too long hangs on how their bytes arrive',
  'mn ended by LF alone: one of the lines that are too short to newer versions',
  'commands of administration and the answers of stats, but for the counters of commands',
];

/** What is shown alike before replies are compared. */
export const shownAlike: readonly string[] = [
  'cas uniques: by the rank of their appearance, as servers count differently',
  'times to live (t, exp): rounded, as clocks do not tick together; seconds since the last access (l, la): left out for the same reason',
  'the time to live that me tells (exp): 1.6.18 has its sign wrong, newer versions do not, and both print it as a signed number' +
    ' when it is one of decades',
  'a time that is past: memcached shows the seconds since as an unsigned number; here it is 0',
  'slab classes (cls): there are none here',
  'k of mg, and the key of me: memcached shows base64 if the item was made so and not appended to or lengthened by incr ' +
    'since; here also to who sends base64, as other bytes may break the line, and appending changes nothing',
  'h and fetch with little memory or after a restart: kept in a table of fixed size, so that reads cost no disk writes',
];

function exactly(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`);
}
