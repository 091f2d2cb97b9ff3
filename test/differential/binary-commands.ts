import * as fc from 'fast-check';
import { Magic, Opcode } from '../../src/protocol/binary-header.ts';
import { anyValue, FLAGS_OVERHEAD, ITEM_OVERHEAD, KEYS, LONG_KEYS, RAW_KEYS, smallValue } from './text-commands.ts';
import type { CasSource, Packet, Step } from './sequence.ts';

const key = fc.oneof({ weight: 5, arbitrary: fc.constantFrom('a', 'b') }, { weight: 3, arbitrary: fc.constantFrom(...KEYS, ...RAW_KEYS) });
const opaque = fc.constantFrom(0, 1, 0xdeadbeef, 0xffffffff);
const flags = fc.constantFrom(0, 0, 1, 5, 0xffffffff);
/** Unsigned: what would be negative elsewhere is far ahead. */
const exptime = fc.constantFrom(0, 0, 0, 3000, 2_592_000, 2_592_001, 2_000_000_000, 0xffffffff);
const number = fc.constantFrom(0n, 1n, 1n, 2n, 9n, 99n, 2n ** 63n, 2n ** 64n - 1n);

/** What a request asks of the cas unique of the item: mostly nothing. */
function condition(name: string): fc.Arbitrary<string | CasSource> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant<string | CasSource>('0') },
    { weight: 3, arbitrary: fc.constant<string | CasSource>({ casOf: name, which: 'last' }) },
    { weight: 1, arbitrary: fc.constantFrom<string | CasSource>({ casOf: name, which: 'first' }, { casOf: 'b', which: 'last' }, '9999999999999999', '18446744073709551615') },
  );
}

function u32s(...numbers: number[]): string {
  return numbers.map((word) => String.fromCharCode(word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff)).join('');
}

function u64(word: bigint): string {
  return u32s(Number(word >> 32n), Number(word & 0xffffffffn));
}

function packetStep(packet: Packet, more: Omit<Step, 'pieces'> = {}): Step {
  return { ...more, pieces: [{ packet }], ...(packet.key === undefined ? {} : { key: packet.key }) };
}

function differing(difference: NonNullable<Step['difference']>, packet: Packet): Step {
  return packetStep(packet, { difference });
}

const store = (maxItemSize: number): fc.Arbitrary<Step> =>
  fc
    .tuple(
      fc.constantFrom(Opcode.set, Opcode.set, Opcode.set, Opcode.setQ, Opcode.add, Opcode.addQ, Opcode.replace, Opcode.replaceQ),
      key,
      anyValue(maxItemSize),
      flags,
      exptime,
      opaque,
    )
    .chain(([opcode, name, value, word, time, id]) => condition(name).map((cas) => packetStep({ opcode, key: name, value, extras: u32s(word, time), opaque: id, cas })));

const join: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(Opcode.append, Opcode.appendQ, Opcode.prepend, Opcode.prependQ), key, smallValue, opaque)
  .chain(([opcode, name, value, id]) => condition(name).map((cas) => packetStep({ opcode, key: name, value, opaque: id, cas })));

/** Just below and just above the largest item, or far above. */
const limitStore = (maxItemSize: number): fc.Arbitrary<Step> =>
  fc
    .tuple(fc.constantFrom(Opcode.set, Opcode.setQ, Opcode.add, Opcode.replace, Opcode.append, Opcode.prependQ), fc.constantFrom('a', 'b'), fc.constantFrom(0, 5), fc.constantFrom(-1, 0, 1, 1000, maxItemSize))
    .map(([opcode, name, word, over]) => {
      const joins = opcode === Opcode.append || opcode === Opcode.prependQ;
      const overhead = ITEM_OVERHEAD + name.length + (word === 0 || joins ? 0 : FLAGS_OVERHEAD);
      return packetStep({ opcode, key: name, value: { run: 'L', times: maxItemSize - overhead + over }, ...(joins ? {} : { extras: u32s(word, 0) }) });
    });

const retrieval: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constantFrom(Opcode.get, Opcode.getQ, Opcode.getK, Opcode.getKQ), key, opaque).map(([opcode, name, id]) => packetStep({ opcode, key: name, opaque: id })),
  fc
    .tuple(fc.constantFrom(Opcode.gat, Opcode.gatQ, Opcode.gatK, Opcode.gatKQ, Opcode.touch), key, exptime, opaque)
    .map(([opcode, name, time, id]) => packetStep({ opcode, key: name, extras: u32s(time), opaque: id })),
);

const arithmetic: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(Opcode.increment, Opcode.incrementQ, Opcode.decrement, Opcode.decrementQ), key, number, number, exptime, opaque)
  .chain(([opcode, name, delta, initial, time, id]) =>
    condition(name).map((cas) => packetStep({ opcode, key: name, extras: u64(delta) + u64(initial) + u32s(time), opaque: id, cas }, { alone: true })),
  );

