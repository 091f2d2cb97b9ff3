import * as fc from 'fast-check';
import { anyValue, differs, FLAGS_OVERHEAD, ITEM_OVERHEAD, KEYS, lengthOf, LONG_KEYS, RAW_KEYS, step, thenDelete } from './text-commands.ts';
import type { Piece, Step } from './sequence.ts';

/** A word of a command line: a flag with its token. */
type Word = readonly Piece[];

/** A key, and how it is sent. */
interface SentKey {
  readonly key: string;
  readonly sent: string;
  readonly isBase64: boolean;
}

const plainKey: fc.Arbitrary<SentKey> = fc
  .oneof({ weight: 5, arbitrary: fc.constantFrom('a', 'b') }, { weight: 3, arbitrary: fc.constantFrom(...KEYS) })
  .map((key) => ({ key, sent: key, isBase64: false }));
const base64Key: fc.Arbitrary<SentKey> = fc
  .constantFrom('a', 'b', 'c', ...RAW_KEYS)
  .map((key) => ({ key, sent: Buffer.from(key, 'latin1').toString('base64'), isBase64: true }));
const key = fc.oneof({ weight: 5, arbitrary: plainKey }, { weight: 1, arbitrary: base64Key });

const ttl = fc.constantFrom('0', '3000', '3000', '2592000', '-1', '2000000000', '2592001', '03000');
/** Far from what times to live there can be, so that a tick of the clock changes nothing. */
const recache = fc.constantFrom('30', '100000', '100000', '0', '-1');
const opaque = fc.constantFrom('', '1', 'abc', '\xff\xfe', 'c5', 'O'.repeat(31));
const number = fc.constantFrom('0', '1', '2', '9', '99', '007', '18446744073709551615', '9223372036854775808');
const clientFlags = fc.constantFrom('0', '1', '5', '65535', '4294967295');
const lineEnd = fc.oneof({ weight: 12, arbitrary: fc.constant('\r\n') }, { weight: 1, arbitrary: fc.constantFrom('\n', ' \r\n', '   \n') });

/** The token of a flag, which other flags do without. */
function flagWord(letter: string, name: string): fc.Arbitrary<Word> {
  switch (letter) {
    case 'T':
    case 'N':
      return ttl.map((token) => [letter + token]);
    case 'R':
      return recache.map((token) => [letter + token]);
    case 'O':
    case 'L':
    case 'P':
      return opaque.map((token) => [letter + token]);
    case 'D':
    case 'J':
      return number.map((token) => [letter + token]);
    case 'F':
      return clientFlags.map((token) => [letter + token]);
    case 'C':
      return fc.oneof(
        { weight: 5, arbitrary: fc.constant<Word>(['C', { casOf: name, which: 'last' }]) },
        { weight: 3, arbitrary: fc.constant<Word>(['C', { casOf: name, which: 'first' }]) },
        { weight: 1, arbitrary: fc.constantFrom<Word>(['C', { casOf: 'b', which: 'last' }], ['C0'], ['C18446744073709551615']) },
      );
    default:
      return fc.constant([letter]);
  }
}

/** Some of the flags with these letters, seldom of the second ones, and those in `more`, in any order. */
function someFlags(often: string, seldom: string, name: string, more: readonly Word[] = []): fc.Arbitrary<Word[]> {
  const rest = fc.oneof({ weight: 3, arbitrary: fc.constant<string[]>([]) }, { weight: 1, arbitrary: someOf(seldom, 3) });
  return fc
    .tuple(someOf(often, 6), rest)
    .chain(([first, second]) => fc.tuple(...[...first, ...second].map((letter) => flagWord(letter, name))))
    .chain((words) => fc.shuffledSubarray([...more, ...words], { minLength: more.length + words.length }));
}

function someOf(letters: string, maxLength: number): fc.Arbitrary<string[]> {
  return fc.shuffledSubarray(letters.split(''), { maxLength: Math.min(maxLength, letters.length) });
}

