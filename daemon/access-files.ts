import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Access, TlsAccess } from './address.ts';
import { LinkError, reasonOf } from './link-error.ts';

/** Bytes of a password file at most: what a server takes before authentication, and the line end. */
const PASSWORD_FILE_MAX = 16 * 1024;

/** What the files of `Access` hold. */
export interface Credentials {
  /** `USER PASSWORD`, as it is sent. */
  readonly login: Buffer | undefined;
  readonly tls: SecureContextOptions | undefined;
}

/**
 * Reads the files and looks whether they can be used.
 *
 * @throws LinkError `refused`, naming the file and never what is in it
 */
export async function readAccess({ passwordFile, tls }: Access): Promise<Credentials> {
  return {
    login: passwordFile === undefined ? undefined : await readLogin(passwordFile),
    tls: tls === undefined ? undefined : await readTls(tls),
  };
}

async function readLogin(path: string): Promise<Buffer> {
  const wrong = (state: string, cause?: unknown): LinkError => new LinkError('refused', `Cannot use password file ${path}: ${state}`, { cause });
  const bytes = Buffer.alloc(PASSWORD_FILE_MAX + 1);
  let length: number;
  try {
    // A pipe without a writer would block the open for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw wrong('it is not a regular file');
      if ((stat.mode & 0o007) !== 0) throw wrong('it is open to every user of this machine; make it 0600');
      length = (await file.read(bytes, 0, bytes.length, 0)).bytesRead;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof LinkError) throw error;
    throw wrong(reasonOf(error), error);
  }
  if (length > PASSWORD_FILE_MAX) throw wrong(`it is larger than ${PASSWORD_FILE_MAX} bytes`);
  const text = bytes.toString('latin1', 0, length).replace(/(\r?\n)+$/, '');
  const match = /^([^:\n\0]+):([^\n\0]+)$/.exec(text);
  if (match === null) throw wrong('it does not hold one line user:password');
  const [, user = '', password = ''] = match;
  // Blanks are what the two are told apart by.
  if (user.includes(' ') || password !== password.trim()) throw wrong('a user with a blank, or a password that begins or ends with one, cannot be sent');
  return Buffer.from(`${user} ${password}`, 'latin1');
}

async function readTls({ ca, cert, key }: TlsAccess): Promise<SecureContextOptions> {
  try {
    const read = async (path: string | undefined): Promise<Buffer | undefined> => (path === undefined ? undefined : await readFile(path));
    const [caBytes, certBytes, keyBytes] = await Promise.all([read(ca), read(cert), read(key)]);
    const context: SecureContextOptions = {
      ...(caBytes === undefined ? {} : { ca: caBytes }),
      ...(certBytes === undefined ? {} : { cert: certBytes }),
      ...(keyBytes === undefined ? {} : { key: keyBytes }),
    };
    createSecureContext(context);
    return context;
  } catch (error) {
    throw new LinkError('refused', `Cannot use TLS files: ${reasonOf(error)}`, { cause: error });
  }
}
