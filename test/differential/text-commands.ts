import * as fc from 'fast-check';
import type { DifferenceName } from './differences.ts';
import type { Piece, Run, Step } from './sequence.ts';

/** Keys that the sequences use; all of them are deleted before each. */
export const KEYS: readonly string[] = ['a', 'b', 'c', 'nor', '0', 'tab\there', '\xe9\x80\xff', 'k'.repeat(250)];

/** Keys that only base64 and packets can carry, deleted as well. */
export const RAW_KEYS: readonly string[] = ['a b', '\0\xff', ' \t '];

export const LONG_KEYS: readonly string[] = ['y'.repeat(251), 'z'.repeat(400)];

/** Takes as much of the item limit as a store needs beside key and value (protocol.md, "Limits"). */
export const ITEM_OVERHEAD = 48 + 1 + 2 + 8;
export const FLAGS_OVERHEAD = 4;

const key = fc.oneof({ weight: 5, arbitrary: fc.constantFrom('a', 'b') }, { weight: 3, arbitrary: fc.constantFrom(...KEYS) });
const longKey = fc.constantFrom(...LONG_KEYS);
const space = fc.oneof({ weight: 12, arbitrary: fc.constant(' ') }, { weight: 1, arbitrary: fc.constantFrom('  ', '     ') });
const lineEnd = fc.oneof({ weight: 12, arbitrary: fc.constant('\r\n') }, { weight: 1, arbitrary: fc.constantFrom('\n', ' \r\n', '   \n') });
const noreply = fc.oneof({ weight: 4, arbitrary: fc.constant<string[]>([]) }, { weight: 1, arbitrary: fc.constant(['noreply']) });

/** What both parsers of flags take, cut to 32 bits. */
const flags = fc.constantFrom('0', '0', '0', '1', '5', '65535', '4294967295', '4294967296', '4294967297', '+7', '007', '18446744073709551615', '\t3');
const badFlags = fc.constantFrom('-1', 'x', '0x10', '1x', '18446744073709551616', '1.5', '+', '-');
/** Never, gone at once, or in some time: none that can pass while a sequence runs. */
const exptime = fc.constantFrom('0', '0', '0', '0', '3000', '2592000', '-1', '2592001', '1', '4000000000', '2147483647', '4294967296', '-2147483649', '+3000', '03000').map((text) => (text === '1' ? '2000' : text));
const badExptime = fc.constantFrom('x', '3000x', '9223372036854775808', '-', '1.5', '0x10');
/** As above, for the strict parser. */
const strictExptime = fc.constantFrom('0', '0', '3000', '2592000', '-1', '2592001', '2147483647', '-2147483648', '03000');
const badStrictExptime = fc.constantFrom('x', '3000x', '18446744073709551616', '1.5', '0x10');
const loosedExptime = fc.constantFrom('+3000', '0000000003000', '4294967296', '-2147483649', '\t3000', '3000\t');
const delta = fc.constantFrom('0', '1', '1', '2', '9', '99', '007', '18446744073709551615', '9223372036854775808');
const badDelta = fc.constantFrom('x', '-1', '1x', '18446744073709551616', '1.5', '-');
const looseDelta = fc.constantFrom('+1', '\t1', '1\t', '000000000000000000000001');

/** Values that are numbers, nearly numbers, or look like replies. */
export const smallValue: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('', 'x', 'hello', '0', '1', '10', '99', '100', '18446744073709551615', '18446744073709551616'),
  fc.constantFrom(' 12', '+12', '12 ', '12 5', '12ab', '-12', '-0', '0012', '\t7', '7\0', '7\0x', '-18446744073709551615', '1\r\n', '\r\nx'),
  fc.string({ unit: fc.constantFrom('a', '0', '9', ' ', '\r', '\n', '\0', '\xff', 'VALUE '), maxLength: 40 }).filter((text) => !/^[ \t-\r]+$/.test(text)),
);

/** Values around every limit: of the item, of the blocks that large ones are kept in, of reads and of tiers. */
export function sizedValue(maxItemSize: number): fc.Arbitrary<Run> {
  const sizes = [256, 1000, 4000, 8192, 16_384, 20_000, 32_768, 65_536, 100_000, 300_000, 524_288, 600_000].filter((size) => size < maxItemSize);
  return fc
    .tuple(fc.constantFrom(...sizes), fc.integer({ min: -2, max: 2 }), fc.constantFrom('v', '7', '\0', '\xff'))
    .map(([size, more, run]) => ({ run, times: size + more }));
}

/** Mostly small values, and some of many sizes. */
export function anyValue(maxItemSize: number): fc.Arbitrary<string | Run> {
  return fc.oneof({ weight: 8, arbitrary: smallValue }, { weight: 2, arbitrary: sizedValue(maxItemSize) });
}

