import { describe, expect, it } from 'vitest';
import { absent, bytesOf, type Found, KnownItem, type KnownItemOptions, type Seen, stored, type Version } from './known-item.ts';

const NOW = 1_800_000_000_000;
const now: Seen = { sentMs: NOW, answeredMs: NOW };
const firm: KnownItemOptions = { mayLose: false, evicts: false };

/** The value that an operation stores. */
function version(op: number, exptime = 0): Version {
  return stored(op, [{ mark: `<value ${op}>`, bytes: 40 }], op, exptime, NOW, NOW);
}

/** As the server shows what an operation has stored. */
function shown(op: number, change: Partial<Found> = {}): Found {
  return { value: bytesOf(version(op).content ?? []), flags: op, cas: 100 + op, ttl: -1, ...change };
}

/** An item after acknowledged operations. */
function known(versions: readonly Version[], options = firm): KnownItem {
  const item = new KnownItem('key', options);
  for (const each of versions) {
    item.begin(each);
    item.acknowledge(each);
  }
  return item;
}

describe('KnownItem finds a fault when, after a crash,', () => {
  it('an acknowledged value is missing', () => {
    expect(known([version(1)]).compare(undefined, now).fault).toContain('not there');
  });

  it('an older value is back', () => {
    expect(known([version(1), version(2)]).compare(shown(1), now).fault).toBeDefined();
    expect(known([version(1), version(2)], { ...firm, evicts: true }).compare(shown(1), now).fault).toBeDefined();
  });

  it('a deleted item is back', () => {
    expect(known([version(1), absent(2)]).compare(shown(1), now).fault).toContain('nothing (operation 2)');
  });

  it('a value is half there, or has other flags or another end', () => {
    const item = known([version(1)]);
    expect(item.compare(shown(1, { value: shown(1).value.subarray(0, 20) }), now).fault).toBeDefined();
    expect(item.compare(shown(1, { flags: 9 }), now).fault).toBeDefined();
    expect(item.compare(shown(1, { ttl: 60 }), now).fault).toBeDefined();
  });

  it('the same value has another cas unique', () => {
    const item = known([version(1)]);
    item.cas = { contentOp: 1, unique: 101 };
    expect(item.compare(shown(1), now).fault).toBeUndefined();
    expect(item.compare(shown(1, { cas: 102 }), now).fault).toBeDefined();
  });

  it('a flushed item is back', () => {
    const item = known([version(1)]);
    item.flushBegins();
    item.flushEnds(2);
    expect(item.compare(shown(1), now).fault).toBeDefined();
    expect(item.compare(undefined, now).fault).toBeUndefined();
  });

  it('what was deleted with its prefix is back, touched meanwhile or not', () => {
    for (const touches of [[], [{ ...version(1), op: 2 }]]) {
      const item = known([version(1)], { ...firm, mayLose: true });
      item.deleteBegins();
      item.deleteIsSure();
      expect([item.compare(shown(1), now).fault, item.compare(undefined, now).fault]).toEqual([undefined, undefined]);
      for (const touch of touches) {
        item.begin(touch);
        item.acknowledge(touch);
      }
      item.deleteEnds(3);
      expect(item.compare(shown(1), now).fault).toBeDefined();
      expect(item.compare(undefined, now).fault).toBeUndefined();
    }
  });

  it('what was stored after a delete of its prefix had been acknowledged is missing', () => {
    const item = known([version(1)]);
    item.deleteBegins();
    item.deleteIsSure();
    item.begin(version(2));
    item.acknowledge(version(2));
    expect(item.compare(undefined, now).fault).toBeDefined();
    item.deleteEnds(3);
    expect(item.compare(undefined, now).fault).toBeDefined();
    expect(item.compare(shown(2), now).fault).toBeUndefined();
  });

  it('an expired item is back, or one is gone before its time', () => {
    const item = known([version(1, 10)]);
    const at = (seconds: number): Seen => ({ sentMs: NOW + seconds * 1000, answeredMs: NOW + seconds * 1000 });
    expect(item.compare(undefined, at(5)).fault).toBeDefined();
    expect(item.compare(shown(1, { ttl: 5 }), at(5)).fault).toBeUndefined();
    expect(item.compare(undefined, at(12)).fault).toBeUndefined();
    expect(item.compare(shown(1, { ttl: 1 }), at(12)).fault).toBeDefined();
  });
});

