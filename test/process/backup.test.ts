import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

let workspace: Workspace;
let halting: Server | undefined;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  halting?.close();
  halting = undefined;
  await workspace.close();
});

function files(): string[] {
  return readdirSync(workspace.path('.')).filter((name) => name.includes('backup'));
}

/** A server that sends the beginning of a dump, and then nothing more, or the end of the connection. */
async function halfDumped(ends: boolean): Promise<string> {
  halting = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => {
      socket.write('tugela-ts dump 1\n');
      if (ends) socket.end();
    });
  });
  halting.listen(0, '127.0.0.1');
  await once(halting, 'listening');
  return String((halting.address() as { port: number }).port);
}

describe('tugela-ts backup', () => {
  it('of a server in use restores to the same items, with flags, exptime, age and cas unique', async () => {
    const server = await workspace.serve();
    const port = String(server.port);
    const client = await RawClient.connect(server.port);
    for (let i = 0; i < 2000; i++) client.send(`set kept:${i} ${i} ${i % 2 === 0 ? 0 : 5000} ${i} noreply\r\n${'v'.repeat(i)}\r\n`);
    await client.set('busy', 'a');

    const backup = workspace.start(['backup', '--port', port, 'backup.gz']);
    while (!backup.isOver) await client.set('busy', 'b'.repeat(1500));
    expect(await backup.ended).toMatchObject({ code: 0 });
    expect(backup).toMatchObject({ stdout: expect.stringMatching(/^items +2001\nbytes +\d+\n$/), stderr: '' });
    expect(statSync(workspace.path('backup.gz')).mode & 0o777).toBe(0o600);
    expect(files()).toEqual(['backup.gz']);

    expect(await workspace.run(['restore', 'backup.gz', 'restored'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^loaded 2001\n/) });
    await workspace.run(['store', 'dump', '--port', port, '--prefix', 'kept', '-o', 'of-server']);
    await workspace.run(['store', 'dump', 'restored', '--prefix', 'kept', '-o', 'of-restored']);
    const ofServer = readFileSync(workspace.path('of-server'), 'latin1');
    expect(ofServer.match(/^ITEM /gm)).toHaveLength(2000);
    expect(readFileSync(workspace.path('of-restored'), 'latin1')).toBe(ofServer);
    expect(await workspace.run(['store', 'verify', 'restored'])).toMatchObject({ code: 0 });
  });

  it('restores into a running server, too', async () => {
    const server = await workspace.serve();
    const client = await RawClient.connect(server.port);
    await client.set('a', 'x');
    await workspace.run(['backup', '--port', String(server.port), 'backup']);
    await client.ask('delete a');
    expect(await workspace.run(['restore', 'backup', '--port', String(server.port)])).toMatchObject({ code: 0 });
    expect(await client.ask('mg a s')).toBe('HD s1');
  });

  it('goes to stdout, and compresses by the name or when told to', async () => {
    const server = await workspace.serve();
    const port = String(server.port);
    const client = await RawClient.connect(server.port);
    await client.set('a', 'x');
    const plain = await workspace.run(['backup', '--port', port, '-']);
    expect(plain).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^tugela-ts dump 1\nITEM a .*\nx\nEND 1 2\n$/) });
    await workspace.run(['backup', '--port', port, 'backup.gz']);
    await workspace.run(['backup', '--port', port, '-z', 'backup']);
    for (const name of ['backup.gz', 'backup']) expect(gunzipSync(readFileSync(workspace.path(name))).toString()).toBe(plain.stdout);
  });

  it('replaces a file only when told to, and a directory to restore into must be empty', async () => {
    const server = await workspace.serve();
    const port = String(server.port);
    writeFileSync(workspace.path('backup'), 'before');
    expect(await workspace.run(['backup', '--port', port, 'backup'])).toMatchObject({ code: 2, stderr: expect.stringContaining('is there already') });
    expect(readFileSync(workspace.path('backup'), 'utf8')).toBe('before');
    expect(await workspace.run(['backup', '--port', port, '--force', 'backup'])).toMatchObject({ code: 0 });
    expect(readFileSync(workspace.path('backup'), 'utf8')).toMatch(/\nEND 0 0\n$/);
    await workspace.run(['restore', 'backup', 'restored']);
    expect(await workspace.run(['restore', 'backup', 'restored'])).toMatchObject({ code: 2 });
    expect(await workspace.run(['restore', 'backup', 'restored', '--merge'])).toMatchObject({ code: 0 });
    expect(await workspace.run(['restore', 'backup'])).toMatchObject({ code: 2 });
    expect(await workspace.run(['restore', 'backup', 'restored', '--port', port])).toMatchObject({ code: 2 });
  });

  it('leaves the former file when the server breaks off', async () => {
    const port = await halfDumped(true);
    writeFileSync(workspace.path('backup'), 'before');
    expect(await workspace.run(['backup', '--port', port, '-f', 'backup'])).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('truncated') });
    expect(files()).toEqual(['backup']);
    expect(readFileSync(workspace.path('backup'), 'utf8')).toBe('before');
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('leaves no file when it is ended by %s on the way', async (signal) => {
    const backup = workspace.start(['backup', '--port', await halfDumped(false), 'backup']);
    await eventually(async () => files().some((name) => name.endsWith('.partial')), 'the backup begins');
    backup.signal(signal);
    expect(await backup.ended).toMatchObject({ signal });
    expect(files().filter((name) => signal === 'SIGTERM' || !name.endsWith('.partial'))).toEqual([]);
  });

  it('exits with 1 when there is no server, and leaves nothing', async () => {
    const port = await halfDumped(true);
    halting?.close();
    expect(await workspace.run(['backup', '--port', port, 'backup'])).toMatchObject({ code: 1, stderr: expect.stringMatching(/^tugela-ts: /) });
    expect(files()).toEqual([]);
  });
});
