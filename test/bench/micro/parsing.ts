import { Command } from '../../../src/cache/command.ts';
import { HEADER_LENGTH } from '../../../src/protocol/binary-header.ts';
import { BinaryRequest, parsePacket } from '../../../src/protocol/binary-parser.ts';
import { parseLine } from '../../../src/protocol/text-parser.ts';
import { type Contest, type ContestGroup, mustAgree, type Pass } from './contest.ts';
import { NaiveRequest, readFields, splitLine } from './naive.ts';
import { packets, type Requests, type TextRequests, texts } from './requests.ts';

const LF = 0x0a;

/** Parsing of whole requests that arrived together. */
export function parsingGroup(): ContestGroup {
  return {
    title: 'Parsing, ns per request',
    contestants: ['tugela', 'floor', 'naive'],
    references: ['floor', 'naive'],
    showsExtra: false,
    contests: [
      ...texts.map((requests) => contest(requests, parseLines(requests), scanLines(requests), walk(requests, splitLine))),
      ...packets.map((requests) => contest(requests, parsePackets(requests), scanPackets(requests), walk(requests, readFields))),
    ],
  };
}

function contest(requests: Requests, tugela: Pass, floor: Pass, naive: Pass): Contest {
  const { name, count, bytes, blockBytes } = requests;
  // The floor finds no keys; it must find the requests.
  mustAgree(name, [tugela(), naive()]);
  mustAgree(`${name}, floor`, [floor(), bytes.length]);
  return { name, count, bytes: bytes.length / count - blockBytes, passes: new Map(Object.entries({ tugela, floor, naive })) };
}

function parseLines({ bytes, blockBytes }: Requests): Pass {
  const command = new Command();
  return () => {
    let sum = 0;
    for (let at = 0; at < bytes.length; at += blockBytes) {
      at += parseLine(bytes, at, bytes.length, at, command);
      sum += keyBytes(command);
    }
    return sum;
  };
}

function parsePackets({ bytes }: Requests): Pass {
  const request = new BinaryRequest();
  const { command } = request;
  return () => {
    let sum = 0;
    for (let at = 0; at < bytes.length; at += command.length) {
      at += parsePacket(bytes, at, bytes.length, request);
      sum += keyBytes(command);
    }
    return sum;
  };
}

function keyBytes({ keyCount, keyStarts, keyEnds }: Command): number {
  let sum = 0;
  for (let i = 0; i < keyCount; i++) sum += (keyEnds[i] ?? 0) - (keyStarts[i] ?? 0);
  return sum;
}

function walk({ bytes, blockBytes }: Requests, parse: (bytes: Buffer, at: number, request: NaiveRequest) => number): Pass {
  const request = new NaiveRequest();
  return () => {
    let sum = 0;
    for (let at = 0; at < bytes.length; at += blockBytes) {
      at += parse(bytes, at, request);
      for (const key of request.keys) sum += key.length;
    }
    return sum;
  };
}

/** The least: finds the end of the line, byte by byte, and compares the first word with the one that it knows to come. */
function scanLines({ bytes, blockBytes, word }: TextRequests): Pass {
  const expected = Buffer.from(word, 'latin1');
  const limit = bytes.length;
  return () => {
    let found = 0;
    for (let at = 0; at < limit; ) {
      const end = lineFeed(bytes, at, limit);
      const size = end + 1 - at + blockBytes;
      if (startsWith(bytes, at, expected)) found += size;
      at += size;
    }
    return found;
  };
}

function lineFeed(bytes: Buffer, from: number, limit: number): number {
  let at = from;
  while (at < limit && bytes[at] !== LF) at++;
  return at;
}

function startsWith(bytes: Buffer, at: number, word: Buffer): boolean {
  let same = 0;
  while (same < word.length && bytes[at + same] === word[same]) same++;
  return same === word.length;
}

/** The least: opcode and length of the body. */
function scanPackets({ bytes }: Requests): Pass {
  const opcode = bytes[1];
  return () => {
    let found = 0;
    for (let at = 0; at < bytes.length; ) {
      const size = HEADER_LENGTH + bytes.readUInt32BE(at + 8);
      if (bytes[at + 1] === opcode) found += size;
      at += size;
    }
    return found;
  };
}