/** Bytes of a value. */
export function lengthOf(piece: Piece): number {
  if (typeof piece === 'string') return piece.length;
  return 'run' in piece ? piece.times : 0;
}

interface StoreShape {
  readonly word: string;
  readonly key: string;
  readonly flags: string;
  readonly exptime: string;
  readonly noreply: readonly string[];
  readonly space: string;
  readonly end: string;
}

const storeShape = fc.record<StoreShape>({
  word: fc.constantFrom('set', 'set', 'set', 'set', 'add', 'replace', 'append', 'prepend'),
  key,
  flags,
  exptime,
  noreply,
  space,
  end: lineEnd,
});

function storeLine(shape: StoreShape, length: number | string): string {
  return line([shape.word, shape.key, shape.flags, shape.exptime, String(length), ...shape.noreply], shape.space, shape.end);
}

function line(words: readonly string[], separator = ' ', end = '\r\n'): string {
  return words.join(separator) + end;
}

export function step(pieces: readonly Piece[], more: Omit<Step, 'pieces'> = {}): Step {
  return { pieces, ...more };
}

/** A step whose replies are meant to differ. */
export function differs(difference: DifferenceName, ...pieces: Piece[]): Step {
  return { pieces, difference };
}

/** Makes the key absent on both servers: only one of them did what went before. */
export function thenDelete(name: string): string {
  return `delete ${name} noreply\r\n`;
}

const store = (maxItemSize: number): fc.Arbitrary<Step> =>
  fc.tuple(storeShape, fc.oneof<[fc.Arbitrary<Piece>, fc.Arbitrary<Piece>]>(smallValue, smallValue)).map(([shape, value]) =>
    step([storeLine(shape, lengthOf(value)), value, '\r\n']),
  ).chain((small) =>
    fc.oneof(
      { weight: 9, arbitrary: fc.constant(small) },
      {
        weight: 2,
        arbitrary: fc.tuple(storeShape, sizedValue(maxItemSize)).map(([shape, value]) => step([storeLine(shape, lengthOf(value)), value, '\r\n'])),
      },
    ),
  );

/** Just below and just above the largest item, or far above. */
const limitStore = (maxItemSize: number): fc.Arbitrary<Step> =>
  fc.tuple(storeShape, fc.constantFrom('0', '5'), fc.constantFrom(-1, 0, 0, 1, 1, 2, 1000, maxItemSize)).map(([shape, flagsWord, over]) => {
    const overhead = ITEM_OVERHEAD + shape.key.length + (flagsWord === '0' ? 0 : FLAGS_OVERHEAD);
    const times = Math.max(0, maxItemSize - overhead + over);
    return step([storeLine({ ...shape, flags: flagsWord }, times), { run: 'L', times }, '\r\n']);
  });

/** The length does not fit the data, or is no length. */
const brokenStore: fc.Arbitrary<Step> = fc.oneof(
  // The two bytes behind the data are not CRLF.
  fc.tuple(storeShape, fc.constantFrom('xy', '\n\n', '\r\r', '\n\r', 'x\n', '\rx', '  ')).map(([shape, end]) => step([storeLine(shape, 5), `hello${end}`])),
  // The rest is a command of its own.
  storeShape.map((shape) => step([storeLine(shape, 2), 'helloworld\r\n'])),
  storeShape.map((shape) => step([storeLine(shape, 1), 'x\ngarbage here\r\n'])),
  fc
    .tuple(storeShape, fc.constantFrom('-1', 'abc', '5x', '2147483646', '2147483647', '18446744073709551616', '1.5'))
    .map(([shape, length]) => step([storeLine(shape, length), 'hello\r\n'], shape.noreply.length === 0 ? {} : { difference: 'badLengthNoreply' })),
  // Told longer than it is: what follows, up to the length, is data.
  storeShape.map((shape) => step([storeLine(shape, 20), 'hello\r\nget a\r\nget b\r\nxrest\r\n'])),
);

const refusedStore: fc.Arbitrary<Step> = fc
  .oneof(
    fc.tuple(storeShape, longKey).map(([shape, long]) => ({ ...shape, key: long })),
    fc.tuple(storeShape, badFlags).map(([shape, bad]) => ({ ...shape, flags: bad })),
    fc.tuple(storeShape, badExptime).map(([shape, bad]) => ({ ...shape, exptime: bad })),
  )
  .map((shape) => differs('skippedData', storeLine(shape, 5), 'hello\r\n'));

