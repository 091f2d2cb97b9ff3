import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { formatBounds, isMet } from '../bounds.ts';
import { describeEnvironment } from '../environment.ts';
import { runKept } from '../run-kept.ts';
import { Server } from '../server.ts';
import { tugelaAs } from '../tugela.ts';
import { KEPT_OF, WAYS } from './data-set.ts';
import { type ReclaimOptions, runReclaim } from './run-reclaim.ts';

const USAGE = `Usage: npm run bench:reclaim -- [--gb 2] [--value 1000] [--way ${WAYS.join('|')}] [--readers 4] [--rest 2] [--normal 30] [--limit 600]

Starts serve --with-expire on a directory of its own, fills it, measures gets of a tenth of the items for --normal seconds, on
--readers connections that each rest for --rest milliseconds after an answer, has
the other nine tenths deleted at full rate while the gets go on, and watches the directory shrink below 15 % of what it
was, for --limit seconds at most. Then it waits until the server is at rest, for two minutes at most, and measures the gets again
for --normal seconds. From when the client has nothing more to do for it until the directory is as small as that, the p99 of the gets
must be at most twice the mean of the p99 before and after. If these two differ by more than 1.5 times it says that the machine
changed within the run. Exits with status 1 when one of the two bounds is missed.
`;
const CONTESTANT = tugelaAs('tugela', ['--with-expire', '--memory', '64']);
const CONNECTIONS = 100;

function optionsFrom(args: string[]): ReclaimOptions | undefined {
  const { values } = parseArgs({
    args,
    options: {
      gb: { type: 'string', default: '2' },
      value: { type: 'string', default: '1000' },
      way: { type: 'string', default: 'delete' },
      readers: { type: 'string', default: '4' },
      rest: { type: 'string', default: '2' },
      normal: { type: 'string', default: '30' },
      limit: { type: 'string', default: '600' },
      help: { type: 'boolean', default: false },
    },
  });
  const way = WAYS.find((name) => name === values.way);
  const [gb, valueBytes, normalSeconds, limitSeconds] = [values.gb, values.value, values.normal, values.limit].map(Number) as [number, number, number, number];
  const [readers, restMs] = [Number(values.readers), Number(values.rest)];
  if (values.help || way === undefined || ![gb, valueBytes, normalSeconds, limitSeconds].every((n) => n > 0) || valueBytes < 16) return undefined;
  if (!Number.isInteger(readers) || readers < 1 || readers > CONNECTIONS - 10 || !(restMs >= 0)) return undefined;
  const items = Math.round((gb * 1e9) / valueBytes / KEPT_OF) * KEPT_OF;
  return { data: { way, items, valueBytes }, readers, restMs, normalSeconds, limitSeconds };
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main(args: string[]): Promise<number> {
  const options = optionsFrom(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return args.includes('--help') ? 0 : 2;
  }
  const { date, machine, node } = describeEnvironment(args);
  say(`${date}, ${machine}, Node ${node}; npm run bench:reclaim -- ${args.join(' ')}`);
  return await runKept(tmpdir(), 'tugela-reclaim-', async ({ directory, keeper }) => {
    const { valueBytes } = options.data;
    const server = await Server.start(CONTESTANT, { directory, valueBytes, connections: CONNECTIONS }, keeper);
    const bounds = await runReclaim(options, server.dataDirectory, server.port, say);
    await server.stop();
    say(`\n${formatBounds(bounds)}`);
    return bounds.every(isMet) ? 0 : 1;
  });
}

process.exitCode = await main(process.argv.slice(2));