/** `mg KEY FLAG…`, `ms KEY LENGTH FLAG…` and so on; the base64 flag is among the flags where it is needed. */
function metaLine(command: string, name: SentKey, flags: readonly Word[], end: string, length?: number | string): Piece[] {
  const words: Word[] = [[command], [name.sent], ...(length === undefined ? [] : [[String(length)]]), ...flags];
  return [...words.flatMap((word, i) => (i === 0 ? word : [' ', ...word])), end];
}

function metaStep(name: SentKey, pieces: readonly Piece[], more: Omit<Step, 'pieces'> = {}): Step {
  return step(pieces, { ...more, key: name.key, ...(name.isBase64 ? { base64Key: name.sent } : {}) });
}

/** A command without a data block, with flags. */
function command(word: string, often: string, seldom: string, more: Omit<Step, 'pieces'> = {}): fc.Arbitrary<Step> {
  return key.chain((name) =>
    fc
      .tuple(someFlags(often, seldom, name.key, name.isBase64 ? [['b']] : []), lineEnd)
      .map(([flags, end]) => metaStep(name, metaLine(word, name, flags, end), more)),
  );
}

const get = fc.oneof(
  { weight: 3, arbitrary: command('mg', 'vkctsf', 'OqhluLPDFJI') },
  { weight: 2, arbitrary: command('mg', 'vTNRthcs', 'Oqklu') },
);

const mode = fc.constantFrom('S', 'S', 'E', 'R', 'A', 'P');

/** N means something to some modes of newer versions alone. */
const metaStore = (maxItemSize: number): fc.Arbitrary<Step> =>
  fc
    .tuple(key, fc.option(mode, { nil: undefined }), anyValue(maxItemSize))
    .chain(([name, letter, value]) =>
      fc
        .tuple(someFlags('cTFkCI', 'OqvhtflRuLPDJ', name.key, [...(name.isBase64 ? [['b']] : []), ...(letter === undefined ? [] : [[`M${letter}`]])]), lineEnd)
        .map(([flags, end]) => metaStep(name, [...metaLine('ms', name, flags, end, lengthOf(value)), value, '\r\n'])),
    );

const simpleFlags = fc.constantFrom<Word[]>([], [['c']], [['k'], ['O1']], [['T3000'], ['c']], [['F5']], [['ME']]);

/** Data that does not fit its length, or is too much. */
const brokenStore = (maxItemSize: number): fc.Arbitrary<Step> =>
  fc.tuple(plainKey, simpleFlags).chain(([name, flags]) => {
    const line = (length: number | string): Piece[] => metaLine('ms', name, flags, '\r\n', length);
    const overhead = ITEM_OVERHEAD + name.key.length + (flags.some(([word]) => word === 'F5') ? FLAGS_OVERHEAD : 0);
    return fc.oneof(
      fc.constantFrom('xy', '\n\n', '\r\r', 'x\n').map((end) => metaStep(name, [...line(5), `hello${end}`])),
      fc.constant(metaStep(name, [...line(2), 'helloworld\r\n'])),
      fc.constantFrom('-1', 'abc', '5x', '2147483646', '2147483647', '1.5').map((length) => metaStep(name, [...line(length), 'hello\r\n'])),
      fc.constant(metaStep(name, [...line(20), 'hello\r\nget a\r\nget b\r\nxrest\r\n'])),
      fc.constantFrom(-1, 0, 1, 1000, maxItemSize).map((over) => {
        const times = maxItemSize - overhead + over;
        return metaStep(name, [...line(times), { run: 'L', times }, '\r\n']);
      }),
    );
  });

const remove = command('md', 'qkOC', 'ITcvF');
const invalidate = key.chain((name) =>
  fc
    .tuple(someFlags('TkCq', 'OL', name.key, [['I'], ...(name.isBase64 ? [['b']] : [])]), lineEnd)
    .map(([flags, end]) => metaStep(name, metaLine('md', name, flags, end))),
);

