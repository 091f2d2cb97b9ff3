import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { LineClient } from '../../../daemon/line-client.ts';
import { LinkError } from '../../../daemon/link-error.ts';
import { isEnd, parseCompacted, parseDue, parseItems, parseKeys, parseReaped, parseState, parseStats } from '../../../daemon/replies.ts';
import { SaslAuthority } from '../../../src/auth/sasl.ts';
import { PasswordFile } from '../../../src/auth/password-file.ts';
import { ValueReader } from '../../../src/client/value-reader.ts';
import { messageOf, TugelaError } from '../../../src/errors.ts';
import { ServerLink } from '../../../src/tools/server-link.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { cutAtRandom } from '../cut.ts';
import { holds, refusalOf, type Target } from '../target.ts';

const isLinkError = (error: unknown): boolean => error instanceof LinkError;

/** Replies of a server to the daemon, as lines: each is read or refused. */
function runReplies(input: Buffer): void {
  const lines = input.toString('latin1').split('\n');
  refusalOf(() => parseStats(lines), isLinkError);
  refusalOf(() => parseState(lines), isLinkError);
  refusalOf(() => parseReaped(lines), isLinkError);
  refusalOf(() => parseCompacted(lines), isLinkError);
  const keys = refusalOf(() => parseKeys(lines), isLinkError);
  if (!(keys instanceof Error)) holds(keys.every((key) => key.length > 0 && key.length <= 250), 'a key has the length of one');
  const due = refusalOf(() => parseDue(lines), isLinkError);
  if (!(due instanceof Error)) holds(due.rows.every(({ deadline, entries }) => Number.isSafeInteger(deadline) && Number.isSafeInteger(entries)), 'rows have whole numbers');
  const items = refusalOf(() => parseItems(lines), isLinkError);
  if (!(items instanceof Error)) holds(items.items.every(({ length, expiresAt }) => Number.isSafeInteger(length) && Number.isSafeInteger(expiresAt)), 'items have whole numbers');
}

/** A server that answers whoever connects with an input, in pieces, and hangs up. */
class LyingServer {
  readonly #server: Server;
  input: Buffer = Buffer.alloc(0);

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<LyingServer> {
    const server = createServer({ noDelay: true });
    const lying = new LyingServer(server);
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => void lying.#answer(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return lying;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
  }

  async #answer(socket: Socket): Promise<void> {
    for (const piece of cutAtRandom(this.input).slice(0, 20)) {
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
  }
}

let lying: LyingServer | undefined;

const limits = { connectTimeoutMs: 5000, replyTimeoutMs: 5000, maxLineBytes: 1000, maxReplyBytes: 5000, maxPending: 8 };

/** What a server sends to each of the clients there are: they give it back, or refuse it. */
async function runClients(input: Buffer): Promise<void> {
  lying ??= await LyingServer.open();
  lying.input = input.subarray(1);
  const address = { host: '127.0.0.1', port: lying.port };
  switch ((input[0] ?? 0) % 3) {
    case 0: {
      const client = await LineClient.connect(address, limits, new AbortController().signal);
      const replies = await Promise.allSettled([client.request('stats', isEnd), client.request('expire due 1', isEnd)]);
      for (const reply of replies) {
        if (reply.status === 'fulfilled') holds(reply.value.join('').length <= limits.maxReplyBytes && isEnd(reply.value.at(-1) ?? ''), 'a reply is bounded and has its end');
        else holds(isLinkError(reply.reason), `a refusal is a LinkError, not ${messageOf(reply.reason)}`);
      }
      client.close();
      return;
    }
    case 1: {
      const reader = await ValueReader.connect(address);
      try {
        for await (const [, value] of reader.read([1, 2, 3].map((n) => ({ key: Buffer.from(`k${n}`), length: n })))) {
          if (value !== undefined) holds(input.includes(value), 'a value is what was sent');
        }
      } catch (error) {
        holds(isLinkError(error), `a refusal is a LinkError, not ${messageOf(error)}`);
      }
      reader.close();
      return;
    }
    default: {
      const link = await ServerLink.connect(address);
      try {
        await link.send([Buffer.from('x\r\n')]);
        for (;;) holds((await link.line()).length <= 4096 + 65_536, 'a line is bounded');
      } catch (error) {
        holds(error instanceof TugelaError && (error.code === 'TUGELA_CONNECT' || error.code === 'TUGELA_PROTOCOL'), `a refusal is a TugelaError, not ${messageOf(error)}`);
      }
      link.close();
    }
  }
}

const directory = mkdtempSync(join(tmpdir(), 'tugela-fuzz-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
let authority: SaslAuthority | undefined;

/** An exchange: mechanism and responses are lines. Nobody is let in who does not know the password. */
async function runSasl(input: Buffer): Promise<void> {
  if (authority === undefined) {
    const path = join(directory, 'passwords');
    writeFileSync(path, 'user@host:sEcret\n');
    authority = new SaslAuthority(new PasswordFile(path, true), { commands: 0, errors: 0 }, pino({ level: 'silent' }));
  }
  const session = {};
  const [mechanism = '', ...responses] = input.toString('latin1').split('\n');
  for (const [i, response] of responses.slice(0, 4).entries()) {
    const bytes = Buffer.from(response, 'latin1');
    const outcome = i === 0 ? await authority.start(session, mechanism, bytes) : await authority.step(session, mechanism, bytes);
    if (outcome.kind === 'done') holds(response.includes('\0sEcret'), 'nobody is let in without the password');
  }
}

const texts = (...lines: string[]): Buffer[] => lines.map((line) => Buffer.from(line, 'latin1'));

export const peerTargets: readonly Target[] = [
  {
    name: 'replies',
    seeds: texts(
      'STAT entries 5\nSTAT oldest_deadline 100\nSTAT now 200\nSTAT busy_ms 0.5\nEND',
      'ROW 1-2-3 100 5\nROW 2 200 1\nEND 999 -',
      'KEY abc\nKEY a%20b\nEND',
      'ITEM a 5 0 100 3\nITEM b%FF 6 7 8 9\nEND a',
      'REAPED 1 2 3 4 5',
      'COMPACTED 1 2',
    ),
    words: ['STAT ', 'ROW ', 'KEY ', 'ITEM ', 'END', 'END ', 'REAPED ', 'COMPACTED ', ' -', '%', '\n'],
    run: runReplies,
  },
  {
    name: 'clients',
    seeds: texts('\0STAT a 1\r\nEND\r\nROW 1 2 3\r\nEND 5 -\r\n', '\x01VA 3\r\nabc\r\nEN\r\nVA 0\r\n\r\n', '\x02OK\r\nSTORED\r\n', '\0ERROR\r\nSERVER_ERROR x\r\n', '\x01SERVER_ERROR out of memory\r\n'),
    words: ['VA 9999999999\r\n', 'VA 2147483648\r\n', 'EN\r\n', 'END\r\n', 'ERROR\r\n', 'CLIENT_ERROR control commands are not accepted\r\n', 'x'.repeat(1100)],
    maxBytes: 8000,
    run: runClients,
    close: async () => {
      lying?.close();
      lying = undefined;
    },
  },
  {
    name: 'sasl',
    seeds: texts('PLAIN\n\0user\0wrong', 'PLAIN\n\n\0user\0wrong', 'CRAM-MD5\n\nuser 0123456789abcdef0123456789abcdef', 'plain\nzid\0user@host\0x'),
    words: ['PLAIN', 'CRAM-MD5', '\0', '\n', 'user', '@host', ' '],
    maxBytes: 2000,
    run: runSasl,
  },
];
