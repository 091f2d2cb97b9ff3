import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readAccess } from '../../daemon/access-files.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { pem, pemPath } from '../support/tls-fixtures.ts';

function passwordFile(content: string, mode = 0o600): string {
  const path = join(tempDirectory(), 'password');
  writeFileSync(path, Buffer.from(content, 'latin1'));
  chmodSync(path, mode);
  return path;
}

describe('a password file of a client', () => {
  it.each([
    ['alice:secret', 'alice secret'],
    ['alice:secret\n', 'alice secret'],
    ['alice:secret\r\n', 'alice secret'],
    ['alice:with: colon and blank', 'alice with: colon and blank'],
    ['\xe4:\xff', '\xe4 \xff'],
  ])('%j is sent as %j', async (content, login) => {
    expect((await readAccess({ passwordFile: passwordFile(content) })).login?.toString('latin1')).toBe(login);
  });

  it.each(['', '\n', 'secret', ':secret', 'alice:', 'alice:secret\nbob:secret', 'alice:sec\0ret', 'ali ce:secret', 'alice: secret', 'alice:secret ', `alice:${'secret'.repeat(3000)}`])(
    '%j is refused by the name of the file alone',
    async (content) => {
      const path = passwordFile(content);
      const refused = readAccess({ passwordFile: path });
      await expect(refused).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining(path) as string });
      await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('secret') as string });
    },
  );

  it('that others may read, a directory or nothing is refused', async () => {
    await expect(readAccess({ passwordFile: passwordFile('alice:secret', 0o604) })).rejects.toThrow('open to every user');
    const directory = join(tempDirectory(), 'directory');
    mkdirSync(directory, { mode: 0o700 });
    await expect(readAccess({ passwordFile: directory })).rejects.toThrow('not a regular file');
    await expect(readAccess({ passwordFile: join(directory, 'none') })).rejects.toThrow('ENOENT');
  });
});

describe('TLS files of a client', () => {
  it('are read', async () => {
    const { tls } = await readAccess({ tls: { ca: pemPath('ca'), cert: pemPath('client'), key: pemPath('client-key') } });
    expect(tls).toEqual({ ca: pem('ca'), cert: pem('client'), key: pem('client-key') });
    expect((await readAccess({ tls: {} })).tls).toEqual({});
    expect((await readAccess({})).tls).toBeUndefined();
  });

  it('that do not fit each other or are not there are refused', async () => {
    await expect(readAccess({ tls: { cert: pemPath('client'), key: pemPath('server-key') } })).rejects.toMatchObject({ code: 'refused' });
    await expect(readAccess({ tls: { ca: '/nowhere/ca.pem' } })).rejects.toThrow('/nowhere/ca.pem');
  });
});
