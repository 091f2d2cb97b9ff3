import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDirectory } from '../support/temp-directory.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';

async function start(users = 'foo:bar\nbaaaz:quux\n'): Promise<{ client: TestClient; port: number }> {
  const authFile = join(tempDirectory(), 'users');
  writeFileSync(authFile, users, { mode: 0o600 });
  const { port } = await startTestServer({ authFile, protocol: 'ascii' });
  return { client: await TestClient.connect(port), port };
}

const LOGIN = 'set foo 0 0 7\r\nfoo bar\r\n';

describe('text authentication', () => {
  it('keeps everything from clients that have not authenticated', async () => {
    const { client } = await start();
    expect(await client.ask('get foo\r\n')).toBe('CLIENT_ERROR unauthenticated\r\n');
    expect(await client.ask('version\r\n')).toBe('CLIENT_ERROR unauthenticated\r\n');
    expect(await client.ask('set foo 0 0 2\r\nhi\r\n')).toBe('CLIENT_ERROR bad authentication token format\r\n');
    expect(await client.ask('set foo 0 0 7\r\nfoo bab\r\n')).toBe('CLIENT_ERROR authentication failure\r\n');
    expect(await client.ask('set foo 0 0 6\r\nfoo bar\r')).toBe('CLIENT_ERROR bad command line termination\r\n');
    expect(await client.ask('set foo 0 0 2147483646\r\n')).toBe('CLIENT_ERROR auth token too long\r\n');
  });

  it('lets everything through after it, and set is a set again', async () => {
    const { client } = await start();
    expect(await client.ask(LOGIN)).toBe('STORED\r\n');
    expect(await client.ask('get foo\r\n')).toBe('END\r\n');
    expect(await client.ask('set toast 0 0 2\r\nhi\r\n')).toBe('STORED\r\n');
    expect(await client.ask('get toast\r\n', 'END\r\n')).toBe('VALUE toast 0 2\r\nhi\r\nEND\r\n');
  });

  it('takes what is pipelined behind it', async () => {
    const { client } = await start();
    expect(await client.ask(`get a\r\n${LOGIN}set a 0 0 1\r\nx\r\nget a\r\n`, 'END\r\n')).toBe(
      'CLIENT_ERROR unauthenticated\r\nSTORED\r\nSTORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n',
    );
  });

  it('takes it byte by byte', async () => {
    const { client } = await start();
    for (const byte of `get a\r\n${LOGIN}m`) {
      client.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.ask('n\r\n', 'MN\r\n')).toBe('CLIENT_ERROR unauthenticated\r\nSTORED\r\nMN\r\n');
  });

  it('answers in spite of noreply', async () => {
    const { client } = await start();
    expect(await client.ask('set a 0 0 7 noreply\r\nfoo bar\r\n')).toBe('STORED\r\n');
  });

  it('is for one connection alone', async () => {
    const { client, port } = await start();
    await client.ask(LOGIN);
    const other = await TestClient.connect(port);
    expect(await other.ask('get foo\r\n')).toBe('CLIENT_ERROR unauthenticated\r\n');
    expect(await other.ask('set foo 0 0 10\r\nbaaaz quux\r\n')).toBe('STORED\r\n');
  });

  it.each(['quit\r\n', '\r\n', 'x'.repeat(2049), `${'\x80'.repeat(24)}${'x'.repeat(2100)}`])('closes after %j', async (text) => {
    const { client } = await start();
    client.send(text);
    expect(await client.end()).toBe('');
  });

  it('is counted', async () => {
    const { client } = await start();
    await client.ask('set foo 0 0 7\r\nfoo bab\r\n');
    await client.ask('get foo\r\n');
    await client.ask(LOGIN);
    const stats = await client.ask('stats\r\n', 'END\r\n');
    expect(stats).toContain('STAT auth_cmds 2\r\n');
    expect(stats).toContain('STAT auth_errors 1\r\n');
  });

  it('needs a good file at the start', async () => {
    await expect(start('foo\n')).rejects.toMatchObject({ code: 'TUGELA_USAGE' });
  });
});
