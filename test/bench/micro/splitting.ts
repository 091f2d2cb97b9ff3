import { Command } from '../../../src/cache/command.ts';
import { BinaryRequest, parsePacket } from '../../../src/protocol/binary-parser.ts';
import { NEED_MORE, parseLine } from '../../../src/protocol/text-parser.ts';
import { type Contest, type ContestGroup, mustAgree, type Pass } from './contest.ts';
import { packets, type Requests, texts } from './requests.ts';

type Parse = (bytes: Buffer, end: number, scanFrom: number) => number;

/** One request that arrives in two halves, compared with the same in one piece. */
export function splittingGroup(): ContestGroup {
  const command = new Command();
  const request = new BinaryRequest();
  const line: Parse = (bytes, end, scanFrom) => parseLine(bytes, 0, end, scanFrom, command);
  const packet: Parse = (bytes, end) => parsePacket(bytes, 0, end, request);
  return {
    title: 'A request in two halves, ns per request',
    contestants: ['joined', 'parsed twice', 'whole'],
    references: ['whole'],
    showsExtra: true,
    contests: [...texts.map((requests) => contest(requests, line)), ...packets.map((requests) => contest(requests, packet))],
  };
}

function contest({ name, bytes, count, blockBytes }: Requests, parse: Parse): Contest {
  const length = bytes.length / count - blockBytes;
  const all = Array.from({ length: count }, (_, i) => bytes.subarray(i * (length + blockBytes), i * (length + blockBytes) + length));
  const cut = length >> 1;
  const each = (work: (whole: Buffer) => number): Pass => {
    return () => {
      let sum = 0;
      for (const whole of all) sum += work(whole);
      return sum;
    };
  };
  const halves = all.map((whole) => ({ first: whole.subarray(0, cut), second: whole.subarray(cut) }));
  const whole = each((bytes) => parse(bytes, length, 0));
  const twice = each((bytes) => (parse(bytes, cut, 0) === NEED_MORE ? parse(bytes, length, cut) : Number.NaN));
  // As a connection does it: what is left of a read is copied, and joined with the next.
  const joined: Pass = () => {
    let sum = 0;
    for (const { first, second } of halves) {
      const kept = parse(first, cut, 0) === NEED_MORE ? Buffer.from(first) : undefined;
      sum += kept === undefined ? Number.NaN : parse(Buffer.concat([kept, second]), length, cut);
    }
    return sum;
  };
  mustAgree(`${name}, in two halves`, [whole(), twice(), joined(), all.length * length]);
  return { name, count, bytes: length, passes: new Map([['joined', joined], ['parsed twice', twice], ['whole', whole]]) };
}
