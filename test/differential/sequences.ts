import * as fc from 'fast-check';
import { Opcode } from '../../src/protocol/binary-header.ts';
import { anyPacketStep, closingPacket } from './binary-commands.ts';
import { anyMetaStep, metaStory } from './meta-commands.ts';
import type { Dialect, Sequence, Step, Visit } from './sequence.ts';
import { anyTextStep, closing, KEYS } from './text-commands.ts';

/** What is spoken in a sequence: one of memcached's three ways, or all of them on the same items. */
export type Speech = 'classic' | 'meta' | 'binary' | 'mixed';

/** Making a server forget takes longer than most sequences. */
const FROM_DISK_EVERY = 4;

/** Sequences for servers with this item limit; about one of `restartEvery` has a restart in it. */
export function anySequence(speech: Speech, maxItemSize: number, restartEvery: number): fc.Arbitrary<Sequence> {
  const visits = speech === 'mixed' ? fc.array(anyShortVisit(maxItemSize), { minLength: 2, maxLength: 10 }) : fc.array(anyVisit(speech, maxItemSize), { minLength: 1, maxLength: 2 });
  return fc
    .record({ visits, restart: fc.nat({ max: restartEvery - 1 }), rest: visits, isReadFromDisk: fc.nat({ max: FROM_DISK_EVERY - 1 }).map((drawn) => drawn === 0) })
    .map((drawn) => {
      // The last number, so that shrinking tries without a restart first.
      const isRestarted = drawn.restart === restartEvery - 1;
      const look: Visit = { dialect: 'text', steps: [{ pieces: [`gets ${KEYS.join(' ')}\r\n`] }], cuts: [] };
      const all = isRestarted ? [...drawn.visits, look, ...drawn.rest] : drawn.visits;
      return { visits: withoutRevival(all), restartBefore: isRestarted ? drawn.visits.length : undefined, isReadFromDisk: drawn.isReadFromDisk };
    });
}

function anyVisit(speech: 'classic' | 'meta' | 'binary', maxItemSize: number): fc.Arbitrary<Visit> {
  const dialect = speech === 'binary' ? 'binary' : 'text';
  const anyStep = {
    classic: anyTextStep(maxItemSize),
    // Some classic commands: they meet what meta commands make of items.
    meta: fc.oneof({ weight: 6, arbitrary: anyMetaStep(maxItemSize) }, { weight: 1, arbitrary: anyTextStep(maxItemSize) }),
    binary: anyPacketStep(maxItemSize),
  }[speech];
  return visitOf(dialect, speech === 'meta' ? withStories(anyStep, 20) : alone(anyStep), 25);
}

function alone(anyStep: fc.Arbitrary<Step>): fc.Arbitrary<Step[]> {
  return anyStep.map((step) => [step]);
}

/** Steps, and one story for so many of them. */
function withStories(anyStep: fc.Arbitrary<Step>, weight: number): fc.Arbitrary<Step[]> {
  return fc.oneof({ weight, arbitrary: alone(anyStep) }, { weight: 1, arbitrary: metaStory });
}

/** At most so many steps or stories on one connection. */
function visitOf(dialect: Dialect, anySteps: fc.Arbitrary<Step[]>, maxLength: number): fc.Arbitrary<Visit> {
  return fc
    .record({
      steps: fc.array(anySteps, { minLength: 1, maxLength }),
      last: fc.option(dialect === 'binary' ? closingPacket : closing, { freq: 6, nil: undefined }),
      cuts: fc.oneof(fc.constant<number[]>([]), fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 })),
    })
    .map(({ steps, last, cuts }) => ({ dialect, steps: last === undefined ? steps.flat() : [...steps.flat(), last], cuts }));
}

/** A few steps on one of three connections that stay open: two speak text, one packets. */
function anyShortVisit(maxItemSize: number): fc.Arbitrary<Visit> {
  const text = fc.oneof({ weight: 2, arbitrary: anyMetaStep(maxItemSize) }, { weight: 1, arbitrary: anyTextStep(maxItemSize) });
  return fc.oneof(
    fc.tuple(visitOf('text', withStories(text, 10), 5), fc.nat({ max: 1 })).map(([visit, connection]) => ({ ...visit, connection })),
    visitOf('binary', alone(anyPacketStep(maxItemSize)), 5).map((visit) => ({ ...visit, connection: 2 })),
  );
}

/** Takes delayed flushes out that follow immediate ones (differences.ts, `leftOut`). */
function withoutRevival(visits: readonly Visit[]): Visit[] {
  let flushed = false;
  return visits.map((visit) => ({
    ...visit,
    steps: visit.steps.filter((step) => {
      const delay = flushDelay(step);
      if (delay === undefined) return true;
      if (delay > 0) return !flushed;
      flushed = true;
      return true;
    }),
  }));
}

/** Seconds after which a flush takes effect; undefined for other steps. */
function flushDelay({ pieces: [first] }: Step): number | undefined {
  if (typeof first === 'string') return first.startsWith('flush_all') ? Number(/^flush_all +(\d{2,})/.exec(first)?.[1] ?? 0) : undefined;
  if (first === undefined || !('packet' in first)) return undefined;
  const { opcode, extras = '' } = first.packet;
  if (opcode !== Opcode.flush && opcode !== Opcode.flushQ) return undefined;
  return extras.length === 4 ? Buffer.from(extras, 'latin1').readUInt32BE() : 0;
}
