import { Command, hasDataBlock, Op } from '../../../src/cache/command.ts';
import { AuthRefusal, parseAuthLine, splitToken, TOKEN_MAX } from '../../../src/protocol/auth-parser.ts';
import { decodeBase64Key, encodeBase64Key } from '../../../src/protocol/base64-key.ts';
import { BinaryRequest, parsePacket, peekPacketKeys, type SaslState } from '../../../src/protocol/binary-parser.ts';
import { DATAGRAM_MAX, datagramCount, FRAME_LENGTH, replyDatagram, requestIdOf } from '../../../src/protocol/datagram-frame.ts';
import { NEED_MORE, parseLine, peekKeys } from '../../../src/protocol/text-parser.ts';
import { decodeUriKey, encodeUriKey } from '../../../src/protocol/uri-key.ts';
import { parseChunks } from '../../protocol/parsed.ts';
import { cutAtRandom } from '../cut.ts';
import { hasOverlongLine } from '../overlong.ts';
import { metaSeeds, packetSeeds, packetWords, textWords, transcriptSeeds } from '../seeds.ts';
import { holds, type Target } from '../target.ts';

/** Lines in one piece and in many; keys lie inside their lines. */
function runText(input: Buffer): void {
  const whole = JSON.stringify(parseChunks([input]), bigints);
  holds(hasOverlongLine(input) || whole === JSON.stringify(parseChunks(cutAtRandom(input)), bigints), 'the same requests however the input is cut');
  const command = new Command();
  for (let start = 0; start < input.length; ) {
    const used = parseLine(input, start, input.length, start, command);
    if (used === NEED_MORE) break;
    holds(used > 0 && start + used <= input.length, 'a line ends inside the input');
    const isDecoded = command.buffer !== input;
    for (let i = 0; i < command.keyCount; i++) {
      const [from, to] = [command.keyStarts[i]!, command.keyEnds[i]!];
      holds(from < to && to <= command.buffer.length && (isDecoded || (from >= start && to < start + used)), 'a key lies inside its line');
    }
    if (hasDataBlock(command.op)) holds(command.length >= 0 && command.length < 2 ** 31, 'a length is one');
    if (command.op === Op.refused) holds(command.skip >= 0 && command.skip <= 2 ** 31 + 2, 'what is skipped is bounded');
    start += used;
  }
  peekKeys(input, 0, input.length, 100, (start, end) => holds(start < end && end <= input.length, 'a key ahead lies inside the input'));
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

interface Packet {
  readonly used: number;
  readonly facts: string;
}

function nextPacket(bytes: Buffer, start: number, end: number, sasl: SaslState, request: BinaryRequest): Packet | undefined {
  const used = parsePacket(bytes, start, end, request, sasl);
  if (used === NEED_MORE) return undefined;
  holds(used > 0 && start + used <= end, 'a packet ends inside the input');
  const { command } = request;
  for (let i = 0; i < command.keyCount; i++) {
    const [from, to] = [command.keyStarts[i]!, command.keyEnds[i]!];
    holds(start < from && from <= to && to <= start + used && to - from <= 250, 'a key lies inside its packet');
  }
  holds(command.length >= 0 && command.length <= 2 ** 30 && request.skip >= 0 && request.skip <= 2 ** 32, 'lengths are bounded');
  return { used, facts: [request.opcode, request.opaque, request.status, command.op, command.length, command.keyCount, request.quiet, request.close, request.skip].join() };
}

function runBinary(input: Buffer): void {
  const sasl = (['off', 'required', 'done'] as const)[input.length % 3]!;
  const request = new BinaryRequest();
  let start = 0;
  while (start < input.length) {
    const packet = nextPacket(input, start, input.length, sasl, request);
    if (packet === undefined) break;
    if (!request.close) {
      // With a part of it there are more bytes to come, or the same is found.
      for (const shorter of [start + 1, start + 23, start + packet.used - 1]) {
        if (shorter >= start + packet.used || shorter <= start) continue;
        const early = nextPacket(input, start, shorter, sasl, new BinaryRequest());
        holds(early === undefined, 'a packet that is not all there is waited for');
      }
    }
    nextPacket(input, start, input.length, sasl, request);
    if (request.close) break;
    start += packet.used + (request.hasValue ? request.command.length : request.skip);
  }
  peekPacketKeys(input, 0, input.length, 100, (from, to) => holds(from < to && to <= input.length, 'a key ahead lies inside the input'));
}

function runAuth(input: Buffer): void {
  const command = new Command();
  for (let start = 0; start < input.length; ) {
    const used = parseAuthLine(input, start, input.length, start, command);
    if (used === NEED_MORE) break;
    holds(used > 0 && start + used <= input.length, 'a line ends inside the input');
    if (command.op === Op.refused) {
      holds(command.refusal === '' || Object.values(AuthRefusal).some((each) => each === command.refusal), 'a refusal is one of those there are');
      if (command.close) break;
      start += used;
      continue;
    }
    holds(command.op === Op.set && command.length >= 0 && command.length <= TOKEN_MAX, 'a token is bounded');
    const end = start + used + command.length;
    if (end > input.length) break;
    const token = input.subarray(start + used, end);
    const parts = splitToken(token);
    if (parts !== undefined) holds(!parts.user.includes(0x20) && parts.user.length + parts.password.length < token.length, 'user and password are parts of the token');
    start = end;
  }
}

function runDatagram(input: Buffer): void {
  const id = requestIdOf(input);
  if (id === undefined || input.length <= FRAME_LENGTH) {
    holds(id === undefined, 'a frame alone is no request');
    return;
  }
  const reply = Buffer.concat(Array.from({ length: 1 + (input[0]! % 4) }, () => input.subarray(FRAME_LENGTH)));
  const parts: Buffer[] = [];
  for (let i = 0; i < datagramCount(reply.length); i++) {
    const [frame, part] = replyDatagram(id, reply, i);
    holds(frame.readUInt16BE(0) === id && frame.readUInt16BE(2) === i && frame.length + part.length <= DATAGRAM_MAX && part.length > 0, 'a datagram is numbered and fits');
    parts.push(part);
  }
  holds(Buffer.concat(parts).equals(reply), 'the datagrams are the reply');
}

function runKeys(input: Buffer): void {
  const uri = decodeUriKey(input.toString('latin1'));
  if (uri !== undefined) {
    holds(uri.length > 0 && uri.length <= 250, 'a key has the length of one');
    const again = decodeUriKey(encodeUriKey(uri, 0, uri.length));
    holds(again?.equals(uri) === true, 'a key is read as it was written');
  }
  const key = decodeBase64Key(input, 0, input.length);
  if (key !== undefined) {
    const text = Buffer.from(encodeBase64Key(key, 0, key.length));
    holds(key.length === 0 || decodeBase64Key(text, 0, text.length)?.equals(key) === true, 'a key in base64 is read as it was written');
  }
}

const texts = (...lines: string[]): Buffer[] => lines.map((line) => Buffer.from(line, 'latin1'));

export const protocolTargets: readonly Target[] = [
  { name: 'text', seeds: transcriptSeeds(), words: textWords, run: runText },
  { name: 'meta', seeds: metaSeeds, words: textWords.filter((word) => /^m|^ /.test(word)), run: runText },
  { name: 'binary', seeds: packetSeeds, words: packetWords, run: runBinary },
  { name: 'auth', seeds: texts('set auth 0 0 9\r\nuser pass\r\nget a\r\n', 'get a\r\n', 'set a b c 3 d e\r\n a \r\n'), words: ['set ', ' 16384', ' 16385', '\r\n', 'user pass'], run: runAuth },
  { name: 'datagram', seeds: texts('\0\x01\0\0\0\x01\0\0get a\r\n', `\0\x01\0\0\0\x01\0\0${'x'.repeat(3000)}`), words: ['\0\x01', '\0\0'], run: runDatagram },
  { name: 'keys', seeds: texts('abc', 'a%20b%FF', 'YWJj', 'YQ==', 'YWI=', '%'), words: ['%', '%00', '%ff', '=', '==', '%2'], run: runKeys },
];
