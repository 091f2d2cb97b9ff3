import { createConnection } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { eventually, Workspace } from '../support/process.ts';
import { readDocument } from './markdown.ts';

const operations = readDocument('docs/operations.md');
let workspace: Workspace | undefined;

afterEach(async () => {
  await workspace?.close();
});

test('docs/operations.md has every name that stats shows', async () => {
  workspace = new Workspace();
  // With what has names of its own.
  const { port } = await workspace.serve({ args: ['--disk-limit', '128m', '--quota', 'a:=1m', '--ephemeral-ttl', '5', '--prefix-delimiter', ':', '--idle-timeout', '1000', '--udp-port', '0'], addresses: 2 });
  const daemon = workspace.start(['expire', '-P', String(port), '--stats-port', '0', '--interval', '0.1']);
  const started = await daemon.logged('expiry daemon started');
  const daemonPort = Number(String(started['stats']).split(':').at(-1));
  await eventually(async () => (await namesOf(port, 'stats expire')).length > 10, 'the daemon reports');
  // For `stats detail` to have counted a prefix.
  await namesOf(port, 'get b:1');
  const names = [...(await namesOf(daemonPort, 'stats'))];
  for (const group of ['', ' settings', ' items', ' conns', ' slabs', ' sizes', ' storage', ' load', ' prefixes', ' expire']) {
    names.push(...(await namesOf(port, `stats${group}`)));
  }
  expect(names).toEqual(expect.arrayContaining(['disk_used_bytes', 'eviction_bytes', 'quota_eviction_bytes', 'quota:a%3A:limit', 'prefix:b:gets', 'idle_kicks']));
  expect([...new Set(names)].filter((name) => !operations.includes(`\`${documentedAs(name)}\``))).toEqual([]);
});

test('docs/operations.md has every name in the JSON of top', async () => {
  workspace = new Workspace();
  const { port } = await workspace.serve();
  const { code, stdout } = await workspace.run(['top', '-P', String(port), '--json', '-i', '0.1']);
  expect(code).toBe(0);
  const names = Object.keys(JSON.parse(stdout) as object);
  expect(names).toContain('opsPerSecond');
  expect(names.filter((name) => !operations.includes(`\`${name}\``))).toEqual([]);
});

/** Names with a number or a prefix in them stand in the document once, with N or PREFIX for it. */
function documentedAs(name: string): string {
  return name
    .replace(/^\d+:/, 'N:')
    .replace(/^listen\d+:/, 'listenN:')
    .replace(/^(listener|quota)_\d+$/, '$1_N')
    .replace(/^(quota|prefix):[^:]+:/, '$1:PREFIX:')
    .replace(/^level\d+_/, 'levelN_');
}

function namesOf(port: number, command: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (!received.endsWith('END\r\n')) return;
      socket.destroy();
      resolve([...received.matchAll(/^STAT (\S+) /gm)].map((match) => match[1] ?? ''));
    });
    socket.on('error', reject);
  });
}