const removal: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(Opcode.delete, Opcode.deleteQ), key, opaque)
  .chain(([opcode, name, id]) => condition(name).map((cas) => packetStep({ opcode, key: name, opaque: id, cas })));

const flush: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(Opcode.flush, Opcode.flushQ), fc.constantFrom(undefined, 0, 3000, 2_000_000_000))
  .map(([opcode, time]) => packetStep(time === undefined ? { opcode } : { opcode, extras: u32s(time) }));

/** Unknown opcodes have no key and extras: memcached skips those twice. */
const odds: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constantFrom(0x1b, 0x1f, 0x25, 0x30, 0x40, 0xff), fc.constantFrom('', 'some value'), opaque).map(([opcode, value, id]) => packetStep({ opcode, value, opaque: id })),
  fc.constantFrom(Opcode.saslList, 0x40).map((opcode) => packetStep({ opcode })),
  opaque.map((id) => packetStep({ opcode: Opcode.noop, opaque: id, cas: '5' })),
  fc.constantFrom('foo', 'conns', 'detail', 'detail dump', 'detail off', 'detail x', 'item').map((name) => packetStep({ opcode: Opcode.stat, key: name })),
  fc.tuple(fc.constantFrom(Opcode.get, Opcode.getK), key).map(([opcode, name]) => packetStep({ opcode, key: name, header: { dataType: 1, vbucket: 7 } })),
  fc.constantFrom(undefined, 'items', 'slabs', 'sizes', 'settings').map((name) => differing('statistics', name === undefined ? { opcode: Opcode.stat } : { opcode: Opcode.stat, key: name })),
  opaque.map((id) => differing('binaryVersion', { opcode: Opcode.version, opaque: id })),
);

/** Packets that end the connection: quit, and those of a wrong shape. */
export const closingPacket: fc.Arbitrary<Step> = fc
  .oneof(
    { weight: 2, arbitrary: fc.constantFrom<Packet>({ opcode: Opcode.quit, opaque: 3 }, { opcode: Opcode.quitQ }) },
    {
      weight: 3,
      arbitrary: fc.constantFrom<Packet>(
        { opcode: Opcode.get },
        { opcode: Opcode.getQ, key: 'a', extras: u32s(1) },
        { opcode: Opcode.get, key: 'a', value: 'x' },
        { opcode: Opcode.set, key: 'a', value: 'x' },
        { opcode: Opcode.setQ, key: 'a', value: 'x', extras: u32s(1) },
        { opcode: Opcode.add, value: 'x', extras: u32s(1, 2) },
        { opcode: Opcode.append, key: 'a', value: 'x', extras: u32s(1, 2) },
        { opcode: Opcode.delete, key: 'a', value: 'x' },
        { opcode: Opcode.deleteQ, key: 'a', extras: u32s(1) },
        { opcode: Opcode.delete },
        { opcode: Opcode.increment, key: 'a', extras: u32s(1, 2, 3, 4) },
        { opcode: Opcode.decrementQ, key: 'a' },
        { opcode: Opcode.touch, key: 'a' },
        { opcode: Opcode.gat, extras: u32s(1) },
        { opcode: Opcode.noop, key: 'a' },
        { opcode: Opcode.version, extras: u32s(1) },
        { opcode: Opcode.quit, key: 'a' },
        { opcode: Opcode.flush, key: 'a' },
        { opcode: Opcode.flushQ, extras: u32s(1, 2) },
        { opcode: Opcode.stat, extras: u32s(1) },
      ),
    },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom(Opcode.get, Opcode.getKQ, Opcode.delete, Opcode.append, 0x40), fc.constantFrom(...LONG_KEYS)).map(([opcode, name]) => ({ opcode, key: name })) },
    { weight: 1, arbitrary: fc.constantFrom<Packet>({ opcode: Opcode.get, key: 'a', header: { bodyLength: 0 } }, { opcode: Opcode.set, key: 'abc', extras: u32s(0, 0), header: { bodyLength: 10 } }) },
    { weight: 1, arbitrary: fc.constantFrom<Packet>({ opcode: Opcode.noop, header: { magic: Magic.reply } }, { opcode: Opcode.get, key: 'a', header: { magic: 0x67 } }) },
  )
  .map((packet) => packetStep(packet, { closes: true, alone: true }));

/** Steps of the binary protocol. */
export function anyPacketStep(maxItemSize: number): fc.Arbitrary<Step> {
  return fc.oneof(
    { weight: 26, arbitrary: store(maxItemSize) },
    { weight: 6, arbitrary: join },
    { weight: 1, arbitrary: limitStore(maxItemSize) },
    { weight: 28, arbitrary: retrieval },
    { weight: 12, arbitrary: arithmetic },
    { weight: 8, arbitrary: removal },
    { weight: 2, arbitrary: flush },
    { weight: 5, arbitrary: odds },
  );
}
