import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { DATAGRAM_MAX, datagramCount, FRAME_LENGTH, isShorterThanRequest, REPLY_MAX, replyDatagram, requestIdOf } from '../../src/protocol/datagram-frame.ts';

function frame(requestId: number, sequence: number, count: number): Buffer {
  const bytes = Buffer.alloc(FRAME_LENGTH);
  bytes.writeUInt16BE(requestId, 0);
  bytes.writeUInt16BE(sequence, 2);
  bytes.writeUInt16BE(count, 4);
  return bytes;
}

it('requestIdOf() reads the id of a request in one datagram', () => {
  expect(requestIdOf(Buffer.concat([frame(0xabcd, 0, 1), Buffer.from('x')]))).toBe(0xabcd);
  expect(requestIdOf(Buffer.concat([frame(0, 7, 1), Buffer.from('x')]))).toBe(0);
});

it('requestIdOf() has none for what is too short or only a part', () => {
  expect(requestIdOf(Buffer.alloc(0))).toBeUndefined();
  expect(requestIdOf(frame(1, 0, 1))).toBeUndefined();
  for (const count of [0, 2, 0xffff]) expect(requestIdOf(Buffer.concat([frame(1, 0, count), Buffer.from('x')]))).toBeUndefined();
});

it('replyDatagram() cuts a reply into numbered datagrams that make it up again', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.integer({ min: 1, max: 5000 }), (requestId, length) => {
      const reply = Buffer.alloc(length, 'a reply of some length, ');
      const count = datagramCount(length);
      const parts: Buffer[] = [];
      for (let sequence = 0; sequence < count; sequence++) {
        const [head, payload] = replyDatagram(requestId, reply, sequence);
        expect(head).toEqual(frame(requestId, sequence, count));
        expect(head.length + payload.length).toBeLessThanOrEqual(DATAGRAM_MAX);
        expect(payload.length).toBeGreaterThan(0);
        parts.push(payload);
      }
      expect(Buffer.concat(parts)).toEqual(reply);
    }),
  );
});

it('datagramCount() stays within what the frame can number', () => {
  expect(datagramCount(1392)).toBe(1);
  expect(datagramCount(1393)).toBe(2);
  expect(datagramCount(REPLY_MAX)).toBe(0xffff);
});

it('isShorterThanRequest() counts all datagrams, and a header of the network for each', () => {
  const isShorter = (payload: number, requestPayload: number): boolean => isShorterThanRequest(payload, FRAME_LENGTH + requestPayload);
  expect([isShorter(6, 7), isShorter(7, 7), isShorter(8, 7)]).toEqual([true, false, false]);
  const whole = DATAGRAM_MAX - FRAME_LENGTH;
  expect([isShorter(whole, whole + 1), isShorter(whole + 1, whole + 2)]).toEqual([true, false]);
  // Each further datagram is its frame, 40 bytes of IPv6 and 8 of UDP.
  expect([isShorter(3 * whole, 3 * whole + 2 * 56), isShorter(3 * whole, 3 * whole + 2 * 56 + 1)]).toEqual([false, true]);
});
