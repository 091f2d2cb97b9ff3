import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { parsePasswords, type Passwords } from '../../../src/auth/passwords.ts';
import { readMemcachedCommand } from '../../../src/config/memcached/read.ts';
import { readServeSettings } from '../../../src/config/serve-config.ts';
import { TugelaError } from '../../../src/errors.ts';
import { crc32 as storeCrc } from '../../../src/store/crc32.ts';
import { maskedCrc32c } from '../../../src/store/crc32c.ts';
import { countKeys, packKeys, readDueRowKey, dueRowKey, unpackKeys } from '../../../src/store/due-row.ts';
import { readItemRow, rowSize, writeItemRow } from '../../../src/store/item-row.ts';
import { decodeJob, encodeJob } from '../../../src/store/job-row.ts';
import { inspectLevel } from '../../../src/store/level-check.ts';
import { endsShort, hasUnwrittenSector, readLevelLog } from '../../../src/store/level-log.ts';
import { readManifest } from '../../../src/store/level-manifest.ts';
import { readLevelTables } from '../../../src/store/level-tables.ts';
import { decodeQuota, encodeQuota } from '../../../src/store/quota-row.ts';
import { decodeState, emptyState, encodeState } from '../../../src/store/state-row.ts';
import { readRecordHead, valueOfRecord, writeRecord } from '../../../src/store/value-record.ts';
import { DumpEncoder } from '../../../src/tools/dump-format.ts';
import { DumpReader } from '../../../src/tools/dump-reader.ts';
import { buildItem } from '../../support/build-item.ts';
import { cutAtRandom } from '../cut.ts';
import { holds, refusalOf, type Target } from '../target.ts';

const isUsage = (error: unknown): boolean => error instanceof TugelaError && error.code === 'TUGELA_USAGE';

/*
 * An input for rows: which row (modulo), then the row. An even first byte has the row's checksum made right, so that
 * what is behind it is reached as well.
 */
const KEY = 'key';

function runRow(input: Buffer): void {
  if (input.length === 0) return;
  const which = input[0]! >> 1;
  const row = Buffer.from(input.subarray(1));
  const isMended = (input[0]! & 1) === 0;
  switch (which % 7) {
    case 0: {
      if (isMended && row.length >= 26) row.writeUInt32LE(storeCrc(row, 26, row.length, storeCrc(row, 0, 22)), 22);
      const item = readItemRow(row, KEY.length);
      if (item === undefined) return;
      holds(item.length >= 0 && item.length < 2 ** 32 && (item.value === undefined || item.value.length === item.length), 'an item has the length it says');
      const again = Buffer.alloc(rowSize(item));
      if (item.cas > Number.MAX_SAFE_INTEGER) return;
      holds(writeItemRow(again, 0, item) === again.length && again.equals(row), 'an item row is written as it was read');
      return;
    }
    case 1: {
      if (isMended && row.length >= 8) row.writeDoubleLE(crc32(row.subarray(0, row.length - 8)), row.length - 8);
      const state = decodeState(row);
      if (state === undefined) return;
      holds(Object.values(state).every((value: number) => Number.isSafeInteger(value) && value >= 0), 'the state holds whole numbers');
      holds(JSON.stringify(decodeState(encodeState(state))) === JSON.stringify(state), 'a state is read as it was written');
      return;
    }
    case 2:
    case 3: {
      if (isMended && row.length >= 4) row.writeUInt32LE(crc32(row.subarray(0, row.length - 4)), row.length - 4);
      const job = which % 7 === 2 ? decodeJob(row) : undefined;
      if (job !== undefined && job.deleted < 2 ** 53 && job.bytes < 2 ** 53) holds(encodeJob(job).equals(row), 'a job row is written as it was read');
      const quota = which % 7 === 3 ? decodeQuota(row) : undefined;
      if (quota !== undefined && Math.max(quota.items, quota.bytes, quota.handCas) < 2 ** 53) holds(encodeQuota(quota).equals(row), 'a quota row is written as it was read');
      return;
    }
    case 4: {
      const keys = unpackKeys(row);
      const packed = packKeys(keys);
      holds(row.subarray(0, packed.length).equals(packed), 'keys are packed as they were');
      holds(countKeys(row) - keys.length <= 1 && countKeys(row) >= keys.length, 'keys are counted');
      const key = readDueRowKey(row);
      if (key !== undefined) holds(dueRowKey(key).equals(row), "a due row's key is written as it was read");
      return;
    }
    case 5: {
      if (isMended && row.length >= 4) row.writeUInt32LE(storeCrc(row, 4, row.length), 0);
      const value = valueOfRecord(row, KEY);
      if (value !== undefined) holds(value.length + 32 + KEY.length === row.length, 'a value is all of its record');
      return;
    }
    default: {
      // As who reads a segment from record to record.
      let records = 0;
      for (let at = 0; at < row.length; records++) {
        const head = readRecordHead(row, at);
        if (head === undefined) break;
        holds(head.size > 32, 'a record is longer than its head');
        at += head.size;
      }
      holds(records <= row.length / 33 + 1, 'no more records than there is room for');
    }
  }
}

