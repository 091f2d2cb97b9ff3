import { execFileSync } from 'node:child_process';

/** Compiles once before the tests, so that those that start real processes run this very source. */
export default function build(): void {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc'], { stdio: 'inherit' });
}