describe('KnownItem accepts', () => {
  it('both states of an operation that was cut off, and nothing else', () => {
    const item = known([version(1), version(2)]);
    item.begin(version(3));
    item.cutOff(version(3), true);
    // Another lane of the same connection chose it once more, and what was under way was forgotten.
    expect(item.isBusy).toBe(true);
    expect(item.compare(shown(2), now)).toEqual({ fault: undefined, from: 2, before: 3 });
    expect(item.compare(shown(3), now)).toEqual({ fault: undefined, from: 3, before: Number.POSITIVE_INFINITY });
    expect(item.compare(undefined, now).fault).toBeDefined();
  });

  it('that an evicted item is gone', () => {
    expect(known([version(1)], { ...firm, evicts: true }).compare(undefined, now).fault).toBeUndefined();
  });

  it('with --ack memory each state since the start, and says up to where the server came', () => {
    const item = known([version(1), version(4), absent(6)], { ...firm, mayLose: true });
    expect(item.compare(shown(1), now)).toEqual({ fault: undefined, from: 1, before: 4 });
    expect(item.compare(shown(4), now)).toEqual({ fault: undefined, from: 4, before: 6 });
    expect(item.compare(shown(2), now).fault).toBeDefined();
  });

  it('either, when a flush_all overlapped the operation or was cut off', () => {
    const overlapped = known([version(1)]);
    overlapped.flushBegins();
    overlapped.begin(version(2));
    overlapped.flushEnds(3);
    overlapped.acknowledge(version(2));
    expect([overlapped.compare(shown(2), now).fault, overlapped.compare(undefined, now).fault]).toEqual([undefined, undefined]);
    const cutOff = known([version(1)]);
    cutOff.flushBegins();
    expect([cutOff.compare(shown(1), now).fault, cutOff.compare(undefined, now).fault]).toEqual([undefined, undefined]);
    expect([cutOff.tellsFlushed(shown(1), now), cutOff.tellsFlushed(undefined, now)]).toEqual([false, true]);
  });
});

describe('KnownItem accepts either, when a delete of its prefix', () => {
  it('was cut off, and tells whether it took effect', () => {
    const item = known([version(1)]);
    item.deleteBegins();
    expect([item.compare(shown(1), now).fault, item.compare(undefined, now).fault]).toEqual([undefined, undefined]);
    expect([item.tellsFlushed(shown(1), now), item.tellsFlushed(undefined, now)]).toEqual([false, true]);
  });

  it('was sent while an operation was under way', () => {
    const item = known([version(1)]);
    item.begin(version(2));
    item.deleteBegins();
    item.deleteIsSure();
    item.acknowledge(version(2));
    item.deleteEnds(3);
    expect([item.compare(shown(2), now).fault, item.compare(undefined, now).fault]).toEqual([undefined, undefined]);
  });

  it('ended while it was being touched', () => {
    const item = known([version(1)]);
    const touch = { ...version(1), op: 2 };
    item.deleteBegins();
    item.deleteIsSure();
    item.begin(touch);
    item.deleteEnds(3);
    item.acknowledge(touch);
    expect([item.compare(shown(1), now).fault, item.compare(undefined, now).fault]).toEqual([undefined, undefined]);
  });
});

describe('KnownItem while the server runs', () => {
  it('knows only the newest acknowledged state', () => {
    const item = known([version(1), version(2)], { ...firm, mayLose: true });
    expect(item.observe(shown(2), now)).toBeUndefined();
    expect(item.observe(shown(1), now)).toBeDefined();
    expect(item.presence(NOW, NOW)).toBe('present');
  });

  it('after a crash knows what was found, and nothing before', () => {
    const item = known([version(1), version(2)], { ...firm, mayLose: true });
    item.settle(shown(1), now);
    expect(item.compare(shown(1), now).fault).toBeUndefined();
    expect(item.compare(shown(2), now).fault).toBeDefined();
    expect(item.cas).toEqual({ contentOp: 1, unique: 101 });
  });
});
