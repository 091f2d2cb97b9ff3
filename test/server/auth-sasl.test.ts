import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Opcode, Status } from '../../src/protocol/binary-header.ts';
import { BinaryClient, type Packet, u32s } from '../support/binary-client.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { startTestServer } from '../support/test-server.ts';

interface MemjsClient {
  get(key: string): Promise<{ value: Buffer | null }>;
  set(key: string, value: string, options: { expires?: number }): Promise<boolean>;
  quit(): void;
}

const { Client } = createRequire(import.meta.url)('memjs') as { Client: { create(server: string, options: object): MemjsClient } };

async function start(): Promise<{ client: BinaryClient; port: number; saslFile: string }> {
  const saslFile = join(tempDirectory(), 'users');
  writeFileSync(saslFile, 'testuser@realm:testpass\n', { mode: 0o600 });
  const { port } = await startTestServer({ saslFile, protocol: 'binary' });
  return { client: await BinaryClient.connect(port), port, saslFile };
}

function plain(password: string, user = 'testuser@realm'): Packet {
  return { opcode: Opcode.saslAuth, key: 'PLAIN', value: `\0${user}\0${password}`, opaque: 5 };
}

const SET: Packet = { opcode: Opcode.set, extras: u32s(0, 0), key: 'x', value: 'somevalue' };

describe('SASL', () => {
  it('tells its version and mechanisms to everybody', async () => {
    const { client } = await start();
    expect(await client.ask({ opcode: Opcode.version })).toMatchObject({ status: 0 });
    const list = await client.ask({ opcode: Opcode.saslList });
    expect([list.status, list.value.toString()]).toEqual([0, 'CRAM-MD5 PLAIN']);
  });

  it.each([SET, { opcode: Opcode.get, key: 'x' }, { opcode: Opcode.flush }, { opcode: Opcode.noop }, { opcode: Opcode.stat }, { opcode: 0x77 }])(
    'refuses %j before authentication, and closes',
    async (request) => {
      const { client } = await start();
      client.send({ ...request, opaque: 9 });
      const refused = await client.take();
      expect(refused).toMatchObject({ status: Status.authError, opaque: 9 });
      expect(refused.value.toString()).toBe('Auth failure.');
      expect(await client.ended()).toHaveLength(0);
    },
  );

  it('lets a client in by PLAIN', async () => {
    const { client } = await start();
    const done = await client.ask(plain('testpass'));
    expect([done.status, done.opaque, done.value.toString()]).toEqual([0, 5, 'Authenticated']);
    expect((await client.ask(SET)).status).toBe(0);
    expect((await client.ask({ opcode: Opcode.get, key: 'x' })).value.toString()).toBe('somevalue');
  });

  it('lets a client in by CRAM-MD5', async () => {
    const { client } = await start();
    const { status, value: challenge } = await client.ask({ opcode: Opcode.saslAuth, key: 'CRAM-MD5' });
    expect(status).toBe(Status.authContinue);
    const value = `testuser ${createHmac('md5', 'testpass').update(challenge).digest('hex')}`;
    expect((await client.ask({ opcode: Opcode.saslStep, key: 'CRAM-MD5', value })).status).toBe(0);
    expect((await client.ask(SET)).status).toBe(0);
  });

  it('keeps a connection that fails, which may try again', async () => {
    const { client } = await start();
    const failed = await client.ask(plain('wrong'));
    expect([failed.status, failed.value.toString()]).toEqual([Status.authError, 'Auth failure.']);
    expect((await client.ask({ opcode: Opcode.saslStep, key: 'PLAIN', value: '\0testuser\0testpass' })).status).toBe(Status.authError);
    expect((await client.ask({ opcode: Opcode.saslAuth, key: 'X'.repeat(40), value: 'x' })).status).toBe(Status.invalid);
    expect((await client.ask({ opcode: Opcode.saslAuth, key: 'OTHER', value: 'x' })).status).toBe(Status.authError);
    expect((await client.ask(plain('testpass'))).status).toBe(0);
  });

  it('takes what is pipelined behind a success, and refuses what is behind a failure', async () => {
    const { client, port } = await start();
    client.send(plain('testpass'), SET, { opcode: Opcode.get, key: 'x' });
    expect([(await client.take()).status, (await client.take()).status, (await client.take()).value.toString()]).toEqual([0, 0, 'somevalue']);
    const other = await BinaryClient.connect(port);
    other.send(plain('wrong'), SET);
    expect([(await other.take()).status, (await other.take()).status]).toEqual([Status.authError, Status.authError]);
    expect(await other.ended()).toHaveLength(0);
  });

  it('makes a client nobody again when it fails to become somebody else', async () => {
    const { client } = await start();
    await client.ask(plain('testpass'));
    expect((await client.ask(plain('wrong', 'root'))).status).toBe(Status.authError);
    expect((await client.ask(SET)).status).toBe(Status.authError);
  });

  it('is for one connection alone', async () => {
    const { client, port } = await start();
    await client.ask(plain('testpass'));
    const other = await BinaryClient.connect(port);
    expect((await other.ask(SET)).status).toBe(Status.authError);
  });

  it('stays in step after a refused packet with a body', async () => {
    const { client } = await start();
    await client.ask(plain('testpass'));
    client.send({ opcode: 0x77, value: 'skipped' }, { opcode: Opcode.saslList }, SET);
    expect([(await client.take()).status, (await client.take()).status, (await client.take()).status]).toEqual([Status.unknownCommand, 0, 0]);
  });

  it('is counted', async () => {
    const { client } = await start();
    await client.ask(plain('wrong'));
    await client.ask({ opcode: Opcode.saslStep, key: 'PLAIN', value: 'x' });
    await client.ask(plain('testpass'));
    const stats = new Map<string, string>();
    client.send({ opcode: Opcode.stat });
    for (let reply = await client.take(); reply.key !== ''; reply = await client.take()) stats.set(reply.key, reply.value.toString());
    expect([stats.get('auth_cmds'), stats.get('auth_errors')]).toEqual(['3', '2']);
  });

  it('takes the users as the file has them at each attempt', async () => {
    const { client, saslFile } = await start();
    writeFileSync(saslFile, 'testuser:newpass\n');
    expect((await client.ask(plain('testpass', 'testuser'))).status).toBe(Status.authError);
    expect((await client.ask(plain('newpass', 'testuser'))).status).toBe(0);
  });

  it('serves the npm client memjs', async () => {
    const { port } = await start();
    const client = Client.create(`127.0.0.1:${port}`, { username: 'testuser', password: 'testpass', timeout: 10, conntimeout: 10 });
    onTestFinished(() => client.quit());
    expect(await client.set('a', 'one', { expires: 0 })).toBe(true);
    expect((await client.get('a')).value?.toString()).toBe('one');
  });
});

describe('without SASL', () => {
  it('its opcodes are unknown', async () => {
    const { port } = await startTestServer();
    const client = await BinaryClient.connect(port);
    expect((await client.ask({ opcode: Opcode.saslList })).status).toBe(Status.unknownCommand);
    expect((await client.ask(plain('testpass'))).status).toBe(Status.unknownCommand);
    expect((await client.ask(SET)).status).toBe(0);
  });
});