function rowSeeds(): Buffer[] {
  const inline = buildItem({ value: Buffer.from('value'), chosenCas: 2n ** 63n, bits: 3 });
  const outside = buildItem({ value: Buffer.alloc(0), length: 1000, place: { segment: 1, offset: 2, size: 1035 } });
  const rows = [inline, outside].map((item) => {
    const row = Buffer.alloc(rowSize(item));
    writeItemRow(row, 0, item);
    return row;
  });
  const record = Buffer.alloc(32 + KEY.length + inline.length);
  writeRecord(record, 0, KEY, inline);
  const tag = (which: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.of(which * 2), bytes]);
  return [
    ...rows.map((row) => tag(0, row)),
    tag(1, encodeState({ ...emptyState(), cas: 100, items: 5 })),
    tag(1, encodeState(emptyState()).subarray(0, 15 * 8)),
    tag(2, encodeJob({ prefix: 'a:', after: 'a:b', deleted: 1, bytes: 2 })),
    tag(3, encodeQuota({ items: 1, bytes: 2, handCas: 3, hand: 'a' })),
    tag(4, packKeys(['a', 'bc', ''])),
    tag(4, dueRowKey({ deadline: 1, shift: 2, number: 3 })),
    tag(5, record),
    tag(6, Buffer.concat([record, record])),
  ];
}

/** A dump in one piece and in many. Behind a first byte that is no `t` the checksums of its items are made right. */
function runDump(input: Buffer): void {
  const bytes = input[0] === 0x74 ? input : withChecksums(input.subarray(1));
  const whole = readDump([bytes]);
  const cut = readDump(cutAtRandom(bytes));
  // In pieces, items come before what is found to be wrong behind them.
  holds(whole.end === cut.end, 'the same end however the dump is cut');
  if (whole.end === '') holds(whole.items.join() === cut.items.join(), 'the same items however the dump is cut');
}

function readDump(pieces: readonly Buffer[]): { items: string[]; end: string } {
  const reader = new DumpReader();
  const items: string[] = [];
  const end = refusalOf(
    () => {
      for (const piece of pieces) {
        for (const { key, flags, expiresAt, storedAt, cas, chosenCas, bits, value, line } of reader.push(piece)) {
          holds(value.length <= 2 ** 31 && key.length <= 250 && expiresAt <= 0xffff_ffff && storedAt <= 0xffff_ffff && flags <= 0xffff_ffff, 'an item has fields that can be');
          items.push([key, flags, expiresAt, storedAt, cas, chosenCas, bits, value.toString('latin1'), line].join());
        }
      }
      reader.finish();
    },
    (error) => error instanceof TugelaError && error.code === 'TUGELA_STORE_CORRUPT',
  );
  return { items, end: end instanceof Error ? end.message : '' };
}

function withChecksums(dump: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < dump.length; ) {
    const found = dump.indexOf(0x0a, at);
    const end = found < 0 ? dump.length : found;
    const line = dump.toString('latin1', at, end);
    const match = /^(ITEM .* (\d{1,6})) [^ ]*$/.exec(line);
    const valueEnd = end + 1 + Number(match?.[2] ?? 0);
    if (match === null || valueEnd >= dump.length) {
      parts.push(dump.subarray(at, end + 1));
      at = end + 1;
      continue;
    }
    const value = dump.subarray(end + 1, valueEnd);
    const crc = crc32(value, crc32(Buffer.from(match[1]!, 'latin1')));
    parts.push(Buffer.from(`${match[1]} ${crc.toString(16).padStart(8, '0')}\n`, 'latin1'), dump.subarray(end + 1, valueEnd + 1));
    at = valueEnd + 1;
  }
  return Buffer.concat(parts);
}