const arithmetic = fc
  .tuple(
    key,
    fc.option(fc.constantFrom('I', '+', 'D', '-', 'i', 'd', 'X'), { nil: undefined }),
    // q and N together are among the intended differences.
    fc.constantFrom<[often: string, seldom: string]>(['vDNJct', 'kOCfs'], ['vDJct', 'kOqCfs']),
  )
  // What gets no longer may have a new time to live (differences.ts, `leftOut`).
  .map(([name, letter, [often, seldom]]) => ({ name, letter, letters: [often, letter === 'D' || letter === '-' ? `T${seldom}` : seldom] as const }))
  .chain(({ name, letter, letters }) =>
    fc
      .tuple(someFlags(...letters, name.key, [...(name.isBase64 ? [['b']] : []), ...(letter === undefined ? [] : [[`M${letter}`]])]), lineEnd)
      .map(([flags, end]) => metaStep(name, metaLine('ma', name, flags, end), { alone: true })),
  );

const debug = plainKey.map((name) => metaStep(name, [`me ${name.sent}\r\n`]));

const noop = fc.constantFrom('mn\r\n', 'mn \r\n', 'mn x y\r\n').map((text) => step([text], { repliesLikeMarker: true }));

/** Refused, and in the same words by both. */
const refused: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constantFrom('mg a', 'ms a 5', 'ma a'), fc.constantFrom('z', '1', 'Q', 'v v', 'v k v', 'Tx', 'T', 'Nx', 'R1.5', 'C', 'Cx', 'C-1', 'Fx', 'F-1', 'Dx', 'D', 'Jx', 'b', 'T5 Fx', 'Fx T5x', 'q z')).map(([start, flags]) => refusal(start, flags)),
  fc.tuple(fc.constantFrom('mg', 'md'), fc.constantFrom(...LONG_KEYS), fc.constantFrom('', ' v', ' q')).map(([word, long, flags]) => step([`${word} ${long}${flags}\r\n`])),
  fc.constantFrom('me  ', 'ms a', 'ms a\r\nhello', 'mg a b', 'mg = b', 'mg YQ b', 'ms YQ 2 b\r\nhi', 'ms a 2 Mx\r\nhi', 'ms a 2 Ms\r\nhi', `md a O${'o'.repeat(32)}`, `ms a 2 O${'o'.repeat(32)}\r\nhi`).map((text) => step([`${text}\r\n`])),
  fc.constant(step([`mg absent O${'o'.repeat(32)}\r\n`], { isCountedOtherwise: true })),
);

function refusal(start: string, flags: string): Step {
  return step([`${start} ${flags}\r\n`, ...(start.startsWith('ms') ? ['hello\r\n'] : [])]);
}

/** Steps whose replies are meant to differ. */
const intended: fc.Arbitrary<Step> = fc.oneof(
  fc
    .constantFrom('mg a E123456789', 'mg a v x', 'ma a E123456789 N0', 'ma a x', 'ms a 5 E123456789', 'ms a 5 x', 'ms a 5 ME E5')
    .map((text) => differs('newerFlags', `${text}\r\n`, ...(text.startsWith('ms') ? ['hello\r\n'] : []), thenDelete('a'))),
  fc.constantFrom('md a x', 'md a E5 I', 'md a x I k', 'md a q x').map((text) => differs('newerFlagsOfMd', `${text}\r\n`, thenDelete('a'))),
  plainKey.map((name) => ({ ...differs('unchanged', ...metaLine('mg', name, [['s'], ['v'], ['C', { casOf: name.key, which: 'last' }]], '\r\n')), key: name.key })),
  plainKey.map((name) => differs('sizeOfStored', `ms ${name.sent} 2 s\r\nhi\r\n`)),
  fc.constantFrom('MA', 'MP').map((word) => differs('appendVivify', `delete c noreply\r\nms c 2 ${word} N0\r\nhi\r\n`, thenDelete('c'))),
  fc.constantFrom('ma c q N0', 'ma c N0 J5 q').map((text) => differs('quietVivify', `delete c noreply\r\n${text}\r\n`, thenDelete('c'))),
  fc.constantFrom('ms a 2 MSET', 'ms a 2 MEx', 'ms a 2 M').map((text) => differs('modeLength', `${text}\r\nhi\r\n`, thenDelete('a'))),
  fc.constantFrom('ma a MINCR N0', 'ma a M+1 N0').map((text) => differs('modeLengthOfMa', `${text}\r\n`, thenDelete('a'))),
  fc.constantFrom('ms a 2', 'md a', 'ma a').map((text) => differs('tooManyFlags', `${text} b c f h k l s t u v I C1 D1 F1 J1 L N1 O1 P q\r\n`, ...(text.startsWith('ms') ? ['hi\r\n'] : []))),
  fc.tuple(fc.constantFrom('mg a', 'md a', 'ma a', 'ms a 2'), fc.constantFrom('!', '-1', '=x', '\xff', '{')).map(([text, word]) => differs('punctuation', `${text} ${word}\r\n`, ...(text.startsWith('ms') ? ['hi\r\n'] : []))),
  fc.constantFrom('md a z', 'md a k k', 'md a Tx', 'md a Cx', 'md a Fx', 'md a b').map((text) => differs('faultsOfMd', `${text}\r\n`)),
  fc.tuple(fc.constantFrom('mg a', 'ms a 2', 'ma a'), fc.constantFrom('T+30', 'T4294967296', 'C+1', 'F4294967296', 'N\t30', 'D+1')).map(([text, word]) => differs('strictToken', `${text} ${word}\r\n`, ...(text.startsWith('ms') ? ['hi\r\n'] : []), thenDelete('a'))),
  fc.constantFrom('mg', 'md', 'ma', 'ms').map((text) => differs('missingWords', `${text}  \r\n`)),
  fc.constantFrom(...LONG_KEYS).map((long) => differs('longKeyOfMa', `ma ${long}\r\n`)),
  fc.constantFrom(...LONG_KEYS).map((long) => differs('skippedData', `ms ${long} 5\r\nhello\r\n`)),
);

