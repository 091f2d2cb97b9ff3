import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeServer, type Answer } from './fake-server.ts';

const program = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));

let server: FakeServer | undefined;
let child: ChildProcess | undefined;

afterEach(async () => {
  if (child?.exitCode === null) child.kill('SIGKILL');
  await server?.close();
});

interface Running {
  readonly child: ChildProcess;
  /** All that is written to stdout; to be asked for at once or never. */
  stdout(): Promise<string>;
  readonly stderr: Promise<string>;
  readonly exit: Promise<number | null>;
  /** Resolves with the first log line of this message. */
  logged(msg: string): Promise<Record<string, unknown>>;
}

function start(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Running {
  const started = spawn(process.execPath, [program, 'expire', ...args], {
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child = started;
  return {
    child: started,
    stdout: async () => await text(started.stdout),
    stderr: text(started.stderr),
    exit: once(started, 'exit').then(([code]) => code as number | null),
    logged: (msg) =>
      new Promise((resolve, reject) => {
        let partial = '';
        started.stderr.on('data', (chunk: Buffer) => {
          const lines = (partial + chunk.toString()).split('\n');
          partial = lines.pop() ?? '';
          for (const line of lines.filter((each) => each.startsWith('{'))) {
            const entry = JSON.parse(line) as Record<string, unknown>;
            if (entry['msg'] === msg) resolve(entry);
          }
        });
        started.on('exit', () => reject(new Error(`ended without logging "${msg}"`)));
      }),
  };
}

/** A server with one due row of two keys, one of them stored anew since. */
function oneRow(): Answer {
  let isReaped = false;
  return (line) => {
    const words = line.split(' ');
    switch (words[1]) {
      case 'state':
        return `STAT entries ${isReaped ? 0 : 2}\r\nSTAT oldest_deadline ${isReaped ? 0 : 90}\r\nSTAT now 100\r\nSTAT busy_ms 0\r\nEND\r\n`;
      case 'due':
        return isReaped ? 'END 9 -\r\n' : 'ROW r-1 90 2\r\nEND 9 -\r\n';
      case 'keys':
        return 'KEY gone%FF\r\nKEY kept\r\nEND\r\n';
      case 'list':
        return words[5] === 'kept' ? 'ITEM kept 8 500 80 10\r\nEND -\r\n' : 'ITEM gone%FF 7 89 80 10\r\nEND -\r\n';
      case 'reap':
        isReaped = true;
        return 'REAPED 2 1 15 1 0\r\n';
      default:
        return 'OK\r\n';
    }
  };
}

async function serverArgs(answer: Answer = oneRow()): Promise<string[]> {
  server = await FakeServer.open(answer);
  return ['-P', String(server.port)];
}

describe('tugela-ts expire as a process', () => {
  it('--once --json sweeps, prints one object and exits 0', async () => {
    const run = start([...(await serverArgs()), '--once', '--json']);
    expect(JSON.parse(await run.stdout())).toMatchObject({ dryRun: false, scanned: 2, expired: 1, bytes: 15, stale: 1, indexEntries: 0 });
    expect(await run.exit).toBe(0);
    expect(server?.lines).toContain('expire reap 9 r-1');
    expect(server?.lines.some((line) => line.startsWith('expire report'))).toBe(false);
  });

  it('--print writes delete lines for what is still due, and asks for no deletion', async () => {
    const run = start([...(await serverArgs()), '--print']);
    const chunks: Buffer[] = [];
    run.child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(run.child, 'close');
    expect(await run.exit).toBe(0);
    expect(Buffer.concat(chunks).toString('latin1')).toBe('delete gone\xff\r\n');
    expect(server?.lines.some((line) => /^expire (reap|remove)/.test(line))).toBe(false);
  });

  it('exits 0 when the reader of --print goes away', async () => {
    const run = start([...(await serverArgs()), '--print']);
    run.child.stdout?.destroy();
    expect(await run.exit).toBe(0);
  });

  it('exits 2 for a wrong option, saying what is allowed', async () => {
    const run = start(['--batch', '0']);
    expect(await run.exit).toBe(2);
    expect(await run.stderr).toMatch(/a whole number from 1 to 10000/);
  });

  it('exits 1 when it is refused', async () => {
    const refusal: Answer = () => 'CLIENT_ERROR control commands are not accepted on this connection\r\n';
    const run = start([...(await serverArgs(refusal)), '--once']);
    expect(await run.exit).toBe(1);
    expect(await run.stderr).toMatch(/^tugela-ts: The server does not accept control commands on this connection: .*--control any\n$/);
  });

  it('exits 1 after the time allowed when the server cannot be reached', async () => {
    const args = await serverArgs();
    await server?.close();
    const run = start([...args, '--once', '--wait', '0.2', '--log-level', 'silent']);
    expect(await run.stderr).toMatch(/^tugela-ts: Cannot reach the server at 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
    expect(await run.exit).toBe(1);
  });

  it('as a daemon sweeps, reports, shows its stats and stops on SIGTERM with exit code 0', async () => {
    let reported: (line: string) => void = () => undefined;
    const report = new Promise<string>((resolve) => {
      reported = resolve;
    });
    const answer = oneRow();
    const args = await serverArgs((line) => {
      if (line.startsWith('expire report')) reported(line);
      return answer(line);
    });
    const run = start([...args, '--stats-port', '0']);
    const { stats } = await run.logged('expiry daemon started');
    expect(await report).toMatch(/ items_expired 1 /);
    const socket = connect(Number(String(stats).split(':')[1]), '127.0.0.1');
    socket.end('stats\r\nquit\r\n');
    expect(await text(socket)).toMatch(/STAT version .*\r\n[^]*STAT items_expired 1\r\n[^]*STAT server_reachable 1\r\nEND\r\n$/);
    run.child.kill('SIGTERM');
    expect(await run.exit).toBe(0);
  });

  it('stops within a second although the server does not answer', async () => {
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const args = await serverArgs(() => {
      asked();
      return undefined;
    });
    const run = start([...args, '--no-stats']);
    await isAsked;
    const startedMs = performance.now();
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  it('ends with its parent when its stdin is the pipe to it', async () => {
    const run = start([...(await serverArgs()), '--no-stats'], { TUGELA_PARENT_PIPE: '1' });
    await run.logged('expiry daemon started');
    run.child.stdin?.end();
    expect(await run.exit).toBe(0);
  });

  it('exits 1 when the stats port is in use', async () => {
    const args = await serverArgs();
    const run = start([...args, '--stats-port', args[1] ?? '']);
    expect(await run.exit).toBe(1);
    expect(await run.stderr).toMatch(/^tugela-ts: Cannot show stats on 127\.0\.0\.1:\d+: the port is in use/);
  });
});
