import { resolve } from 'node:path';
import type { ServeSettings } from '../config/settle.ts';

/** Settings whose paths no longer depend on the working directory, for a process that leaves it. */
export function withAbsolutePaths({ server, process, notices }: ServeSettings): ServeSettings {
  const { tls } = server;
  return {
    server: {
      ...server,
      file: resolve(server.file),
      socket: absolute(server.socket),
      authFile: absolute(server.authFile),
      saslFile: absolute(server.saslFile),
      portFile: absolute(server.portFile),
      tls: tls === undefined ? undefined : { ...tls, cert: resolve(tls.cert), key: resolve(tls.key), ca: absolute(tls.ca) },
    },
    process: { ...process, pidfile: absolute(process.pidfile) },
    notices,
  };
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}
