import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ServerProcess, Workspace } from '../support/process.ts';
import { pemPath } from '../support/tls-fixtures.ts';
import { probe, runClient, script } from './foreign-client.ts';

const USER = 'alice';
const PASSWORD = 'pass:word';

const TLS = ['--tls', '--tls-cert', pemPath('server'), '--tls-key', pemPath('server-key')];
/** Only clients with a certificate of the authority come in. */
const MUTUAL_TLS = [...TLS, '--tls-verify', 'require', '--tls-ca', pemPath('ca')];
/** What a script with a certificate of its own is told of it. */
const IDENTITY = [pemPath('ca'), pemPath('client'), pemPath('client-key')];

/** A client for another language, made for passwords or TLS. Its script asserts by itself, and prints what it did. */
interface SecuredClient {
  readonly name: string;
  readonly program: string;
  readonly file: string;
  /** Arguments with which the program succeeds if the client is installed with what is needed. */
  readonly check: readonly string[];
  readonly debian: string;
  readonly how: 'text authentication' | 'SASL';
  readonly hasTls: boolean;
  /** Arguments in front of the port. */
  readonly leading: readonly string[];
}

const PHP = {
  name: 'php-memcached',
  program: 'php',
  file: 'php_secured.php',
  check: ['-r', 'exit(extension_loaded("memcached") && Memcached::HAVE_SASL ? 0 : 1);'],
  debian: 'php-cli php-memcached',
  hasTls: false,
} as const;

const clients: readonly SecuredClient[] = [
  {
    name: 'pymemcache',
    program: '/usr/bin/python3',
    file: 'pymemcache_secured.py',
    check: ['-c', 'import pymemcache'],
    debian: 'python3-pymemcache',
    how: 'text authentication',
    hasTls: true,
    leading: [],
  },
  {
    name: 'Dalli',
    program: 'ruby',
    file: 'dalli_secured.rb',
    check: ['-e', 'require "dalli"'],
    debian: 'ruby ruby-dalli',
    how: 'SASL',
    hasTls: true,
    leading: [],
  },
  {
    name: 'pylibmc',
    program: '/usr/bin/python3',
    file: 'pylibmc_secured.py',
    check: ['-c', 'import _pylibmc; assert _pylibmc.support_sasl'],
    debian: 'python3-pylibmc',
    how: 'SASL',
    hasTls: false,
    leading: [],
  },
  { ...PHP, how: 'SASL', leading: ['binary'] },
  { ...PHP, how: 'text authentication', leading: ['text'] },
];

/** A script runs for a second or two alone; tests run beside it. */
const TIMEOUT_MS = 90_000;

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

/** Arguments of a server that demands the password. */
function passwordArgs(how: SecuredClient['how']): string[] {
  const path = workspace.path('users');
  writeFileSync(path, `${USER}:${PASSWORD}\n`, { mode: 0o600 });
  return how === 'SASL' ? ['--enable-sasl', '--sasl-file', path] : ['--auth-file', path];
}

describe.each(clients)('the $name client with $how', ({ name, program, file, check, debian, how, hasTls, leading }) => {
  const isInstalled = probe([program, ...check]) !== undefined;
  if (!isInstalled) console.warn(`skipped: ${name} is not installed (apt-get install ${debian})`);

  it.skipIf(!isInstalled)(
    hasTls ? 'and a certificate of its own comes in over TLS, and not without them' : 'comes in, and not without',
    async () => {
      const server = await workspace.serve({ args: [...passwordArgs(how), ...(hasTls ? MUTUAL_TLS : [])] });
      const args = [...leading, String(server.port), ...(hasTls ? IDENTITY : []), USER, PASSWORD];
      const { code, stdout, stderr } = await runClient([program, script(file), ...args]);
      const seen = `${stdout}${stderr}`;
      expect(stderr, seen).toBe('');
      expect(code, seen).toBe(0);
      expect(stdout.trim().split('\n')).toEqual([expect.stringMatching(/^ok refused/), expect.stringMatching(/^ok .*behind/)]);
    },
    TIMEOUT_MS,
  );
});

const hasOpenssl = probe(['openssl', 'version']) !== undefined;
if (!hasOpenssl) console.warn('skipped: openssl is not installed (apt-get install openssl)');

describe.skipIf(!hasOpenssl)('openssl s_client', () => {
  /** Says something to the server, as docs/operations.md has it; gives back what came, and nothing if it was turned away. */
  async function say(server: ServerProcess, text: string, ...args: string[]): Promise<string> {
    const command = ['-quiet', '-verify_return_error', '-CAfile', pemPath('ca'), '-connect', `127.0.0.1:${server.port}`, ...args];
    return (await runClient(['openssl', 's_client', ...command], { input: text })).stdout;
  }

  const certificate = (name: string): string[] => ['-cert', pemPath(name), '-key', pemPath(`${name}-key`)];
  const STORE = 'set a 0 0 1\r\nx\r\nget a\r\nquit\r\n';
  const STORED = 'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n';

  it('comes in without a certificate where none is asked for', async () => {
    const server = await workspace.serve({ args: TLS });
    expect(await say(server, STORE)).toBe(STORED);
    expect(await say(server, STORE, '-tls1_2')).toBe(STORED);
    expect(await say(server, STORE, '-tls1_3')).toBe(STORED);
  });

  it('comes in with a good certificate alone where one is required', async () => {
    const server = await workspace.serve({ args: MUTUAL_TLS });
    expect(await say(server, STORE, ...certificate('client'))).toBe(STORED);
    expect(await say(server, STORE)).toBe('');
    expect(await say(server, STORE, ...certificate('stranger'))).toBe('');
  });

  it('authenticates in the text protocol', async () => {
    const server = await workspace.serve({ args: [...TLS, ...passwordArgs('text authentication')] });
    const login = (password: string): string => `set login 0 0 ${USER.length + 1 + password.length}\r\n${USER} ${password}\r\n`;
    expect(await say(server, `${login('wrong')}${login(PASSWORD)}${STORE}`)).toBe(`CLIENT_ERROR authentication failure\r\nSTORED\r\n${STORED}`);
    expect(await say(server, `get a\r\nquit\r\n`)).toBe('CLIENT_ERROR unauthenticated\r\n');
  });
});
