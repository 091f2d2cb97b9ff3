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
  const { port } = await workspace.serve();
  const daemon = workspace.start(['expire', '-P', String(port), '--stats-port', '0', '--interval', '0.1']);
  const started = await daemon.logged('expiry daemon started');
  const daemonPort = Number(String(started['stats']).split(':').at(-1));
  await eventually(async () => (await namesOf(port, 'stats expire')).length > 10, 'the daemon reports');
  const names = [...(await namesOf(daemonPort, 'stats'))];
  for (const group of ['', ' settings', ' items', ' conns', ' slabs', ' sizes', ' storage', ' load', ' expire']) {
    names.push(...(await namesOf(port, `stats${group}`)));
  }
  expect([...new Set(names)].filter((name) => !operations.includes(`\`${documentedAs(name)}\``))).toEqual([]);
});

/** Names with a number in them stand in the document once, with N for it. */
function documentedAs(name: string): string {
  return name
    .replace(/^\d+:/, 'N:')
    .replace(/^listen\d+:/, 'listenN:')
    .replace(/^listener_\d+$/, 'listener_N')
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
