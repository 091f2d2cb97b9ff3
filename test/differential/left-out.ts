import { Opcode } from '../../src/protocol/binary-header.ts';
import type { VisitReplies } from './play.ts';
import type { Piece, Sequence, Step } from './sequence.ts';
import { lengthOf } from './text-commands.ts';

/*
 * Sequences after which nothing more can be told, as the items differ from some step on: those that differences.ts
 * lists in `leftOut` and that show only when they are played.
 */

/** Values from this size on may be stored in pieces by memcached, with the smaller -I. */
const LARGE_BYTES = 4000;
/** How memcached answers arithmetic on a value that is no number to it. */
const NON_NUMERIC = /^CLIENT_ERROR cannot increment|^81 op (05|15|06|16) type 00 status 06/;
/** How a server answers that counts, or finds another cas unique; quiet ones say nothing. */
const COUNTED_OR_OTHER_CAS = /^(\d+|HD.*|VA .*|EX.*)\r\n|^81 op (05|15|06|16) type 00 status 0[02]|^$/;
/** Opcodes that count up or down. */
const COUNTING = new Set<number>([Opcode.increment, Opcode.incrementQ, Opcode.decrement, Opcode.decrementQ]);

/** Leaves out whether an item was fetched: not known of all by a server that forgets (differences.ts, `shownAlike`). */
export function withoutFetched(replies: string): string {
  return replies.replaceAll(/^((?:HD|VA) .*) h[01](?=[ \r])/gm, '$1 h?').replaceAll(/ fetch=(yes|no) /g, ' fetch=? ');
}

/**
 * True when memcached would not count in a value because it is stored in pieces: large, with a number and a blank
 * in front. It finds that out before it compares cas uniques.
 */
export function countsInPieces(sequence: Sequence, expected: readonly VisitReplies[], actual: readonly VisitReplies[]): boolean {
  return (
    hasLargeValue(sequence) &&
    expected.some((visit, i) => visit.steps.some((reply, j) => NON_NUMERIC.test(reply) && COUNTED_OR_OTHER_CAS.test(actual[i]?.steps[j] ?? '')))
  );
}

/**
 * True when the first difference is in the marks alone of an item whose number was changed: memcached loses them when
 * it gets longer.
 */
export function staysStale(sequence: Sequence, expected: readonly VisitReplies[], actual: readonly VisitReplies[]): boolean {
  const counted = new Set<string>();
  for (const [i, visit] of sequence.visits.entries()) {
    for (const [j, step] of visit.steps.entries()) {
      const theirs = withoutFetched(expected[i]?.steps[j] ?? '');
      const ours = withoutFetched(actual[i]?.steps[j] ?? '');
      if (step.difference === undefined && theirs !== ours) {
        return step.key !== undefined && counted.has(step.key) && withoutMarks(theirs) === withoutMarks(ours);
      }
      const key = countedKey(step);
      if (key !== undefined) counted.add(key);
    }
  }
  return false;
}

/** The key of a step that counts up or down. */
function countedKey({ pieces: [first], key }: Step): string | undefined {
  if (typeof first !== 'string') return first !== undefined && 'packet' in first && COUNTING.has(first.packet.opcode) ? key : undefined;
  const [word, name] = first.trimEnd().split(/ +/);
  return word === 'ma' || word === 'incr' || word === 'decr' ? (key ?? name) : undefined;
}

function withoutMarks(replies: string): string {
  return replies.replace(/^((?:HD|VA).*?)( Z| X| W)+\r\n/, '$1\r\n');
}

function hasLargeValue(sequence: Sequence): boolean {
  return sequence.visits.some((visit) => visit.steps.some((step) => step.pieces.some((piece) => lengthOf(valueOf(piece)) >= LARGE_BYTES)));
}

function valueOf(piece: Piece): Piece {
  return typeof piece === 'object' && 'packet' in piece ? (piece.packet.value ?? '') : piece;
}