function dumpSeeds(): Buffer[] {
  const encoder = new DumpEncoder();
  encoder.head();
  encoder.item('a', buildItem({ value: Buffer.from('hello'), chosenCas: 5, bits: 7 }), Buffer.from('hello'));
  encoder.lose('b c');
  encoder.item('\0\n', buildItem({ value: Buffer.alloc(0) }), Buffer.alloc(0));
  encoder.item('c', buildItem({ value: Buffer.from('1\n2\nITEM \n') }), Buffer.from('1\n2\nITEM \n'));
  encoder.end();
  const dump = Buffer.concat(encoder.take());
  return [dump, Buffer.concat([Buffer.from(' '), dump])];
}

function runPasswords(input: Buffer): void {
  const passwords: Passwords | Error = refusalOf(() => parsePasswords(input, 'file', input.length % 2 === 0), isUsage);
  if (passwords instanceof Error) {
    for (const line of input.toString('latin1').split('\n')) holds(line.length < 24 || !passwords.message.includes(line), 'no line is shown in a message');
    return;
  }
  const [line = ''] = input.toString('latin1').split('\n').filter((each) => each !== '' && each !== '\r');
  const colon = line.indexOf(':');
  const password = line.slice(colon + 1).replace(/\r$/, '');
  holds(passwords.verify(Buffer.from(line.slice(0, colon), 'latin1'), Buffer.from(password, 'latin1')), 'the user in the first line is let in');
  holds(!passwords.verify(Buffer.from('nobody\n'), Buffer.from('x')), 'who is not in the file is not let in');
}

