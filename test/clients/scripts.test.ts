import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ServerProcess, Workspace } from '../support/process.ts';
import { probe, runClient, script } from './foreign-client.ts';

/** A client for another language. Its script asserts by itself, and prints what it did. */
interface ScriptedClient {
  readonly name: string;
  readonly program: string;
  readonly file: string;
  readonly protocols: readonly ('text' | 'binary')[];
  /** Arguments with which the program prints the client's version, or fails if it is not installed. */
  readonly version: readonly string[];
  readonly debian: string;
  /** How many lines it prints: one for each part. */
  readonly parts: number;
}

const clients: readonly ScriptedClient[] = [
  {
    name: 'pylibmc',
    program: '/usr/bin/python3',
    file: 'pylibmc_client.py',
    protocols: ['text', 'binary'],
    version: ['-c', 'import pylibmc; print(pylibmc.__version__)'],
    debian: 'python3-pylibmc',
    parts: 10,
  },
  {
    name: 'pymemcache',
    program: '/usr/bin/python3',
    file: 'pymemcache_client.py',
    protocols: ['text'],
    version: ['-c', 'import pymemcache; print(pymemcache.__version__)'],
    debian: 'python3-pymemcache',
    parts: 10,
  },
  {
    name: 'php-memcached',
    program: 'php',
    file: 'php_memcached.php',
    protocols: ['text', 'binary'],
    version: ['-r', 'if (!extension_loaded("pcntl") || !phpversion("memcached")) exit(1); echo phpversion("memcached");'],
    debian: 'php-cli php-memcached',
    parts: 11,
  },
  {
    name: 'Dalli',
    program: 'ruby',
    file: 'dalli_client.rb',
    protocols: ['binary'],
    version: ['-e', 'require "dalli"; puts Dalli::VERSION'],
    debian: 'ruby ruby-dalli',
    parts: 9,
  },
  {
    name: 'Cache::Memcached',
    program: 'perl',
    file: 'cache_memcached.pl',
    protocols: ['text'],
    version: ['-MCache::Memcached', '-e', 'print $Cache::Memcached::VERSION'],
    debian: 'libcache-memcached-perl',
    parts: 8,
  },
];

/** A script runs for one to three seconds alone, since items expire in it; tests run beside it. */
const TIMEOUT_MS = 150_000;

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

/** Starts two servers, for clients that distribute; on the ports they had, which decide what is where. */
async function serveTwo(ports: readonly number[] = [0, 0]): Promise<ServerProcess[]> {
  return Promise.all(
    ports.map((port, i) => workspace.serve({ directory: `data${i}`, withoutPort: true, args: ['--port', String(port)] })),
  );
}

describe.each(clients)('the $name client', ({ name, program, file, protocols, version, debian, parts }) => {
  const installed = probe([program, ...version]);
  if (installed === undefined) console.warn(`skipped: ${name} is not installed (apt-get install ${debian})`);

  async function run(phase: 'use' | 'again', protocol: string, servers: readonly ServerProcess[]): Promise<string[]> {
    const ports = servers.map(({ port }) => String(port));
    const { code, stdout, stderr } = await runClient([program, script(file), phase, protocol, ...ports]);
    const seen = `${stdout}${stderr}`;
    expect(stderr, seen).toBe('');
    expect(code, seen).toBe(0);
    return stdout.trim().split('\n');
  }

  it.skipIf(installed === undefined).each(protocols)(
    'works on the %s protocol, and finds its items after a restart',
    async (protocol) => {
      const servers = await serveTwo();
      const lines = await run('use', protocol, servers);
      expect(lines).toEqual(Array.from({ length: parts }, () => expect.stringMatching(/^ok /) as string));
      expect(lines.at(-1)).toBe('ok left items behind');

      for (const server of servers) expect(await server.stop()).toBe(0);
      const next = await serveTwo(servers.map(({ port }) => port));
      expect((await run('again', protocol, next)).at(-1)).toBe('ok everything is there after a restart');
    },
    TIMEOUT_MS,
  );
});
