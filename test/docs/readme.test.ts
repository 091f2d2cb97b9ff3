import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { Workspace } from '../support/process.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { fencedBlocks, readDocument, ROOT, sectionOf } from './markdown.ts';

const readme = readDocument('README.md');
let workspace: Workspace | undefined;

afterEach(async () => {
  await workspace?.close();
});

test("README's first session goes as it says, kill and restart included", async () => {
  workspace = new Workspace();
  let server = await workspace.serve();
  for (const { command, output } of steps(sectionOf(readme, 'A first session'))) {
    const sent = /^printf '(.*)' \| nc -N 127\.0\.0\.1 11211$/.exec(command)?.[1];
    if (sent !== undefined) {
      // As a reader would be: what expires in a second has expired when it is asked for.
      if (command.includes('get ')) await new Promise((resolve) => setTimeout(resolve, 2100));
      expect(await exchange(server.port, unescape(sent)), command).toBe(output);
    } else if (command.startsWith('kill -9 ')) {
      await server.kill();
    } else {
      expect(command).toBe('npm start &');
      server = await workspace.serve();
    }
  }
});

test("README's library example runs", async () => {
  const directory = tempDirectory();
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(ROOT, join(directory, 'node_modules', 'tugela-ts'));
  const [example = ''] = fencedBlocks(sectionOf(readme, 'As a library'), 'js');
  writeFileSync(join(directory, 'example.mjs'), example);
  const { stdout } = await promisify(execFile)(process.execPath, ['example.mjs'], { cwd: directory });
  expect(stdout).toMatch(/^127\.0\.0\.1:\d+\n$/);
});

interface Step {
  readonly command: string;
  readonly output: string;
}

/** The commands of all `console` blocks, each with what it is said to print. */
function steps(text: string): Step[] {
  const found: { command: string; output: string }[] = [];
  for (const line of fencedBlocks(text, 'console').join('').split('\n').slice(0, -1)) {
    const last = found.at(-1);
    if (line.startsWith('$ ')) found.push({ command: line.slice(2), output: '' });
    else if (last !== undefined) last.output += `${line}\r\n`;
  }
  return found;
}

/** What printf makes of its argument. */
function unescape(text: string): string {
  return text.replaceAll(String.raw`\r`, '\r').replaceAll(String.raw`\n`, '\n');
}

/** What `nc -N` does: sends all, closes its side, and gives back what comes until the other side closes. */
function exchange(port: number, sent: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.end(sent));
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    socket.on('end', () => resolve(received));
    socket.on('error', reject);
  });
}
