import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const log = fileURLToPath(new URL('../../dist/src/log.js', import.meta.url));

/** Runs the built logger in a process of its own that exits right after logging. */
function logAndExit(options: string): { readonly stdout: string; readonly stderr: string } {
  const script = `
    import { createLogger } from ${JSON.stringify(log)};
    const logger = createLogger(${options});
    logger.debug('hidden');
    logger.fatal({ err: new Error('inner') }, 'last words');
    process.exit(0);`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
}

test('createLogger() writes one JSON line to stderr before the process exits', () => {
  const { stdout, stderr } = logAndExit("{ level: 'info', pretty: false, name: 'tugela-ts' }");
  expect(stdout).toBe('');
  expect(JSON.parse(stderr)).toMatchObject({
    level: 60,
    name: 'tugela-ts',
    msg: 'last words',
    err: { message: 'inner' },
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  });
});

test('createLogger() writes a line for people to stderr before the process exits when pretty', () => {
  const { stdout, stderr } = logAndExit("{ level: 'info', pretty: true, name: 'tugela-ts' }");
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^\[[\d:.]+\] FATAL \(tugela-ts\): last words\n/);
  expect(stderr).toContain('Error: inner');
  expect(stderr).not.toContain('hidden');
});

test('createLogger() writes nothing when silent', () => {
  expect(logAndExit("{ level: 'silent', pretty: false, name: 'x' }").stderr).toBe('');
});
