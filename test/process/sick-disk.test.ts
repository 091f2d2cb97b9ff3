import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkStore } from '../support/check-store.ts';
import { eventually, type ServerProcess, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

const REFUSED = 'SERVER_ERROR cannot write to disk';
const WRITERS = 6;
/** Bytes of values that lie in LevelDB's rows, and of those in segments. */
const ROW_BYTES = 200;
const VALUE_BYTES = 3000;
const MB = 2 ** 20;
/** Less than a server has open: nothing more can be. */
const NO_MORE_FILES = 10;
/** A server's own limit, to which it is put back. */
const FILES = 1024;

type IsOver = (refusals: number, stored: number) => boolean;

interface Filled {
  readonly stored: string[];
  readonly refusals: string[];
}

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(() => workspace.close());

/** Stores a key on a connection, the `i`-th of its writer; gives back the reply. */
type Put = (client: RawClient, key: string, i: number) => Promise<string>;

/** Values in rows and in segments. */
const putBoth: Put = (client, key, i) => client.set(key, valueOf(key, i % 3 === 0 ? ROW_BYTES : VALUE_BYTES));

function connectWriters(server: ServerProcess): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: WRITERS }, () => RawClient.connect(server.port)));
}

/** Sets key after key on several connections until `isOver`; gives back the keys acknowledged and the other replies. */
async function fill(server: ServerProcess, prefix: string, isOver: IsOver): Promise<Filled> {
  const writers = await connectWriters(server);
  const filled = await fillBy(writers, prefix, isOver);
  for (const writer of writers) writer.close();
  return filled;
}

/** The same on connections that are there. */
async function fillBy(writers: readonly RawClient[], prefix: string, isOver: IsOver, put: Put = putBoth): Promise<Filled> {
  const stored: string[] = [];
  const refusals: string[] = [];
  await Promise.all(
    writers.map(async (client, writer) => {
      for (let i = 0; !isOver(refusals.length, stored.length); i++) {
        const key = `${prefix}:${writer}:${i}`;
        const reply = await put(client, key, i);
        if (reply === 'STORED') stored.push(key);
        else refusals.push(reply);
      }
    }),
  );
  return { stored, refusals };
}

function valueOf(key: string, length: number): string {
  return key.padEnd(length, `<${key}>`);
}

async function expectAll(server: ServerProcess, keys: readonly string[]): Promise<void> {
  const client = await RawClient.connect(server.port);
  await expectAllOn(client, keys);
  client.close();
}

async function expectAllOn(client: RawClient, keys: readonly string[]): Promise<void> {
  for (let i = 0; i < keys.length; i += 100) {
    const found = await client.getMany(...keys.slice(i, i + 100));
    expect(found.map(({ key }) => key)).toEqual(keys.slice(i, i + 100));
    for (const { key, value } of found) expect(value.toString('latin1') === valueOf(key, value.length), key).toBe(true);
  }
}

function logged(server: ServerProcess, message: string): number {
  return server.log.filter(({ msg }) => msg === message).length;
}

async function expectMended(server: ServerProcess): Promise<void> {
  const client = await RawClient.connect(server.port);
  await eventually(async () => (await client.set('mended', 'x')) === 'STORED', 'writes are accepted again');
  expect(await client.stat('writable', 'storage')).toBe(1);
  client.close();
}

const limits = spawnSync('prlimit', ['--version']).status === 0;

function limit(server: ServerProcess, what: 'fsize' | 'nofile', soft: number | 'unlimited'): void {
  expect(spawnSync('prlimit', ['--pid', String(server.pid), `--${what}=${soft}:`]).status).toBe(0);
}

