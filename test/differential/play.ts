import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CasMemory } from './cas-memory.ts';
import { encodePacket, PACKET_MARKER, PacketReplies } from './packets.ts';
import type { ReplyReader } from './replies.ts';
import type { Dialect, Piece, Sequence, Visit } from './sequence.ts';
import type { ServerProcess } from './server-process.ts';
import { TEXT_MARKER, TextReplies } from './text-replies.ts';

/** About how many writes a block is cut into at most. */
const MOST_WRITES = 24;
const REPLY_TIMEOUT_MS = 10_000;

/** What one server answered to a visit. */
export interface VisitReplies {
  /** The replies to each step that was answered. */
  readonly steps: readonly string[];
  /** What came behind the last marker: the replies to a step that closes, if any. */
  readonly rest: string;
  readonly closed: boolean;
}

/**
 * Plays a sequence to one server. Restarts it where the sequence says so and its items would survive. `beforeVisit` is
 * called before every visit, after a restart.
 */
export async function play(
  server: ServerProcess,
  sequence: Sequence,
  beforeVisit: (server: ServerProcess) => Promise<void> = async () => undefined,
): Promise<VisitReplies[]> {
  const memory = new CasMemory();
  const replies: VisitReplies[] = [];
  const lines = new Map<number, Line>();
  try {
    for (const [i, visit] of sequence.visits.entries()) {
      if (sequence.restartBefore === i && server.persists) {
        // What was asked for without a reply was never acknowledged, and may be lost. Writes are committed in their order.
        if (sequence.visits.slice(0, i).some(isPartlySilent)) await ask(server, 'set committed 0 0 0\r\n\r\n');
        await server.restart();
        for (const line of lines.values()) line.end();
        lines.clear();
      }
      await beforeVisit(server);
      replies.push(await playVisit(server, visit, memory, lines));
    }
    return replies;
  } finally {
    for (const line of lines.values()) line.end();
  }
}

/** True when some command may have been carried out without a reply, and the markers behind it may be lost with it. */
function isPartlySilent(visit: Visit): boolean {
  return visit.steps.some((step) => step.pieces.some((piece) => typeof piece !== 'string' || piece.includes('noreply') || piece.includes(' q')));
}

/** Sends text on a connection of its own, and returns the replies. */
export async function ask(server: ServerProcess, request: string): Promise<string> {
  const visit: Visit = { dialect: 'text', steps: [{ pieces: [request] }], cuts: [] };
  const { steps } = await playVisit(server, visit, new CasMemory(), new Map());
  return steps[0] ?? '';
}

async function playVisit(server: ServerProcess, visit: Visit, memory: CasMemory, lines: Map<number, Line>): Promise<VisitReplies> {
  const { connection, dialect } = visit;
  const kept = connection === undefined ? undefined : lines.get(connection);
  const line = kept === undefined || kept.isClosed ? new Line(server) : kept;
  if (connection !== undefined) lines.set(connection, line);
  line.expect(dialect === 'text' ? new TextReplies(memory, visit.steps) : new PacketReplies(memory, visit.steps));
  try {
    let batch: Buffer[] = [];
    let answers = 0;
    for (const step of visit.steps) {
      const isAlone = step.alone === true || step.pieces.some(hasCas);
      if (isAlone && batch.length > 0) {
        await line.exchange(Buffer.concat(batch), visit.cuts, answers);
        batch = [];
      }
      batch.push(...step.pieces.map((piece) => encodePiece(piece, memory)));
      if (step.closes === true) {
        // In one go: a packet is refused at its header, and what comes behind the close may cost the reply.
        await line.exchange(Buffer.concat(batch), dialect === 'binary' ? [] : visit.cuts, Infinity);
        batch = [];
        break;
      }
      batch.push(markerOf(dialect));
      answers++;
    }
    if (batch.length > 0) await line.exchange(Buffer.concat(batch), visit.cuts, answers);
    return line.replies();
  } finally {
    if (connection === undefined) line.end();
  }
}

function markerOf(dialect: Dialect): Buffer {
  return dialect === 'text' ? TEXT_MARKER : PACKET_MARKER;
}

function hasCas(piece: Piece): boolean {
  return typeof piece === 'object' && ('casOf' in piece || ('packet' in piece && typeof piece.packet.cas === 'object'));
}

function encodePiece(piece: Piece, memory: CasMemory): Buffer {
  if (typeof piece === 'string') return Buffer.from(piece, 'latin1');
  if ('run' in piece) return Buffer.alloc(piece.times, piece.run, 'latin1');
  if ('packet' in piece) return encodePacket(piece.packet, memory);
  return Buffer.from(memory.recall(piece));
}

/** A connection to a server. */
class Line {
  readonly #socket: Socket;
  readonly #name: string;
  #reader: ReplyReader | undefined;
  #closed = false;
  #notify: () => void = () => undefined;

  constructor(server: ServerProcess) {
    this.#name = server.name;
    this.#socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => {
      this.#reader?.add(chunk);
      this.#notify();
    });
    const closed = (): void => {
      this.#closed = true;
      this.#notify();
    };
    // A server that closes with input unread resets the connection.
    this.#socket.on('error', closed);
    this.#socket.on('end', closed);
    this.#socket.on('close', closed);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** What comes from now on is for this reader. */
  expect(reader: ReplyReader): void {
    this.#reader = reader;
  }

  /** Sends bytes, then waits until so many steps are answered in all, or the connection is closed. */
  async exchange(bytes: Buffer, cuts: readonly number[], answers: number): Promise<void> {
    let at = 0;
    for (let i = 0; at < bytes.length && !this.#closed; i++) {
      // Large blocks in large pieces, or they would take for ever.
      const length = Math.max(cuts[i % cuts.length] ?? bytes.length, Math.floor((bytes.length - at) / MOST_WRITES));
      this.#socket.write(bytes.subarray(at, at + length));
      at += length;
      if (at < bytes.length) await nextTurn();
    }
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        const replies = JSON.stringify(this.#reader?.unfinished.slice(0, 200));
        reject(new Error(`${this.#name} left step ${this.#answered} of ${answers} without an answer: ${replies}`));
      }, REPLY_TIMEOUT_MS);
      this.#notify = () => {
        if (!this.#closed && this.#answered < answers) return;
        clearTimeout(timer);
        resolve();
      };
      this.#notify();
    });
  }

  replies(): VisitReplies {
    return { steps: [...(this.#reader?.steps ?? [])], rest: this.#reader?.unfinished ?? '', closed: this.#closed };
  }

  get #answered(): number {
    return this.#reader?.steps.length ?? 0;
  }

  end(): void {
    this.#socket.destroy();
  }
}
