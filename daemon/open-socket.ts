import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readAccess } from './access-files.ts';
import type { Address } from './address.ts';
import { LinkError, reasonOf } from './link-error.ts';

/** Bytes of a line that a server answers to a login at most. */
const LINE_MAX = 2048;

/** What a server says to whoever has to authenticate first. */
export const UNAUTHENTICATED = 'CLIENT_ERROR unauthenticated';

export interface OpenSocketOptions {
  /** Milliseconds until the connection must be made and the server have let us in. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects to a server, with TLS and a password if its address has them. The socket comes without listeners and unread.
 *
 * @throws LinkError `unreachable`; `refused` when the password or a file of the address is no good; `aborted` when the signal is
 */
export async function openSocket(address: Address, { timeoutMs, signal }: OpenSocketOptions): Promise<Socket> {
  if (signal?.aborted === true) throw new LinkError('aborted', 'Given up before connecting');
  const { tls, login } = await readAccess(address.access ?? {});
  const place = 'path' in address ? { path: address.path } : { host: address.host, port: address.port };
  const socket = tls === undefined ? connect(place) : connectTls({ ...place, ...tls });
  return await new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.removeAllListeners('readable');
      socket.removeListener('error', onError);
      socket.removeListener('close', onClose);
    };
    const fail = (error: LinkError): void => {
      settle();
      // A socket may still report an error after it was destroyed; nobody waits for it any more.
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(new LinkError('aborted', 'Given up while connecting'));
    const onError = (error: Error): void => fail(new LinkError('unreachable', reasonOf(error), { cause: error }));
    const onClose = (): void => fail(new LinkError('unreachable', 'closed by the server'));
    const timer = setTimeout(() => fail(new LinkError('unreachable', `no connection within ${timeoutMs} ms`)), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', onError);
    socket.once('close', onClose);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      const authenticated = login === undefined ? Promise.resolve() : authenticate(socket, login);
      authenticated.then(() => {
        settle();
        resolve(socket);
      }, fail);
    });
  });
}

/** Sends the password (docs/protocol.md, "Text authentication"), unless the server asks for none: there it would become an item. */
async function authenticate(socket: Socket, login: Buffer): Promise<void> {
  if ((await ask(socket, Buffer.from('version\r\n'))) !== UNAUTHENTICATED) return;
  const reply = await ask(socket, Buffer.concat([Buffer.from(`set login 0 0 ${login.length}\r\n`), login, Buffer.from('\r\n')]));
  if (reply !== 'STORED') throw new LinkError('refused', `The server does not let this user in: ${reply.slice(0, 120)}`);
}

/** Sends something and resolves with the one line that comes. Nothing of a socket that ends is waited for here. */
function ask(socket: Socket, request: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = '';
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      line += chunk.toString('latin1');
      if (!line.endsWith('\n') && line.length <= LINE_MAX) return;
      socket.removeListener('readable', onReadable);
      if (line.length > LINE_MAX) reject(new LinkError('bad_reply', 'Reply line too long'));
      else resolve(line.trimEnd());
    };
    socket.on('readable', onReadable);
    socket.write(request);
  });
}
