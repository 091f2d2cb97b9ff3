/**
 * `npm run bench:rush`: how long the first answer takes when many clients connect at once to a server that those who are in already
 * keep busy, as after a deployment. Each sends one request after the other, of which the server has much more to do than the client:
 * a get of keys that are not there. The figures are in docs/benchmarks.md.
 */
import { cpus, tmpdir } from 'node:os';
import { connectTo } from './load/socket.ts';
import { allContestants } from './contestants.ts';
import { runKept } from './run-kept.ts';
import { Server } from './server.ts';
import { median, roundOrder } from './statistics.ts';
import { formatTable } from './table.ts';

const CLIENTS = 1000;
const ROUNDS = 5;
/** Who has no answer by then counts with this time. */
const LIMIT_MS = 15_000;
const KEYS = 64;
const REQUEST = Buffer.from(`get ${Array.from({ length: KEYS }, (_, i) => `absent:${String(i).padStart(12, '0')}`).join(' ')}\r\n`);
const ANSWER_BYTES = Buffer.byteLength('END\r\n');
const SERVERS = ['tugela', 'memcached'];

interface Outcome {
  /** Milliseconds from the beginning to each client's first answer, the quickest first. */
  readonly first: readonly number[];
  readonly answersPerSecond: number;
}

/** Lets all clients in, and goes on until each was answered, or the time is up. */
async function rush(port: number): Promise<Outcome> {
  const first: number[] = [];
  let answers = 0;
  const beganAt = performance.now();
  let isOver = false;
  const sockets: ReturnType<typeof connectTo>[] = [];
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, LIMIT_MS);
    for (let i = 0; i < CLIENTS; i++) {
      let isKnown = false;
      const socket = connectTo(port, (bytes) => {
        answers += bytes.length / ANSWER_BYTES;
        if (!isKnown) {
          isKnown = true;
          if (first.push(performance.now() - beganAt) === CLIENTS) {
            clearTimeout(timer);
            resolve();
          }
        }
        if (!isOver) socket.write(REQUEST);
      });
      socket.on('connect', () => socket.write(REQUEST));
      socket.on('error', reject);
      sockets.push(socket);
    }
  });
  isOver = true;
  const seconds = (performance.now() - beganAt) / 1000;
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve).destroy())));
  while (first.length < CLIENTS) first.push(LIMIT_MS);
  return { first: first.toSorted((a, b) => a - b), answersPerSecond: answers / seconds };
}

await runKept(tmpdir(), 'tugela-rush-', async ({ directory, keeper }) => {
  const contestants = allContestants([]).filter(({ name }) => SERVERS.includes(name));
  for (const contestant of contestants) {
    const why = contestant.missing();
    if (why !== undefined) throw new Error(`${contestant.name}: ${why}`);
  }
  const servers: Server[] = [];
  for (const contestant of contestants) servers.push(await Server.start(contestant, { directory, valueBytes: 1000, connections: 2 * CLIENTS }, keeper));
  const outcomes = new Map<Server, Outcome[]>(servers.map((server) => [server, []]));
  // The first is a warm-up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const server of roundOrder(servers, round)) {
      process.stderr.write(`${round}/${ROUNDS}, ${server.contestant.name}\n`);
      const outcome = await rush(server.port);
      if (round > 0) outcomes.get(server)!.push(outcome);
      await server.settle(2000);
    }
  }
  const rows = servers.map((server) => {
    const of = (share: number): string => median(outcomes.get(server)!.map(({ first }) => first[Math.ceil(share * CLIENTS) - 1]!)).toFixed(0);
    return [server.contestant.name, of(0.5), of(0.99), of(1), median(outcomes.get(server)!.map(({ answersPerSecond }) => answersPerSecond)).toFixed(0)];
  });
  process.stdout.write(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.versions.node}; ${CLIENTS} clients, medians of ${ROUNDS} interleaved rounds\n\n`);
  process.stdout.write(formatTable(['server', 'half answered, ms', '99 %, ms', 'all, ms', 'answers/s'], rows));
});