const casId: fc.Arbitrary<Piece> = fc.oneof(
  { weight: 6, arbitrary: key.map((casOf) => ({ casOf, which: 'last' as const })) },
  { weight: 2, arbitrary: key.map((casOf) => ({ casOf, which: 'first' as const })) },
  { weight: 1, arbitrary: fc.constantFrom('0', '18446744073709551615', '9007199254740993', '9999999999') },
);

const cas: fc.Arbitrary<Step> = fc.oneof(
  // With the id that gets showed for this very key, mostly.
  { weight: 4, arbitrary: fc.tuple(storeShape, smallValue).map(([shape, value]) => casStep(shape, value, { casOf: shape.key, which: 'last' })) },
  { weight: 2, arbitrary: fc.tuple(storeShape, smallValue, casId).map(([shape, value, id]) => casStep(shape, value, id)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(storeShape, fc.constantFrom('x', '-1', '1x', '18446744073709551616', '1.5'))
      .map(([shape, id]) => differs('skippedData', line(['cas', shape.key, '0', '0', '5', id, ...shape.noreply]), 'hello\r\n')),
  },
  { weight: 1, arbitrary: storeShape.map((shape) => differs('skippedData', line(['cas', shape.key, '0', '0', '5', ...shape.noreply]), 'hello\r\n')) },
);

function casStep(shape: StoreShape, value: string, id: Piece): Step {
  const end = [...shape.noreply.map((word) => ` ${word}`), shape.end].join('');
  return step([`cas ${shape.key} ${shape.flags} ${shape.exptime} ${value.length}${shape.space}`, id, end, value, '\r\n']);
}

const retrieval: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom('get', 'gets'), fc.array(key, { minLength: 1, maxLength: 5 }), space, lineEnd)
      .map(([word, keys, separator, end]) => step([line([word, ...keys], separator, end)])),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom('gat', 'gats'), strictExptime, fc.array(key, { minLength: 1, maxLength: 3 }), space, lineEnd)
      .map(([word, time, keys, separator, end]) => step([line([word, time, ...keys], separator, end)])),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom('gat', 'gats'), badStrictExptime, key).map(([word, time, name]) => step([line([word, time, name])])),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('get', 'gets', 'gat 3000', 'gats -1'), fc.array(key, { maxLength: 2 }), longKey)
      .map(([word, keys, long]) =>
        step([line([word, ...(word.startsWith('gat') ? [] : keys), long])], { alone: true, isCountedOtherwise: true }),
      ),
  },
  // Many keys: more than one round of parsing, and a line longer than others may be.
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('get', 'gets'), fc.integer({ min: 20, max: 1500 })).map(([word, count]) => step([line([word, 'a', ...Array.from({ length: count }, (_, i) => `absent${i}`), 'b'])])) },
);

const addDelta: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom('incr', 'decr'), key, fc.oneof({ weight: 5, arbitrary: delta }, { weight: 1, arbitrary: badDelta }), noreply, space, lineEnd)
  .map(([word, name, number, silent, separator, end]) => step([line([word, name, number, ...silent], separator, end)], { alone: true }));

const removal: fc.Arbitrary<Step> = fc
  .tuple(key, fc.constantFrom<string[]>([], [], [], [], ['0'], ['noreply'], ['0', 'noreply'], ['x'], ['x', 'noreply'], ['5']), space, lineEnd)
  .map(([name, more, separator, end]) => step([line(['delete', name, ...more], separator, end)]));

const touch: fc.Arbitrary<Step> = fc
  .tuple(key, fc.oneof({ weight: 5, arbitrary: strictExptime }, { weight: 1, arbitrary: badStrictExptime }), noreply, space, lineEnd)
  .map(([name, time, silent, separator, end]) => step([line(['touch', name, time, ...silent], separator, end)]));

const longKeyCommand: fc.Arbitrary<Step> = fc
  .tuple(longKey, noreply, fc.constantFrom('incr', 'decr', 'touch'))
  .chain(([long, silent, word]) => fc.constantFrom(step([line([word, long, '1', ...silent])]), step([line(['delete', long, ...silent])])));

const flushAll: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom<string[]>([], [], [], ['0'], ['-1'], ['-5'], ['3000'], ['2592000'], ['2147483647'], ['2592001'], ['x'], ['1x']), noreply, space, lineEnd)
  .map(([time, silent, separator, end]) =>
    step([line(['flush_all', ...time, ...silent], separator, end)], { isCountedOtherwise: time.some((word) => word.includes('x')) }),
  );

const odds: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom('foo', 'GET a', 'Get a', 'gett a', 'ge a', 'setx a 0 0 1', 'get\ta', '\tget a', 'get a\rb', 'gets HTTP/1.1', 'stats foo', 'verbosity 0', 'verbosity 1 noreply', 'verbosity x', 'verbosity 1 2', 'verbosity x noreply', 'mgx a', '\0\0\0\0', '\xff\xfe\xfd').map(
    (text) => step([`${text}\r\n`]),
  ),
  fc.tuple(fc.constantFrom('foo', 'GET a', 'get a\r'), lineEnd).map(([text, end]) => step([text + end])),
);

