import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually, isAlive, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

let workspace: Workspace;
let daemon: number | undefined;

beforeEach(() => {
  workspace = new Workspace();
  daemon = undefined;
});

afterEach(async () => {
  if (daemon !== undefined && isAlive(daemon)) process.kill(daemon, 'SIGKILL');
  await workspace.close();
});

/** Runs `tugela-ts memcached -d` to its end and reads the pidfile. */
async function startDaemon(...args: string[]) {
  const program = await workspace.run(['memcached', '-d', '-P', 'pid', ...args]);
  const pidfile = workspace.path('pid');
  if (existsSync(pidfile)) daemon = Number(readFileSync(pidfile, 'utf8'));
  return { code: program.code, stdout: program.stdout, stderr: program.stderr, pid: daemon };
}

/** An orderly stop: the pidfile goes last. */
async function stopDaemon(): Promise<void> {
  if (daemon === undefined) throw new Error('no daemon');
  process.kill(daemon, 'SIGTERM');
  await eventually(async () => !existsSync(workspace.path('pid')), 'the pidfile is gone');
  daemon = undefined;
}

test('memcached -d -P returns when a server in the background accepts clients, and that stops in order', async () => {
  const path = workspace.path('socket');
  const { code, stdout, stderr, pid } = await startDaemon('-s', 'socket', '--file', 'data');
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  // Root is warned by the server, which has nowhere to say it.
  expect(stderr).toBe('');
  expect(readFileSync(workspace.path('pid'), 'utf8')).toBe(`${pid}\n`);
  const client = await RawClient.connect(path);
  expect(await client.stat('pid')).toBe(pid);
  // The relative paths were those of the directory it was started in, which it has left.
  expect(readdirSync(workspace.directory).toSorted()).toEqual(['data', 'pid', 'socket']);
  if (process.platform === 'linux') expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
  await stopDaemon();
  await expect(RawClient.connect(path)).rejects.toThrow();
});

test('memcached -d says in the foreground why it cannot start, and leaves nothing behind', async () => {
  const server = await workspace.serve();
  const { code, stderr } = await startDaemon('-l', '127.0.0.1', '-p', String(server.port), '--file', workspace.path('other'));
  expect(code).toBe(1);
  expect(stderr).toBe(`tugela-ts: Cannot listen on 127.0.0.1:${server.port}: the address is in use, perhaps by another server\n`);
  expect(existsSync(workspace.path('pid'))).toBe(false);
});

test('memcached -d shows notices in the foreground', async () => {
  const { code, stderr } = await startDaemon('-s', 'socket', '-t', '4');
  expect(code).toBe(0);
  expect(stderr).toContain('-t has no effect here');
  await stopDaemon();
});

test('memcached in the foreground prints nothing, and tells the ports as memcached does', async () => {
  const ports = workspace.path('ports');
  mkdirSync(workspace.path('data'));
  const program = workspace.start(['memcached', '-l', '127.0.0.1', '-p', '-1', '-P', 'pid', '--file', 'data'], { MEMCACHED_PORT_FILENAME: ports });
  await eventually(async () => existsSync(ports) && existsSync(workspace.path('pid')), 'the files of ports and process id');
  const port = Number(/^TCP INET: (\d+)\n$/.exec(readFileSync(ports, 'utf8'))?.[1]);
  const client = await RawClient.connect(port);
  expect(await client.stat('pid')).toBe(program.pid);
  expect(program.stdout).toBe('');
  expect(await program.stop('SIGUSR1')).toBe(0);
  expect(program.stdout).toBe('');
});

test('memcached -p 0 listens nowhere and lives until it is told to stop', async () => {
  const ports = workspace.path('ports');
  const program = workspace.start(['memcached', '-p', '0', '-P', 'pid'], { MEMCACHED_PORT_FILENAME: ports });
  await eventually(async () => existsSync(workspace.path('pid')), 'pidfile');
  expect(readFileSync(ports, 'utf8')).toBe('');
  expect(await program.stop('SIGINT')).toBe(0);
});

test.each([
  [['-c', '0'], "tugela-ts: -c: '0' is not a whole number from 1 to 1000000\n"],
  [['-d', '-o', 'ext_path=/x'], 'tugela-ts: -o ext_path: there is no external storage to set up: every item is on disk\n'],
])('memcached %j is a mistake in one line, with exit status 2', async (args, line) => {
  const { code, stdout, stderr } = await workspace.run(['memcached', ...args]);
  expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: line });
});