const directory = mkdtempSync(join(tmpdir(), 'tugela-fuzz-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

function runConfigFile(input: Buffer): void {
  const path = join(directory, 'config.json');
  writeFileSync(path, input);
  refusalOf(() => readServeSettings({ config: path }, {}), isUsage);
}

/** Lines with a `=` in capitals are the environment, the others words. */
function runCommandLine(input: Buffer): void {
  const environment: Record<string, string> = {};
  const words: string[] = [];
  for (const line of input.toString('latin1').split('\n')) {
    const [, name, value] = /^([A-Z_]+)=(.*)$/s.exec(line) ?? [];
    if (name === undefined) words.push(line);
    else environment[name] = value ?? '';
  }
  refusalOf(() => readMemcachedCommand(words, environment), isUsage);
  refusalOf(() => readServeSettings({}, environment), isUsage);
}

/** LevelDB's log as it is, and as one whose checksums are right: the input then is the data of one record. */
function runLevelLog(input: Buffer): void {
  for (const log of [input, logOf(input)]) {
    const { records, breaks } = readLevelLog(log);
    let at = 0;
    for (const { start, end } of records) {
      holds(start >= at && end > start && end <= log.length, 'records lie one after the other');
      at = end;
    }
    for (const { start, end } of breaks) {
      holds(start <= end && end <= log.length, 'breaks lie inside the log');
      endsShort(log, start);
      hasUnwrittenSector(log, start, end);
    }
    const files = readManifest(records);
    if (files !== undefined) holds(files.tables.size <= log.length, 'no more tables than bytes');
  }
  readLevelTables(input.toString('latin1'));
}

/** A log of one record. */
function logOf(data: Buffer): Buffer {
  const piece = data.subarray(0, 32_000);
  const log = Buffer.concat([Buffer.alloc(7), piece]);
  log.writeUInt16LE(piece.length, 4);
  log[6] = 1;
  log.writeUInt32LE(maskedCrc32c(log, 6, log.length), 0);
  return log;
}

/** The files of a database: manifest, log and table, each behind its length; the first byte has checksums made right. */
async function runLevelDirectory(input: Buffer): Promise<void> {
  const path = mkdtempSync(join(directory, 'level-'));
  try {
    const isMended = (input[0] ?? 0) % 2 === 0;
    const first = 4 + (input[1] ?? 0) * 2;
    const second = first + (input[2] ?? 0) * 2;
    const wrap = (bytes: Buffer): Buffer => (isMended ? logOf(bytes) : bytes);
    writeFileSync(join(path, 'CURRENT'), (input[3] ?? 0) % 8 === 7 ? input.subarray(0, 20) : 'MANIFEST-000001\n');
    writeFileSync(join(path, 'MANIFEST-000001'), wrap(input.subarray(4, first)));
    writeFileSync(join(path, '000003.log'), wrap(input.subarray(first, second)));
    writeFileSync(join(path, '000005.ldb'), input.subarray(second));
    const state = await inspectLevel(path);
    holds(['new', 'whole', 'torn', 'hole', 'damaged'].includes(state.kind), 'a state is one of those there are');
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** A manifest that names log 3 and table 5, with a log of one write. */
function levelSeeds(): Buffer[] {
  const manifest = Buffer.concat([Buffer.from([2, 3, 3, 6, 4, 1, 7, 0, 5, 40, 1, 97, 1, 98]), Buffer.alloc(2)]).subarray(0, 14);
  const write = Buffer.alloc(14);
  write.writeBigUInt64LE(2n, 0);
  write.writeUInt32LE(1, 8);
  const table = Buffer.concat([Buffer.alloc(32), Buffer.from('57fb808b247547db', 'hex')]);
  return [Buffer.concat([Buffer.of(0, 7, 7, 0), manifest, write, table]), Buffer.concat([Buffer.of(1, 10, 10, 0), logOf(manifest).subarray(0, 20), logOf(write).subarray(0, 20), table])];
}

const texts = (...lines: string[]): Buffer[] => lines.map((line) => Buffer.from(line, 'latin1'));

const optionWords = ['port', 'memory', 'listen', 'quota', 'maxItemSize', 'disk-limit', 'ack', 'true', 'false', '"', '[', ']', '{', '}', ':', ',', '1g', '-1', '1e400', 'tls', 'null', 'connection-memory', 'ephemeral-ttl'];

export const fileTargets: readonly Target[] = [
  { name: 'rows', seeds: rowSeeds(), words: ['\0\0\0\0', KEY], run: runRow },
  { name: 'dump', seeds: dumpSeeds(), words: ['ITEM ', 'LOST ', 'END ', 'tugela-ts dump 1\n', ' - ', '\n', ' 00000000\n', '%00'], run: runDump },
  { name: 'passwords', seeds: texts('user:password\n', 'a:b\r\nname@realm:pass:word\n\n', 'a:b'), words: [':', '@', '\r\n', '\n', '\0', 'user:'], run: runPasswords },
  {
    name: 'config-file',
    seeds: texts('{"port": 11212, "memory": 64}', '{"listen": ["127.0.0.1", "[::1]:5"], "quota": ["a:=1m"], "ack": "sync"}', '{"maxItemSize": "2m", "tls": false, "diskLimit": "1g"}'),
    words: optionWords,
    maxBytes: 2000,
    run: runConfigFile,
  },
  {
    name: 'command-line',
    seeds: texts('-m\n64\n-vv\n-o\nhash_algorithm=murmur3,lru_crawler', '-p0\n-s\n/tmp/x\n-a\n700', '--port=5\n--memory-lim\n64\n-l\n127.0.0.1,[::1]:6', '-I\n2m\nTUGELA_QUOTA=a:=1m\n-U\n0', '-h', '-dvP\nfile\n-B\nascii'),
    words: ['-', '--', '=', ',', ':', '\n', 'TUGELA_PORT=', 'TUGELA_MEMORY=', 'TUGELA_LISTEN=', 'TUGELA_QUOTA=', '-o\n', 'notls:', 'maxconns_fast', 'slab_reassign', 'hashpower=', 'modern', 'no_modern', ...optionWords],
    maxBytes: 2000,
    run: runCommandLine,
  },
  {
    name: 'level-log',
    seeds: [logOf(Buffer.from('hello')), levelSeeds()[0]!.subarray(4, 18), Buffer.concat([logOf(Buffer.alloc(100, 'x')), Buffer.alloc(512)]), ...texts("--- level 0 ---\n 5:40['iab' @ 1 : 1 .. 'i\\xff' @ 2 : 1]\n")],
    words: ['\x07\0', '\x80\x80\x80\x80\x80', '\x09', '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01', '\0'.repeat(7), "--- level 1 ---\n", '\\x69'],
    maxBytes: 70_000,
    run: runLevelLog,
  },
  { name: 'level-files', seeds: levelSeeds(), words: ['\x07\0\x05', '\x80\x80\x80\x80\x80\x01', '\xff\xff\xff\xff\x0f', 'MANIFEST-000001\n'], maxBytes: 1000, run: runLevelDirectory },
];
