import { createRequire } from 'node:module';

/** The version in package.json. The package refers to itself by name, which holds for src/ and dist/ alike. */
export function packageVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('tugela-ts/package.json');
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version);
  throw new TypeError('package.json has no version');
}
