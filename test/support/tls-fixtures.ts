import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsConfig } from '../../src/config.ts';

/** The path of a PEM file of test/fixtures/tls. */
export function pemPath(name: string): string {
  return join(import.meta.dirname, '..', 'fixtures', 'tls', `${name}.pem`);
}

/** The bytes of a PEM file of test/fixtures/tls. */
export function pem(name: string): Buffer {
  return readFileSync(pemPath(name));
}

/** A configuration with the server's certificate. */
export function tlsConfig(change: Partial<TlsConfig> = {}): TlsConfig {
  return {
    cert: pemPath('server'),
    key: pemPath('server-key'),
    ca: undefined,
    verify: 'none',
    ciphers: undefined,
    minVersion: 'TLSv1.2',
    sessionCache: false,
    writeBuffer: 16384,
    ...change,
  };
}
