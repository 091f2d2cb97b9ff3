import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CasMemory, ReplyReader } from './replies.ts';
import type { Piece, Sequence, Step, Visit } from './sequence.ts';
import type { ServerProcess } from './server-process.ts';

const MARKER = 'mn\r\n';
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
  for (const [i, visit] of sequence.visits.entries()) {
    if (sequence.restartBefore === i && server.persists) {
      // What was asked for without a reply was never acknowledged, and may be lost. Writes are committed in their order.
      if (sequence.visits.slice(0, i).some(hasNoreply)) await ask(server, 'set committed 0 0 0\r\n\r\n');
      await server.restart();
    }
    await beforeVisit(server);
    replies.push(await playVisit(server, visit, memory));
  }
  return replies;
}

function hasNoreply(visit: Visit): boolean {
  return visit.steps.some((step) => step.pieces.some((piece) => typeof piece === 'string' && piece.includes('noreply')));
}

/** Sends text on a connection of its own, and returns the replies. */
export async function ask(server: ServerProcess, request: string): Promise<string> {
  const { steps } = await playVisit(server, { steps: [{ pieces: [request] }], cuts: [] }, new CasMemory());
  return steps[0] ?? '';
}

async function playVisit(server: ServerProcess, visit: Visit, memory: CasMemory): Promise<VisitReplies> {
  const line = new Line(server, memory);
  try {
    let batch: Buffer[] = [];
    let answers = 0;
    for (const step of visit.steps) {
      const isAlone = step.alone === true || step.pieces.some((piece) => typeof piece === 'object' && 'casOf' in piece);
      if (isAlone && batch.length > 0) {
        await line.exchange(Buffer.concat(batch), visit.cuts, answers);
        batch = [];
      }
      batch.push(encode(step, memory));
      if (step.closes === true) {
        await line.exchange(Buffer.concat(batch), visit.cuts, Infinity);
        batch = [];
        break;
      }
      batch.push(Buffer.from(MARKER));
      answers++;
    }
    if (batch.length > 0) await line.exchange(Buffer.concat(batch), visit.cuts, answers);
    return line.replies();
  } finally {
    line.end();
  }
}

function encode(step: Step, memory: CasMemory): Buffer {
  return Buffer.concat(step.pieces.map((piece) => encodePiece(piece, memory)));
}

function encodePiece(piece: Piece, memory: CasMemory): Buffer {
  if (typeof piece === 'string') return Buffer.from(piece, 'latin1');
  if ('run' in piece) return Buffer.alloc(piece.times, piece.run, 'latin1');
  // A key whose cas unique was never shown: one that no server gives.
  const cas = (piece.which === 'last' ? memory.last : memory.first).get(piece.casOf) ?? '9999999999999999';
  return Buffer.from(cas);
}

/** A connection to a server. */
class Line {
  readonly #socket: Socket;
  readonly #reader: ReplyReader;
  readonly #name: string;
  #closed = false;
  #notify: () => void = () => undefined;

  constructor(server: ServerProcess, memory: CasMemory) {
    this.#reader = new ReplyReader(memory);
    this.#name = server.name;
    this.#socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => {
      this.#reader.add(chunk);
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
        const replies = JSON.stringify(this.#reader.unfinished.slice(0, 200));
        reject(new Error(`${this.#name} left step ${this.#reader.steps.length} of ${answers} without an answer: ${replies}`));
      }, REPLY_TIMEOUT_MS);
      this.#notify = () => {
        if (!this.#closed && this.#reader.steps.length < answers) return;
        clearTimeout(timer);
        resolve();
      };
      this.#notify();
    });
  }

  replies(): VisitReplies {
    return { steps: [...this.#reader.steps], rest: this.#reader.unfinished, closed: this.#closed };
  }

  end(): void {
    this.#socket.destroy();
  }
}
