import { createHmac } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { PasswordFile } from '../../src/auth/password-file.ts';
import { SaslAuthority, type SaslOutcome } from '../../src/auth/sasl.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const NONE = Buffer.alloc(0);

function authority(users = 'testuser@realm:testpass\n'): { sasl: SaslAuthority; path: string; logged: string[] } {
  const path = join(tempDirectory(), 'users');
  writeFileSync(path, users, { mode: 0o600 });
  const logged: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => logged.push((JSON.parse(line) as { msg: string }).msg) });
  return { sasl: new SaslAuthority(new PasswordFile(path, true), { commands: 0, errors: 0 }, logger), path, logged };
}

async function plain(sasl: SaslAuthority, response: string): Promise<string> {
  return (await sasl.start({}, 'PLAIN', Buffer.from(response))).kind;
}

/** The challenge of an outcome. */
function challengeOf(outcome: SaslOutcome): Buffer {
  if (outcome.kind !== 'continue') throw new Error(`no challenge: ${outcome.kind}`);
  return outcome.challenge;
}

function cramMd5(challenge: Buffer, user: string, password: string): Buffer {
  return Buffer.from(`${user} ${createHmac('md5', password).update(challenge).digest('hex')}`);
}

describe('PLAIN', () => {
  it.each(['\0testuser\0testpass', '\0testuser@realm\0testpass', 'testuser\0testuser\0testpass'])('lets in %j', async (response) => {
    const { sasl } = authority();
    expect(await plain(sasl, response)).toBe('done');
    expect(sasl.counts).toEqual({ commands: 1, errors: 0 });
  });

  it.each([
    '\0testuser\0wrong',
    '\0other\0testpass',
    '\0testuser@elsewhere\0testpass',
    'root\0testuser\0testpass',
    'testuser\0testpass',
    'testuser',
    '\0testuser\0testpass\0',
    '\0\0',
  ])('does not let in %j', async (response) => {
    const { sasl } = authority();
    expect(await plain(sasl, response)).toBe('failed');
    expect(sasl.counts).toEqual({ commands: 1, errors: 1 });
  });

  it('asks for a response that did not come with its start', async () => {
    const { sasl } = authority();
    const session = {};
    expect(challengeOf(await sasl.start(session, 'PLAIN', NONE))).toHaveLength(0);
    expect(sasl.counts).toEqual({ commands: 0, errors: 0 });
    expect((await sasl.step(session, 'PLAIN', Buffer.from('\0testuser\0testpass'))).kind).toBe('done');
  });
});

describe('CRAM-MD5', () => {
  it('has the keyed digest of RFC 2195', () => {
    // Its example, section 2: what this test computes is what the mechanism means.
    const challenge = Buffer.from('<1896.697170952@postoffice.reston.mci.net>');
    expect(cramMd5(challenge, 'tim', 'tanstaaftanstaaf').toString()).toBe('tim b913a602c7eda7a495b4e6e7334d3890');
  });

  it.each(['testuser', 'testuser@realm'])('lets in %s, who proves to know the password', async (user) => {
    const { sasl } = authority();
    const session = {};
    const challenge = challengeOf(await sasl.start(session, 'CRAM-MD5', NONE));
    expect(challenge.toString()).toMatch(/^<[0-9a-f]{32}@.+>$/);
    expect(await sasl.step(session, 'CRAM-MD5', cramMd5(challenge, user, 'testpass'))).toEqual({ kind: 'done' });
    expect(sasl.counts).toEqual({ commands: 1, errors: 0 });
  });

  it('has a challenge of its own for each exchange, good for one response', async () => {
    const { sasl } = authority();
    const [one, other] = [{}, {}];
    const first = challengeOf(await sasl.start(one, 'CRAM-MD5', NONE));
    const second = challengeOf(await sasl.start(other, 'CRAM-MD5', NONE));
    expect(second).not.toEqual(first);
    expect((await sasl.step(other, 'CRAM-MD5', cramMd5(first, 'testuser', 'testpass'))).kind).toBe('failed');
    expect((await sasl.step(other, 'CRAM-MD5', cramMd5(second, 'testuser', 'testpass'))).kind).toBe('failed');
    expect((await sasl.step(one, 'CRAM-MD5', cramMd5(first, 'testuser', 'testpass'))).kind).toBe('done');
    expect((await sasl.step(one, 'CRAM-MD5', cramMd5(first, 'testuser', 'testpass'))).kind).toBe('failed');
  });

  it.each(['testuser 00', 'testuser', 'testuser ', ' ', '', 'other b913a602c7eda7a495b4e6e7334d3890'])('does not let in %j', async (response) => {
    const { sasl } = authority();
    const session = {};
    await sasl.start(session, 'CRAM-MD5', NONE);
    expect((await sasl.step(session, 'CRAM-MD5', Buffer.from(response))).kind).toBe('failed');
    expect(sasl.counts).toEqual({ commands: 1, errors: 1 });
  });

  it('does not let in a user that there is not, whatever key was used', async () => {
    const { sasl } = authority();
    const session = {};
    const challenge = challengeOf(await sasl.start(session, 'CRAM-MD5', NONE));
    expect((await sasl.step(session, 'CRAM-MD5', cramMd5(challenge, 'nobody', challenge.toString()))).kind).toBe('failed');
  });

  it('has no response before the challenge', async () => {
    const { sasl } = authority();
    expect((await sasl.start({}, 'CRAM-MD5', Buffer.from('x'))).kind).toBe('failed');
  });
});

describe('SaslAuthority', () => {
  it('knows mechanisms in any case, and no others', async () => {
    const { sasl } = authority();
    expect((await sasl.start({}, 'plain', Buffer.from('\0testuser\0testpass'))).kind).toBe('done');
    expect((await sasl.start({}, 'ANONYMOUS', NONE)).kind).toBe('failed');
  });

  it('fails a step without a start, or of another mechanism', async () => {
    const { sasl } = authority();
    const session = {};
    const response = Buffer.from('\0testuser\0testpass');
    expect((await sasl.step(session, 'PLAIN', response)).kind).toBe('failed');
    await sasl.start(session, 'CRAM-MD5', NONE);
    expect((await sasl.step(session, 'PLAIN', response)).kind).toBe('failed');
    expect(sasl.counts).toEqual({ commands: 2, errors: 2 });
  });

  it('takes the file as it is at each attempt', async () => {
    const { sasl, path } = authority();
    expect(await plain(sasl, '\0testuser\0testpass')).toBe('done');
    writeFileSync(path, 'testuser:newpass\n');
    expect(await plain(sasl, '\0testuser\0testpass')).toBe('failed');
    expect(await plain(sasl, '\0testuser\0newpass')).toBe('done');
  });

  it('lets nobody in without a file, and says so once', async () => {
    const { sasl, path, logged } = authority();
    rmSync(path);
    for (let i = 0; i < 3; i++) expect(await plain(sasl, '\0testuser\0testpass')).toBe('failed');
    expect(logged).toEqual([`Cannot use password file ${path}: there is no such file`]);
    writeFileSync(path, 'testuser:testpass\n', { mode: 0o600 });
    expect(await plain(sasl, '\0testuser\0testpass')).toBe('done');
  });

  it('check() says what is wrong with the file before anybody comes', async () => {
    const { sasl, path, logged } = authority('testuser\n');
    await sasl.check();
    expect(logged).toEqual([`Cannot use password file ${path}: line 1: no colon between user and password`]);
    expect(sasl.counts).toEqual({ commands: 0, errors: 0 });
  });
});
