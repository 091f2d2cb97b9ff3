/** What it takes to be let in by a server. Files are read for each connection, so that they may be replaced meanwhile. */
export interface Access {
  /** File with the one line `user:password`, for a server with --auth-file. */
  readonly passwordFile?: string | undefined;
  /** Undefined = the server speaks no TLS here. */
  readonly tls?: TlsAccess | undefined;
}

/** PEM files. */
export interface TlsAccess {
  /** The authorities that may have signed the server's certificate; undefined = those of the system. */
  readonly ca?: string | undefined;
  /** The client's own certificate and its key, for servers that ask for one; both or neither. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Where a server listens, and how to get in. */
export type Address = ({ readonly host: string; readonly port: number } | { readonly path: string }) & { readonly access?: Access | undefined };

/** An address as people write it. */
export function formatAddress(address: Address): string {
  if ('path' in address) return address.path;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
