import { createRequire } from 'node:module';

/** The version in package.json. The package refers to itself by name, which holds for src/ and dist/ alike. */
export function packageVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('tugela-ts/package.json');
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version);
  throw new TypeError('package.json has no version');
}

/**
 * What the `version` command and `stats` say: the memcached whose protocol this is, then our own version. Clients
 * compare the number, and libmemcached takes a server for broken whose major version is 0.
 */
export function protocolVersion(): string {
  return `1.6.45-tugela-ts-${packageVersion()}`;
}
