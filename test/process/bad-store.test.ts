import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLevelLog } from '../../src/store/level-log.ts';
import { checkStore } from '../support/check-store.ts';
import { Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

const ITEMS = 40;

let workspace: Workspace;
let copies = 0;

/** A store that was written, killed, opened and written again: with tables, a log of a batch for each write, and values in segments. */
beforeAll(async () => {
  workspace = new Workspace();
  for (const round of [0, 1]) {
    const server = await workspace.serve({ directory: 'whole', args: ['--ack', 'sync'] });
    const client = await RawClient.connect(server.port);
    for (let i = 0; i < ITEMS; i++) await client.set(`key ${i}`.replace(' ', ':'), Buffer.alloc(i % 2 === 0 ? 100 : 1000, `${round}`));
    await server.kill();
  }
});

afterAll(() => workspace.close());

function copy(): string {
  const name = `copy-${copies++}`;
  cpSync(workspace.path('whole'), workspace.path(name), { recursive: true });
  return name;
}

function fileIn(directory: string, kind: RegExp): string {
  const name = readdirSync(directory).find((each) => kind.test(each));
  if (name === undefined) throw new Error(`nothing like ${kind.source} in ${directory}`);
  return join(directory, name);
}

/** All files but those that say who tried to open the store. */
function filesOf(directory: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (/^(LOG|LOG\.old|LOCK|OWNER)$/.test(name)) continue;
    const info = statSync(join(directory, name));
    files[name] = info.isFile() ? readFileSync(join(directory, name), 'latin1') : 'directory';
  }
  return files;
}

function overwrite(path: string): void {
  writeFileSync(path, Buffer.alloc(statSync(path).size, 'garbage '));
}

/** Changes a byte of a write in the middle of the log. */
function flipInLog(directory: string): void {
  const log = fileIn(directory, /\.log$/);
  const bytes = readFileSync(log);
  const { start } = readLevelLog(bytes).records[20]!;
  bytes[start + 30] = bytes[start + 30]! ^ 1;
  writeFileSync(log, bytes);
}

async function changeRows(directory: string, change: (db: ClassicLevel<Buffer, Buffer>) => Promise<void>): Promise<void> {
  const db = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer', compression: false });
  await change(db);
  await db.close();
}

