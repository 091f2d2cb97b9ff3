import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Logger } from '../log.ts';
import { messageOf, systemCodeOf } from '../errors.ts';
import { KEEPALIVE_MS, type OnRead } from './accept.ts';
import type { TlsFiles, TlsUser } from './tls-files.ts';

/** Milliseconds that a client has for its handshake. */
const HANDSHAKE_MS = 10_000;

/** Encryption as stats tells of it. */
export interface TlsCounts {
  /** Handshakes that failed, for whatever reason: `ssl_handshake_errors`. */
  handshakeErrors: number;
  /** What was not TLS, or not a version or cipher that is allowed, and faults in TLS later on: `ssl_proto_errors`. */
  protocolErrors: number;
  /** Full handshakes, after which the client may resume its session: `ssl_new_sessions`. */
  newSessions: number;
}

export interface TlsAcceptorOptions {
  /** Clients must have a good certificate, whatever the configuration says. */
  readonly mutual: boolean;
  /** Most clients in their handshake at once; others are dropped. They do not count as connections yet. */
  readonly handshakes: number;
  /** Milliseconds that a client has for its handshake; undefined = 10 s. */
  readonly handshakeMs?: number;
  readonly counts: TlsCounts;
  readonly logger: Logger;
}

/**
 * Makes a server for TLS, as `createAcceptor` does without: `onSocket` is called once a client's handshake is done and
 * its certificate, if one is asked for, is found good. It follows changes of the files until it is closed.
 *
 * REQUIRES: the files have been loaded
 */
export function createTlsAcceptor(
  files: TlsFiles,
  options: TlsAcceptorOptions,
  onSocket: (socket: Socket, setReader: (onRead: OnRead) => void) => void,
): Server {
  const { mutual, handshakes, counts, logger } = options;
  const { verify, sessionCache } = files.config;
  const requires = mutual || verify === 'require';
  const asks = requires || verify === 'request';
  // A session that was begun without a certificate must not be resumed where one is required.
  const sessionIdContext = requires ? 'certified' : 'anybody';
  let established = 0;
  const fail = (socket: TLSSocket, error: Error): void => {
    counts.handshakeErrors++;
    if (isProtocolError(error)) counts.protocolErrors++;
    logger.debug({ peer: socket.remoteAddress, reason: messageOf(error).trim() }, 'TLS handshake failed');
  };
  const server = createServer(
    {
      ...files.context,
      requestCert: asks,
      rejectUnauthorized: requires,
      handshakeTimeout: options.handshakeMs ?? HANDSHAKE_MS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
      sessionIdContext,
    },
    (socket) => {
      if (asks && !requires && !socket.authorized && hasCertificate(socket)) {
        // Not demanded, but a bad one is no credential: OpenSSL ends such a handshake itself.
        fail(socket, new Error(`bad client certificate: ${messageOf(socket.authorizationError)}`));
        socket.destroy();
        return;
      }
      // Only now: a client that ends in its handshake has nothing to be answered.
      socket.allowHalfOpen = true;
      server.maxConnections = handshakes + ++established;
      socket.once('close', () => {
        server.maxConnections = handshakes + --established;
      });
      if (sessionCache && !socket.isSessionReused()) counts.newSessions++;
      // Until a connection takes it over, and besides.
      socket.on('error', (error) => {
        if (isProtocolError(error)) counts.protocolErrors++;
        socket.destroy();
      });
      onSocket(socket, (onRead) => {
        socket.on('data', (chunk: Buffer) => {
          if (!onRead(chunk, chunk.length)) socket.pause();
        });
      });
    },
  );
  server.maxConnections = handshakes;
  server.on('drop', () => {
    counts.handshakeErrors++;
    logger.debug('connection dropped: too many TLS handshakes under way');
  });
  server.on('tlsClientError', (error, socket) => {
    fail(socket, error);
    socket.destroy();
  });
  const user: TlsUser = { setSecureContext: (context) => server.setSecureContext({ ...context, sessionIdContext }) };
  files.follow(user);
  server.once('close', () => files.forget(user));
  return server;
}

function hasCertificate(socket: TLSSocket): boolean {
  return Object.keys(socket.getPeerCertificate()).length > 0;
}

/** OpenSSL's own complaints, but for those about certificates. */
function isProtocolError(error: Error): boolean {
  const code = systemCodeOf(error) ?? '';
  return code.startsWith('ERR_SSL_') && !code.includes('CERTIFICATE') && !code.endsWith('UNKNOWN_CA');
}
