import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HEADER_LENGTH, Magic, PacketHeader, readHeader } from '../../../src/protocol/binary-header.ts';
import { cutAtRandom, randomOf } from '../cut.ts';
import { hasOverlongLine } from '../overlong.ts';
import { Rig } from '../rig.ts';
import { metaSeeds, packetSeeds, packetWords, textWords, transcriptSeeds } from '../seeds.ts';
import { holds, type Target } from '../target.ts';
import { FuzzWire } from '../wire.ts';

/** Bytes of buffers, those of two servers and of what they are asked for: one that takes quadratic time makes more. */
const REPLIES_BYTES = 2 ** 30;

/** Ends the reply to each command of the pipeline. */
const MARK = 'mn\r\n';

const directory = mkdtempSync(join(tmpdir(), 'tugela-fuzz-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const passwords = join(directory, 'passwords');
writeFileSync(passwords, 'user:pass\n');

/** Two servers that have been told the same, and so have to answer the same. */
class Twins {
  #one: Rig | undefined;
  #other: Rig | undefined;

  async reset(): Promise<void> {
    await this.close();
    this.#one = await Rig.open(passwords);
    this.#other = await Rig.open(passwords);
  }

  async close(): Promise<void> {
    await this.#one?.close();
    await this.#other?.close();
    this.#one = undefined;
    this.#other = undefined;
  }

  /**
   * Sends an input to both: to one in a single piece and read at once, to the other cut into pieces, to a client that
   * reads when it likes. Gives the reply.
   */
  async ask(input: Buffer, mustAuthenticate: boolean): Promise<Buffer> {
    const [one, other] = [this.#one!, this.#other!];
    const random = randomOf(input);
    const seconds = random.chance(0.2) ? random.between(1, 20) : 0;
    for (const rig of [one, other]) rig.clock.advance(seconds);
    const whole = await one.play(new FuzzWire(), [input], mustAuthenticate);
    const pieces = await other.play(new FuzzWire(random), cutAtRandom(input), mustAuthenticate);
    for (const rig of [one, other]) {
      holds(rig.faults.length === 0, `the server makes no mistake: ${rig.faults[0]?.stack}`);
      holds(rig.memory.stats().usedBytes === 0, `all memory of connections is given back (${rig.memory.stats().usedBytes} bytes are left)`);
    }
    if (!whole.equals(pieces)) {
      let at = 0;
      while (at < whole.length && whole[at] === pieces[at]) at++;
      const shown = (bytes: Buffer): string => JSON.stringify(bytes.toString('latin1', Math.max(0, at - 40), at + 60));
      holds(false, `the same reply however the input is cut\n  one piece: ${shown(whole)}\n  many:      ${shown(pieces)}`);
    }
    return whole;
  }

  /** A client that comes afterwards is served. */
  async checkAlive(): Promise<void> {
    holds((await this.ask(Buffer.from('set alive 0 0 1\r\n1\r\nget alive\r\n'), false)).toString('latin1') === 'STORED\r\nVALUE alive 0 1\r\n1\r\nEND\r\n', 'who comes next is served');
  }
}

const twins = new Twins();
let count = 0;

/** Anything: an input that begins with `A` is from a client that has to authenticate. */
async function runConnection(input: Buffer): Promise<void> {
  const mustAuthenticate = input[0] === 0x41;
  const sent = mustAuthenticate ? input.subarray(1) : input;
  if (sent.length === 0 || (sent[0] !== Magic.request && dependsOnPieces(sent))) return;
  const reply = await twins.ask(sent, mustAuthenticate);
  if (sent[0] === Magic.request && !mustAuthenticate) checkPackets(sent, reply);
  if (++count % 16 === 0) await twins.checkAlive();
}

/** True for what is answered as memcached does it: listings refuse to be pipelined, which they are or not as input arrives. */
function dependsOnPieces(sent: Buffer): boolean {
  return sent.includes('metadump') || sent.includes('mgdump') || hasOverlongLine(sent);
}

/** Replies are whole packets, in the order of their requests. */
function checkPackets(sent: Buffer, reply: Buffer): void {
  const opaques: number[] = [];
  const header = new PacketHeader();
  for (let at = 0; at + HEADER_LENGTH <= sent.length && sent[at] === Magic.request; ) {
    readHeader(sent, at, header);
    opaques.push(header.opaque);
    at += HEADER_LENGTH + header.bodyLength;
  }
  let request = 0;
  for (let at = 0; at < reply.length; ) {
    holds(reply[at] === Magic.reply && at + HEADER_LENGTH <= reply.length, 'a reply is a packet');
    readHeader(reply, at, header);
    at += HEADER_LENGTH + header.bodyLength;
    holds(at <= reply.length, 'a reply is as long as it says');
    while (request < opaques.length && opaques[request] !== header.opaque) request++;
    holds(request < opaques.length, 'replies come in the order of their requests');
  }
}

/*
 * An input for the pipeline is a list of commands, a line each, without data blocks: where a command names a length,
 * a block of that length is put behind it.
 */
async function runPipeline(input: Buffer): Promise<void> {
  const commands = input.toString('latin1').replaceAll('\r', '').split('\n').slice(0, 40).filter(isAnswered);
  const sent = commands.map((line) => `${line}\r\n${blockFor(line)}${MARK}`).join('');
  if (sent === '' || dependsOnPieces(Buffer.from(sent, 'latin1'))) return;
  const reply = (await twins.ask(Buffer.from(sent, 'latin1'), false)).toString('latin1');
  const parts = reply.split('MN\r\n');
  holds(parts.length === commands.length + 1 && parts.at(-1) === '', `each command has its reply, and no more: ${commands.length} commands, ${parts.length - 1} marks`);
  for (const [i, command] of commands.entries()) {
    holds(isOneReply(parts[i]!), `one reply to ${JSON.stringify(command)}: ${JSON.stringify(parts[i]!.slice(0, 200))}`);
  }
}

/** True for commands of one line, after which the connection goes on, and whose block has a length that fits. */
function isAnswered(line: string): boolean {
  if (line === '' || line.length > 600 || line.includes('MN') || /^\x80|^(quit|watch|shutdown|mn|A)/.test(line)) return false;
  if (/^m[a-z] /.test(line) && / q/.test(line)) return false;
  if (!/^(set|add|replace|append|prepend|cas|ms)( |$)/.test(line)) return true;
  return blockLength(line) !== undefined;
}

function blockLength(line: string): number | undefined {
  const [, plain, meta] = /^(?:set|add|replace|append|prepend|cas) [^ \0]{1,250} \d{1,9} -?\d{1,9} (\d{1,5})(?: \d{1,18})?$|^ms [^ \0]{1,250} (\d{1,5})(?: [^ \0]+)*$/.exec(line) ?? [];
  const digits = plain ?? meta;
  if (digits === undefined || (line.startsWith('cas ') !== /^cas( [^ ]+){5}$/.test(line) && plain !== undefined)) return undefined;
  return Number(digits);
}

function blockFor(line: string): string {
  const length = /^(set|add|replace|append|prepend|cas|ms)( |$)/.test(line) ? blockLength(line) : undefined;
  return length === undefined ? '' : `${'v'.repeat(length)}\r\n`;
}

/** Nothing (noreply), a line, or a listing that has its end; data blocks hold no line ends here. */
function isOneReply(reply: string): boolean {
  if (reply === '') return true;
  const lines = reply.split('\r\n');
  if (lines.pop() !== '') return false;
  if (lines.length === 1) return true;
  if (lines[0]!.startsWith('VA ')) return lines.length === 2;
  // A listing of keys, items or statistics, or a dump, whose lines end in LF alone.
  return /^(END|EN|OK)( |$)/.test(lines.at(-1)!) && lines.slice(0, -1).every((line) => !/^(END|EN|ERROR)$/.test(line));
}

const texts = (...lines: string[]): Buffer[] => lines.map((line) => Buffer.from(line, 'latin1'));

export const connectionTargets: readonly Target[] = [
  {
    name: 'connection',
    seeds: [
      ...transcriptSeeds(),
      ...metaSeeds,
      ...packetSeeds,
      ...texts(
        `set big 0 0 40000\r\n${'b'.repeat(40_000)}\r\nget big big big\r\ngat 5 big big\r\nmg big v\r\n`,
        `set q:a 0 0 1500\r\n${'b'.repeat(1500)}\r\nset q:b 0 0 1500\r\n${'b'.repeat(1500)}\r\nset q:c 0 0 1500\r\n${'b'.repeat(1500)}\r\nappend q:a 0 0 3\r\nabc\r\n`,
        `set e 0 5 300\r\n${'e'.repeat(300)}\r\ntouch e 100\r\nget e\r\nset e 0 3 1\r\n1\r\nincr e 1\r\ntouch e 0\r\n`,
        `${'set n 0 9 1 noreply\r\n5\r\n'.repeat(60)}incr n 5\r\n`,
        'Aset a 0 0 9\r\nuser pass\r\nset b 0 0 1\r\n1\r\nget b\r\n',
        'Aget a\r\nset a 0 0 9\r\nuser nope\r\nquit\r\n',
        `get ${'k '.repeat(600)}\r\n`,
      ),
    ],
    words: [...textWords.filter((word) => !word.startsWith('shutdown')), ...packetWords],
    maxBytes: 60_000,
    bufferBytes: REPLIES_BYTES,
    reset: () => twins.reset(),
    run: runConnection,
    close: () => twins.close(),
  },
  {
    name: 'pipeline',
    seeds: texts(
      'set a 0 0 5\nget a\nappend a 0 0 300\nincr a 1\ntouch a 5\ndelete a\ncas a 0 0 1 5\ngat 0 a b',
      'set n 1 3 1\nget n\ngets n\ngats 4 n\nverbosity 1\nflush_all\nversion\nsync\nfoo\nadd q:x 0 5 3000\nadd q:y 0 0 3000',
      'ms a 5 T3 c\nmg a v t\nmd a I\nma n N0 J5 v\nme a\nmg a k O5\nms YWJj 3 b',
      'expire state\nexpire due 5\nexpire list 5 - 0\nlru_crawler metadump all\nlru mode flat\nslabs automove 0\nstats items\nset a 0 0 300\nset b 0 9 40000\nget a b a',
    ),
    words: [...textWords.map((word) => word.replaceAll('\r', '')).filter((word) => !/^(quit|watch|shutdown)/.test(word)), '\n'],
    maxBytes: 4000,
    bufferBytes: REPLIES_BYTES,
    reset: () => twins.reset(),
    run: runPipeline,
    close: () => twins.close(),
  },
];