async function tryToServe(directory: string, options: readonly string[] = []): Promise<{ code: number | null; said: string[] }> {
  const { code, stderr, stdout } = await workspace.run(['serve', '--port', '0', '--file', directory, ...options]);
  expect(stdout).toBe('');
  return { code, said: stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{')) };
}

const REPAIR = /; "tugela-ts store repair \S+copy-\d+ --into NEWDIR" saves what can be read, and leaves it as it is$/;

/** What to call it, how to make it so, what is said. */
const damages: readonly (readonly [string, (directory: string) => void | Promise<void>, RegExp])[] = [
  ['a manifest cut off', (directory) => truncateSync(fileIn(directory, /^MANIFEST/), 20), /LevelDB's file MANIFEST-\d+ is empty;/],
  ['an overwritten manifest', (directory) => overwrite(fileIn(directory, /^MANIFEST/)), /LevelDB's file MANIFEST-\d+ is damaged at offset 0;/],
  ['no manifest', (directory) => rmSync(fileIn(directory, /^MANIFEST/)), /LevelDB's file MANIFEST-\d+ is not there;/],
  ['a CURRENT that names another', (directory) => writeFileSync(join(directory, 'CURRENT'), 'MANIFEST-000077\n'), /LevelDB's file MANIFEST-000077 is not there;/],
  ['no CURRENT', (directory) => rmSync(join(directory, 'CURRENT')), /LevelDB's file CURRENT is not there;/],
  ['a flipped bit in the log', flipInLog, /LevelDB's log \d+\.log is damaged at offset \d+;/],
  ['no log', (directory) => rmSync(fileIn(directory, /\.log$/)), /LevelDB's log \d+\.log is not there;/],
  ['a table cut off', (directory) => truncateSync(fileIn(directory, /\.ldb$/), 100), /LevelDB's table \d+\.ldb has 100 bytes of \d+;/],
  ['an overwritten table', (directory) => overwrite(fileIn(directory, /\.ldb$/)), /LevelDB's table \d+\.ldb does not end as a table does;/],
  ['no table', (directory) => rmSync(fileIn(directory, /\.ldb$/)), /LevelDB's table \d+\.ldb is not there;/],
  ['garbage in the state row', (directory) => changeRows(directory, (db) => db.put(Buffer.from('mstate'), Buffer.from('garbage'))), /its state row is damaged;/],
  ['no state row', (directory) => changeRows(directory, (db) => db.del(Buffer.from('mstate'))), /its state row is not there;/],
  [
    'garbage in the counts of segments',
    (directory) => changeRows(directory, (db) => db.put(Buffer.from([0x73, 0, 0, 0, 0]), Buffer.alloc(256, 1))),
    /its counts of live values in segments are damaged;/,
  ],
];

/** Those that differ in what a repair has to do; test/tools has the repairs themselves. */
const repaired = damages.filter(([name]) => /^(a manifest cut off|no CURRENT|a flipped bit|a table cut off|garbage in the state row)/.test(name));

describe('a server does not serve, and does not change,', () => {
  it.each(damages)('a store with %s', async (_name, damage, problem) => {
    const name = copy();
    const path = workspace.path(name);
    await damage(path);
    const before = filesOf(path);
    const { code, said } = await tryToServe(path);
    expect(code).toBe(1);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^tugela-ts: Cannot open store at \S+copy-\d+: /);
    expect(said[0]).toMatch(problem);
    expect(said[0]).toMatch(REPAIR);
    // LevelDB moves its log into a table before it can be seen what is in it: nothing is lost by that.
    const rows = (files: Record<string, string>): string[] => Object.keys(files).filter((file) => file.startsWith('values/'));
    if (/row|counts/.test(_name)) expect(rows(filesOf(path))).toEqual(rows(before));
    else expect(filesOf(path)).toEqual(before);
  });

  it.each([
    ['no file TUGELA', (path: string) => rmSync(join(path, 'TUGELA')), /not a tugela-ts store \(no file TUGELA\); if it is one that lost this file, "printf 'tugela-ts store\\nformat 1\\n' > \S+TUGELA" puts it back$/],
    ['garbage in the file TUGELA', (path: string) => overwrite(join(path, 'TUGELA')), /its file TUGELA is not readable as ours; take it from a backup/],
    ['a newer format', (path: string) => writeFileSync(join(path, 'TUGELA'), 'tugela-ts store\nformat 9\n'), /it has format 9, this version knows up to 1; use the newer tugela-ts$/],
  ])('a store with %s', async (_name, damage, said) => {
    const path = workspace.path(copy());
    damage(path);
    const before = filesOf(path);
    const tried = await tryToServe(path, ['--auto-repair']);
    expect(tried).toEqual({ code: 1, said: [expect.stringMatching(said)] });
    expect(filesOf(path)).toEqual(before);
  });
});

it('a store that lost its file TUGELA is served again when it is put back as the message says', async () => {
  const name = copy();
  rmSync(join(workspace.path(name), 'TUGELA'));
  const { said } = await tryToServe(workspace.path(name));
  const command = /"(printf .*)" puts it back$/.exec(said[0] ?? '')?.[1];
  expect(spawnSync('sh', ['-c', command ?? ''], { cwd: workspace.directory }).status).toBe(0);
  const server = await workspace.serve({ directory: name });
  const client = await RawClient.connect(server.port);
  expect(await client.stat('curr_items')).toBe(ITEMS);
  expect(await server.stop()).toBe(0);
});

describe('--auto-repair', () => {
  it.each(repaired)('serves what is left of a store with %s, says so, and keeps its files', async (_name, damage) => {
    const name = copy();
    const path = workspace.path(name);
    await damage(path);
    const before = filesOf(path);
    const server = await workspace.serve({ directory: name, args: ['--auto-repair'] });
    expect(server.log.find(({ msg }) => msg === 'the store is damaged, repairing it (--auto-repair)')).toMatchObject({ level: 50, err: { code: 'TUGELA_STORE_CORRUPT' } });
    const { aside, items } = await server.logged('the store is repaired; remove the directory aside when it is of no more use');
    const kept = filesOf(String(aside));
    for (const [file, bytes] of Object.entries(before)) {
      // What LevelDB did before the damage could be seen.
      if (/row|counts/.test(_name) && !file.startsWith('values/')) continue;
      expect(kept[file] === bytes, file).toBe(true);
    }
    const client = await RawClient.connect(server.port);
    const found = await client.getMany(...Array.from({ length: ITEMS }, (_, i) => `key:${i}`));
    expect(found).toHaveLength(Number(items));
    for (const { value } of found) expect(['0', '1'].map((round) => Buffer.alloc(value.length, round)).some((known) => known.equals(value))).toBe(true);
    expect(await client.stat('curr_items')).toBe(found.length);
    await client.set('new', 'item');
    expect(await server.stop()).toBe(0);
    await checkStore(path);
  });

  it('is not needed for values that are gone: these are misses, counted and named', async () => {
    const name = copy();
    const path = workspace.path(name);
    const newest = readdirSync(join(path, 'values')).toSorted().at(-1);
    rmSync(join(path, 'values', newest ?? ''));
    const server = await workspace.serve({ directory: name });
    const client = await RawClient.connect(server.port);
    const found = await client.getMany(...Array.from({ length: ITEMS }, (_, i) => `key:${i}`));
    const lost = await client.stat('damaged_values', 'storage');
    expect(lost).toBeGreaterThan(0);
    expect(found).toHaveLength(ITEMS - lost);
    expect(server.log.filter(({ msg }) => msg === 'damaged on disk: answered as a miss')).toHaveLength(lost);
    expect(await server.stop()).toBe(0);
  });

  it('does not touch a store that another server holds', async () => {
    const name = copy();
    const server = await workspace.serve({ directory: name });
    const client = await RawClient.connect(server.port);
    await client.set('a', 'x');
    overwrite(join(workspace.path(name), 'CURRENT'));
    const { code, said } = await tryToServe(workspace.path(name), ['--auto-repair']);
    expect(code).toBe(1);
    expect(said).toEqual([expect.stringMatching(new RegExp(`: process ${server.pid} holds it`))]);
    expect(existsSync(join(workspace.path(name), 'lost'))).toBe(false);
    expect(await client.text('a')).toBe('x');
    await server.kill();
  });
});

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

/** Starts a server as the user nobody; skipped where that is not allowed. */
function serveAsNobody(path: string): { status: number | null; said: string } {
  const tried = spawnSync('setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath, join(import.meta.dirname, '../../dist/src/cli.js'), 'serve', '--port', '0', '--file', path], { encoding: 'utf8', timeout: 20_000 });
  return { status: tried.status, said: tried.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{')).join('\n') };
}

const canBeNobody = isRoot && spawnSync('setpriv', [`--reuid=${NOBODY}`, '--clear-groups', process.execPath, join(import.meta.dirname, '../../dist/src/cli.js'), '--version']).status === 0;
const NOT_NOBODY = canBeNobody ? '' : ' (skipped: needs root, setpriv, and a checkout that others may read)';

describe.skipIf(!canBeNobody)(`for a user without rights${NOT_NOBODY}`, () => {
  it.each([
    ['the directory', (path: string) => chmodSync(path, 0o700)],
    ['the log, left by a tool that root ran', (path: string) => chmodSync(fileIn(path, /\.log$/), 0o600)],
    ['a table', (path: string) => chmodSync(fileIn(path, /\.ldb$/), 0o600)],
    ['any file, while all may be read', () => undefined],
  ])('%s is refused, with what to do, and nothing is changed', (_name, close) => {
    const path = workspace.path(copy());
    chmodSync(workspace.directory, 0o755);
    spawnSync('chmod', ['-R', 'a+rX', path]);
    if (_name.startsWith('the log') || _name === 'a table') chownSync(path, NOBODY, NOBODY);
    close(path);
    const before = filesOf(path);
    const { status, said } = serveAsNobody(path);
    expect(status).toBe(1);
    expect(said).toMatch(/^tugela-ts: Cannot open store at .*(EACCES|Permission denied).*; the directory and all files in it must belong to the user that runs this: "chown -R USER DIR" as root$/);
    expect(filesOf(path)).toEqual(before);
  });
});

const mounted = isRoot ? tryMount() : undefined;

/** A small file system in memory, where mounting is allowed. */
function tryMount(): string | undefined {
  const scratch = new Workspace();
  const tried = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', scratch.directory]);
  if (tried.status === 0) spawnSync('umount', [scratch.directory]);
  void scratch.close();
  return tried.status === 0 ? 'yes' : undefined;
}

it.skipIf(mounted === undefined)('on a read-only file system a store is refused, with what to do (skipped unless root may mount)', async () => {
  const name = copy();
  const point = workspace.path(`mounted-${name}`);
  mkdirSync(point);
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', point]).status).toBe(0);
  try {
    cpSync(workspace.path(name), join(point, 'data'), { recursive: true });
    expect(spawnSync('mount', ['-o', 'remount,ro', point]).status).toBe(0);
    const { code, said } = await tryToServe(join(point, 'data'));
    expect(code).toBe(1);
    expect(said).toEqual([expect.stringMatching(/^tugela-ts: Cannot open store at .*Read-only file system; its file system is mounted read-only: .*remount,rw"$/)]);
    const fresh = await tryToServe(join(point, 'new'));
    expect(fresh).toEqual({ code: 1, said: [expect.stringMatching(/^tugela-ts: Cannot .*EROFS.*; its file system is mounted read-only/)] });
    expect(basename(point)).toContain('mounted');
  } finally {
    spawnSync('umount', [point]);
  }
});