/** Steps with meta commands. */
export function anyMetaStep(maxItemSize: number): fc.Arbitrary<Step> {
  return fc.oneof(
    { weight: 22, arbitrary: metaStore(maxItemSize) },
    { weight: 2, arbitrary: brokenStore(maxItemSize) },
    { weight: 26, arbitrary: get },
    { weight: 6, arbitrary: remove },
    { weight: 6, arbitrary: invalidate },
    { weight: 10, arbitrary: arithmetic },
    { weight: 2, arbitrary: debug },
    { weight: 2, arbitrary: noop },
    { weight: 4, arbitrary: refused },
    { weight: 3, arbitrary: intended },
  );
}

/** A value, some commands on it that leave marks on the item, and a look at all that can be seen of it. */
export const metaStory: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.constantFrom('a', 'b'),
    fc.constantFrom('9', '10', '99', 'hello', ''),
    fc.constantFrom('', ' T3000', ' F5', ' T0 F1'),
    fc.array(fc.nat({ max: 19 }), { minLength: 1, maxLength: 4 }),
  )
  .map(([name, value, flags, drawn]) => {
    const last: Piece = { casOf: name, which: 'last' };
    const first: Piece = { casOf: name, which: 'first' };
    const middles: readonly (readonly Piece[])[] = [
      [`mg ${name} v\r\n`],
      [`mg ${name} u h l t\r\n`],
      [`mg ${name} R100000 c\r\n`],
      [`mg ${name} T3000 t\r\n`],
      [`mg ${name} N0 v c\r\n`],
      [`get ${name}\r\n`],
      [`gat 3000 ${name}\r\n`],
      [`touch ${name} 3000\r\n`],
      [`incr ${name} 1\r\n`],
      [`ma ${name} D1 v c\r\n`],
      [`ma ${name} MD T3000 t\r\n`],
      [`append ${name} 0 0 1\r\n0\r\n`],
      [`ms ${name} 1 MP c\r\n1\r\n`],
      [`add ${name} 0 0 1\r\n5\r\n`],
      [`ms ${name} 1 ME\r\n5\r\n`],
      [`md ${name} I T3000\r\n`],
      [`md ${name} I\r\n`],
      [`md ${name} I q C`, last, '\r\n'],
      [`ms ${name} 2 I c C`, first, '\r\n42\r\n'],
      [`ms ${name} 2 c C`, last, '\r\n43\r\n'],
    ];
    const look = [`mg ${name} s v c t f h k\r\n`];
    const all = [[`ms ${name} ${value.length} c${flags}\r\n${value}\r\n`], ...drawn.map((index) => middles[index] ?? look), look, look];
    return all.map((pieces) => step(pieces, { key: name, alone: true }));
  });