/** Steps whose replies are meant to differ. */
const intended: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom('\r\n', '\n', 'a\r\n', 'ab\n', ' \r\n', '  \n').map((text) => differs('shortLine', text)),
  fc
    .constantFrom('get', 'gets', 'gat', 'gats', 'gat 10', 'gats 10', 'set a', 'set a 0', 'add a 0 0', 'cas a 0 0', 'incr a', 'decr', 'touch a', 'touch', 'delete', 'verbosity', 'incr noreply', 'set a 0 0 noreply', 'append a  0  0 ')
    .map((text) => differs('missingWords', `${text}\r\n`)),
  storeShape.map((shape) => differs('extraWords', line([shape.word, shape.key, shape.flags, shape.exptime, '5', 'x', 'y', ...shape.noreply]), 'hello\r\n', thenDelete(shape.key))),
  key.map((name) => differs('extraWords', line(['cas', name, '0', '0', '5', '1', 'x', 'y']), 'hello\r\n')),
  fc.tuple(fc.constantFrom('incr', 'decr'), key, noreply).map(([word, name, silent]) => differs('extraWords', line([word, name, '1', 'x', 'y', ...silent]), thenDelete(name))),
  fc.tuple(key, noreply).map(([name, silent]) => differs('extraWords', line(['touch', name, '3000', 'x', 'y', ...silent]), thenDelete(name))),
  key.map((name) => differs('extraDeleteWords', line(['delete', name, 'x', 'y', 'z']))),
  fc.constantFrom('foo noreply', 'GET a noreply', 'noreply').map((text) => differs('silentErrors', `${text}\r\n`)),
  longKey.map((long) => step([line(['get', 'a', long, 'noreply'])], { difference: 'silentErrors', alone: true })),
  fc.constant(differs('keyCalledNoreply', 'delete noreply\r\n')),
  key.map((name) => differs('leadingBlank', line([' get', name]))),
  fc.tuple(fc.constantFrom('incr', 'decr'), looseDelta).map(([word, number]) => step(['set a 0 0 2\r\n10\r\n'.replace('2\r\n', '2 noreply\r\n'), line([word, 'a', number]), thenDelete('a')], { difference: 'strictNumber', alone: true })),
  loosedExptime.map((time) => differs('strictNumber', line(['touch', 'a', time]), thenDelete('a'))),
  loosedExptime.map((time) => differs('strictNumber', line(['gat', time, 'a']), thenDelete('a'))),
  fc.tuple(storeShape, fc.constantFrom('+5', '\t5', '000000000005', '5\t')).map(([shape, length]) => differs('strictNumber', storeLine({ ...shape, noreply: [] }, length), 'hello\r\n', thenDelete(shape.key))),
  fc.constantFrom('get a\0b', 'get \0a').map((text) => differs('nulInKey', `${text}\r\n`)),
  fc.constantFrom('version', 'version x y', 'version noreply').map((text) => differs('version', `${text}\r\n`)),
);

/** Steps that end a text connection. */
export const closing: fc.Arbitrary<Step> = fc.constantFrom<Step>(
  step(['quit\r\n'], { closes: true }),
  step(['quit now please\r\n'], { closes: true }),
  step(['quit\n'], { closes: true }),
  step(['GET / HTTP/1.1\r\n'], { closes: true }),
  step(['foo HTTP/\r\n'], { closes: true }),
  step([{ run: 'x', times: 20_000 }], { closes: true, alone: true }),
  step(['gat 10 ', { run: 'x', times: 20_000 }], { closes: true, alone: true }),
);

/** Steps of the classic text protocol. */
export function anyTextStep(maxItemSize: number): fc.Arbitrary<Step> {
  return fc.oneof(
    { weight: 24, arbitrary: store(maxItemSize) },
    { weight: 1, arbitrary: limitStore(maxItemSize) },
    { weight: 3, arbitrary: brokenStore },
    { weight: 2, arbitrary: refusedStore },
    { weight: 8, arbitrary: cas },
    { weight: 24, arbitrary: retrieval },
    { weight: 10, arbitrary: addDelta },
    { weight: 6, arbitrary: removal },
    { weight: 6, arbitrary: touch },
    { weight: 1, arbitrary: longKeyCommand },
    { weight: 2, arbitrary: flushAll },
    { weight: 3, arbitrary: odds },
    { weight: 4, arbitrary: intended },
  );
}
