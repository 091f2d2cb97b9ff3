/*
 * The frame of a UDP datagram, requests and replies (protocol.txt, "UDP protocol"). Numbers are big endian.
 *
 *   0-1  request id, chosen by the client and repeated in all datagrams of the reply
 *   2-3  sequence number of the datagram, from 0
 *   4-5  number of datagrams in the message
 *   6-7  reserved: 0
 *
 * A request is one datagram. A reply is as many as it needs, numbered in one sequence however many commands the
 * request had; memcached numbers each reply by itself, so that a client cannot tell them apart.
 */

/** Bytes of the frame. */
export const FRAME_LENGTH = 8;

/** Largest datagram that is sent, frame included: it fits one Ethernet packet with room for what tunnels add. */
export const DATAGRAM_MAX = 1400;

/** Bytes that the network puts in front of a datagram: IPv6 and UDP. */
const HEADER_LENGTH = 48;

const PAYLOAD_MAX = DATAGRAM_MAX - FRAME_LENGTH;
const COUNT_MAX = 0xffff;

/** Largest reply whose datagrams can be numbered. */
export const REPLY_MAX: number = PAYLOAD_MAX * COUNT_MAX;

/** The request id of a datagram that is a request, or undefined: it is to be dropped without a word. */
export function requestIdOf(datagram: Buffer): number | undefined {
  if (datagram.length <= FRAME_LENGTH) return undefined;
  // Requests of several datagrams are not put together; the sequence number of a single one means nothing.
  return datagram.readUInt16BE(4) === 1 ? datagram.readUInt16BE(0) : undefined;
}

/** How many datagrams a reply takes. REQUIRES: 0 < bytes <= REPLY_MAX */
export function datagramCount(bytes: number): number {
  return Math.ceil(bytes / PAYLOAD_MAX);
}

/**
 * True when a reply of so many bytes, as datagrams on the network, is less than its request, a datagram of
 * `requestBytes`, frame included. REQUIRES: 0 < bytes <= REPLY_MAX
 */
export function isShorterThanRequest(bytes: number, requestBytes: number): boolean {
  const count = datagramCount(bytes);
  // The request paid for one header.
  return bytes + count * FRAME_LENGTH + (count - 1) * HEADER_LENGTH < requestBytes;
}

/** The datagram with a sequence number of a reply, as its frame and a view of its part of `reply`. */
export function replyDatagram(requestId: number, reply: Buffer, sequence: number): [frame: Buffer, payload: Buffer] {
  const frame = Buffer.alloc(FRAME_LENGTH);
  frame.writeUInt16BE(requestId, 0);
  frame.writeUInt16BE(sequence, 2);
  frame.writeUInt16BE(datagramCount(reply.length), 4);
  return [frame, reply.subarray(sequence * PAYLOAD_MAX, (sequence + 1) * PAYLOAD_MAX)];
}
