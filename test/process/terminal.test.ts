import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { probe } from '../clients/foreign-client.ts';
import { type Ended, type Program, type ServerProcess, within, type Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';
import { serverForEach } from './server-for-each.ts';

/** What makes a terminal: `script` of util-linux, which others of that name do not do alike. */
const hasScript = probe(['script', '--version'])?.includes('util-linux') ?? false;
if (!hasScript) console.warn('skipped: script of util-linux is not installed');

const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const HOME = '\u001B[H';
const WIPE = '\r\u001B[K';

let workspace: Workspace;
let server: ServerProcess;
let client: RawClient;
serverForEach((started) => ({ workspace, server, client } = started));

async function fill(count: number): Promise<void> {
  client.send(Array.from({ length: count }, (_, i) => `set key:${i} 0 0 5 noreply\r\nvalue\r\n`).join(''));
  expect(await client.ask('mn')).toBe('MN');
}

/** Runs a line on a terminal to its end. */
async function onTerminal(line: string): Promise<Program & Ended> {
  const program = workspace.startOnTerminal(line);
  return Object.assign(program, await within(program.ended, () => `still runs: ${line}\n${program.stdout}`));
}

describe.skipIf(!hasScript)('top on a terminal', () => {
  it.each([
    { what: 'q', key: 'q' },
    { what: 'Ctrl-C', key: '\u0003' },
  ])('draws again and again until $what, and leaves the terminal as it was', async ({ key }) => {
    const top = workspace.startOnTerminal(`stty -g; tugela top -P ${server.port} -i 0.1; echo "status $?"; stty -g`);
    const draws = (): string[] => top.stdout.split(HOME).slice(1);
    await top.until(() => draws().length > 3 && draws().at(-1)?.includes('hot keys'), 'four views');
    expect(top.stdout).toContain(ENTER);
    expect(top.stdout).not.toContain(LEAVE);
    top.child.stdin?.write(key);
    expect(await within(top.ended, () => `still runs: ${top.stdout}`)).toMatchObject({ code: 0 });
    const [before, ...rest] = top.stdout.split('\r\n');
    // As `stty -g` writes it: numbers between colons.
    expect(before).toMatch(/^[\da-f:]{20,}$/);
    expect(rest.slice(-3)).toEqual([expect.stringContaining(`${LEAVE}status 0`), before, '']);
  });

  it('waits for a server that goes away, and shows it again', async () => {
    const { port } = server;
    const top = workspace.startOnTerminal(`tugela top -P ${port} -i 0.1`);
    await top.until(() => top.stdout.includes('hot keys'), 'a view');
    await server.stop();
    await top.until(() => top.stdout.includes('Cannot work with server'), 'the problem');
    const seen = top.stdout.length;
    server = await workspace.serve({ withoutPort: true, args: ['--port', String(port)] });
    await top.until(() => top.stdout.slice(seen).includes('hot keys'), 'a view of the new server');
    top.child.stdin?.write('q');
    expect(await within(top.ended, () => `still runs: ${top.stdout}`)).toMatchObject({ code: 0 });
  });
});

describe.skipIf(!hasScript)('progress', () => {
  it('of delete --wait is on stderr when that is a terminal, and nowhere else', async () => {
    await fill(8000);
    const shown = await onTerminal(`tugela delete -P ${server.port} -p key: --wait > out`);
    expect(shown.code).toBe(0);
    expect(shown.stdout.split(WIPE)).toContainEqual(expect.stringMatching(/^(waiting|running): \d+ items?, \d+ bytes/));
    expect(shown.stdout.endsWith(WIPE)).toBe(true);
    expect(readFileSync(workspace.path('out'), 'latin1')).toMatch(/^deleted 8000 items, \d+ bytes\n$/);

    await fill(100);
    const hidden = await onTerminal(`tugela delete -P ${server.port} -p key: --wait 2> err`);
    expect(hidden.stdout).toMatch(/^deleted 100 items, \d+ bytes\r\n$/);
    expect(readFileSync(workspace.path('err'), 'latin1')).toBe('');
  });

  it.each([
    { word: 'stat', args: '', says: 'reading: 100 items (100 %)' },
    { word: 'verify', args: '', says: 'verifying: 100 items (100 %)' },
    { word: 'dump', args: '-o dump', says: 'dumping: 100 items (100 %)' },
    { word: 'repair', args: '--into new', says: 'repairing: ' },
    { word: 'repair', args: '--in-place', says: 'repairing: ' },
    { word: 'compact', args: '', says: 'compacting: ' },
  ])('of store $word $args is on stderr when that is a terminal, and nowhere else', async ({ word, args, says }) => {
    await fill(100);
    await server.stop();
    const shown = await onTerminal(`tugela store ${word} data ${args} > out`);
    expect(shown.stdout).toContain(`${WIPE}${says}`);
    expect(shown.stdout.endsWith(WIPE)).toBe(true);
    expect(shown.code).toBe(0);

    const hidden = await onTerminal(`rm -rf new; tugela store ${word} data ${args} 2> err`);
    expect(hidden.code).toBe(0);
    expect(hidden.stdout).not.toContain('\u001B');
    expect(readFileSync(workspace.path('err'), 'latin1')).toBe('');
  });

  it('of a dump and a load of a running server', async () => {
    await fill(100);
    const dumped = await onTerminal(`tugela store dump -P ${server.port} -o dump`);
    expect(dumped.stdout).toContain(`${WIPE}dumping: `);
    expect(existsSync(workspace.path('dump'))).toBe(true);
    const loaded = await onTerminal(`tugela store load -P ${server.port} dump > out`);
    expect(loaded.stdout).toContain(`${WIPE}loading: `);
    expect(loaded.stdout.endsWith(WIPE)).toBe(true);
    expect(loaded.code).toBe(0);
  });
});