const mountPoint = (): { path: string; status: number | null } => {
  const path = workspace.path('mounted');
  mkdirSync(path);
  return { path, status: spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', path]).status };
};

it('a file system that is full: stores are refused at once, reads go on, and all is well when there is room (skipped unless root may mount)', async ({ skip }) => {
  const { path, status } = mountPoint();
  if (status !== 0) skip('mounting is not allowed here');
  try {
    writeFileSync(`${path}/other`, Buffer.alloc(14 * MB));
    const server = await workspace.serve({ directory: 'mounted/data', args: ['-m', '2'] });
    const before = await fill(server, 'before', (refusals) => refusals > 200);
    expect(new Set(before.refusals)).toEqual(new Set([REFUSED]));
    expect(before.stored.length).toBeGreaterThan(1000);
    await expectAll(server, before.stored);
    // It is said at the next look, within a second, and not again.
    await eventually(() => Promise.resolve(logged(server, 'writes are refused until the store can be opened anew; reads go on') === 1), 'the log says so');

    rmSync(`${path}/other`);
    await expectMended(server);
    const after = await fill(server, 'after', (_, stored) => stored > 300);
    expect(after.refusals).toEqual([]);
    await expectAll(server, [...before.stored, ...after.stored]);
    expect(logged(server, 'store opened anew, writes are accepted again')).toBe(1);
    expect(await server.stop()).toBe(0);
    await checkStore(`${path}/data`);
  } finally {
    expect(spawnSync('umount', ['-l', path]).status).toBe(0);
  }
});

describe.skipIf(!limits)('with prlimit (skipped without)', () => {
  // Opening it anew was tried every second, which closed the database: what was not in RAM could not be read any more.
  it('writes that fail: reads of all there is go on, the log says it once, and all is well when writing is possible', async () => {
    const server = await workspace.serve({ args: ['-m', '2'] });
    const before = await fill(server, 'before', (_, stored) => stored >= 2000);
    limit(server, 'fsize', 100_000);
    const { refusals } = await fill(server, 'refused', (refused) => refused > 100);
    expect(new Set(refusals)).toEqual(new Set([REFUSED]));
    await server.logged('store cannot be opened anew');
    await expectAll(server, before.stored);
    await expectAll(server, before.stored);
    limit(server, 'fsize', 'unlimited');
    await expectMended(server);
    expect(logged(server, 'writes are refused until the store can be opened anew; reads go on')).toBe(1);
    expect(logged(server, 'store cannot be opened anew')).toBe(1);
    await expectAll(server, before.stored);
    expect(await server.stop()).toBe(0);
    await checkStore(workspace.path('data'));
  });

  it('no more open files: clients that are there are served, a value whose file cannot be opened is an error and not a miss', async () => {
    const first = await workspace.serve();
    const { stored } = await fill(first, 'k', (_, count) => count >= 500);
    expect(await first.stop()).toBe(0);
    const server = await workspace.serve();
    const client = await RawClient.connect(server.port);
    await client.set('new', 'x');
    // The first write of all is in LevelDB alone, the next has a segment opened.
    await client.set('opens', 'x');
    limit(server, 'nofile', NO_MORE_FILES);
    const large = stored.find((key) => !key.endsWith(':0')) ?? '';
    for (let i = 0; i < 50; i++) expect(await client.ask(`get ${large}`)).toBe('SERVER_ERROR cannot read from disk');
    expect(await client.text('new')).toBe('x');
    expect(await client.set('newer', 'y')).toBe('STORED');
    expect(logged(server, 'command failed')).toBe(1);
    const waiting = await RawClient.connect(server.port);
    limit(server, 'nofile', FILES);
    await expectAll(server, stored);
    expect(await client.text('newer')).toBe('y');
    expect(await client.stat('damaged_values', 'storage')).toBe(0);
    // Who came meanwhile is accepted now, or was sent away.
    waiting.close();
    expect(await server.stop()).toBe(0);
    await checkStore(workspace.path('data'));
  });

  const putForMinutes: Put = (client, key) => client.set(key, valueOf(key, VALUE_BYTES), 0, 300);
  const putRows: Put = (client, key) => client.set(key, valueOf(key, ROW_BYTES));
  it.each([
    ['a new segment, for values that live for minutes', putForMinutes],
    ["LevelDB's next log, when the write buffer is full", putRows],
  ] as const)('no more open files: what needs %s is refused at once, and all is well when files can be opened', async (_what, put) => {
    const server = await workspace.serve({ args: ['-m', '2'] });
    // Nobody can connect later.
    const writers = await connectWriters(server);
    const before = await fillBy(writers, 'before', (_, stored) => stored >= 300);
    limit(server, 'nofile', NO_MORE_FILES);
    const meanwhile = await fillBy(writers, 'meanwhile', (refusals) => refusals > 100, put);
    expect(new Set(meanwhile.refusals)).toEqual(new Set([REFUSED]));
    await server.logged('store cannot be opened anew');
    await expectAllOn(writers[0]!, [...before.stored, ...meanwhile.stored]);
    limit(server, 'nofile', FILES);
    await expectMended(server);
    const after = await fillBy(writers, 'after', (_, stored) => stored > 100, put);
    expect(after.refusals).toEqual([]);
    await expectAll(server, [...before.stored, ...meanwhile.stored, ...after.stored]);
    expect(logged(server, 'writes are refused until the store can be opened anew; reads go on')).toBe(1);
    expect(logged(server, 'store cannot be opened anew')).toBe(1);
    expect(logged(server, 'store opened anew, writes are accepted again')).toBe(1);
    expect(await server.stop()).toBe(0);
    await checkStore(workspace.path('data'));
  });
});
