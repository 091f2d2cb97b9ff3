import type { Address } from '../../daemon/address.ts';
import { systemClock } from '../clock.ts';
import { TugelaError } from '../errors.ts';
import { print } from '../stdout.ts';
import { formatLines } from './amounts.ts';
import { compactStore } from './compact-store.ts';
import { DumpEncoder } from './dump-format.ts';
import { openInput, readDump } from './dump-input.ts';
import { dumpItems } from './dump-items.ts';
import { type OutputChoice, writeOutput } from './dump-output.ts';
import { DumpReader } from './dump-reader.ts';
import { Findings } from './findings.ts';
import { loadIntoServer } from './load-server.ts';
import { type LoadReport, loadIntoStore } from './load-store.ts';
import { Progress } from './progress.ts';
import { repairInPlace } from './repair-in-place.ts';
import { repairInto } from './repair-into.ts';
import { dumpServer } from './server-dump.ts';
import { formatStat, statStore } from './stat-store.ts';
import { StoreReader } from './store-reader.ts';
import { verifyStore } from './verify-store.ts';

/* What the words of `tugela-ts store` do: the tools, with stdout, stderr and the system's clock. */

/** Findings printed of a load or a repair; all are counted. */
const FINDINGS_SHOWN = 100;

/** Prints what is in a store. */
export async function stat(directory: string, json: boolean): Promise<void> {
  await withReader(directory, async (reader) => {
    const found = await statStore(reader, systemClock.now(), progress('reading', reader.state.items));
    await print(json ? `${JSON.stringify({ ...found.totals, levels: found.levels, segment_list: found.segments })}\n` : formatStat(found));
  });
}

/** Prints what is wrong with a store, and throws if something is. */
export async function verify(directory: string, json: boolean, shown: number): Promise<void> {
  const findings = new Findings(shown);
  await withReader(directory, async (reader) => {
    const report = await verifyStore(reader, { findings, progress: progress('verifying', reader.state.items) });
    await printReport({ ...report, findings: findings.total }, findings, json);
  });
  if (findings.total > 0) throw new TugelaError('TUGELA_STORE_CORRUPT', `Verified store at ${directory}: ${findings.total} ${findings.total === 1 ? 'finding' : 'findings'}`);
}

/** Writes a dump of a directory or of a running server. */
export async function dump(source: string | Address, { prefix, output }: { prefix: string; output: OutputChoice }): Promise<void> {
  if (typeof source !== 'string') {
    await dumpOfServer(source, prefix, output);
    return;
  }
  const encoder = new DumpEncoder();
  await withReader(source, async (reader) => {
    const now = systemClock.now();
    const shown = progress('dumping', prefix === '' ? reader.state.items : undefined);
    const chunks = dumpItems(reader, { prefix, now, flushCas: reader.flushedUpTo(now) }, encoder);
    await writeOutput(shownOf(chunks, encoder, shown), output);
  });
  refuseLost(encoder.lost);
}

/** Writes a dump of a running server to a file and says how much it is; to stdout it says nothing. */
export async function backUp(address: Address, { prefix, output }: { prefix: string; output: OutputChoice }): Promise<void> {
  const { items, bytes } = await dumpOfServer(address, prefix, output);
  if (output.path !== undefined) await print(formatLines({ items, bytes }));
}

/** Loads a dump into a directory or a running server. */
export async function load(target: string | Address, { file, merge, prefix, json }: { file: string | undefined; merge: boolean; prefix: string; json: boolean }): Promise<void> {
  const reader = new DumpReader();
  const pages = readDump(openInput(file), reader);
  const refused = new Findings(FINDINGS_SHOWN);
  const choice = { prefix, now: systemClock.now(), progress: progress('loading') };
  let report: LoadReport;
  try {
    report = typeof target === 'string' ? await loadIntoStore(target, pages, merge, choice) : await loadIntoServer(target, pages, refused, choice);
  } catch (error) {
    if (error instanceof TugelaError && error.code === 'TUGELA_STORE_CORRUPT' && reader.items > 0) {
      throw new TugelaError(error.code, `${error.message}; the ${reader.items} items before it are loaded`, { cause: error });
    }
    throw error;
  }
  await printReport({ ...report, lost_in_dump: reader.lost, refused: refused.total }, refused, json);
  if (refused.total > 0) throw new TugelaError('TUGELA_REFUSED', `Loaded all but ${refused.total} items, which the server refuses`);
}

/** Saves what can be read of a damaged store, into a new directory or where it is. */
export async function repair(directory: string, into: string | undefined, fromValues: boolean, json: boolean): Promise<void> {
  const lost = new Findings(FINDINGS_SHOWN);
  const report =
    into === undefined
      ? await repairInPlace(directory, lost, progress('repairing'))
      : await repairInto(directory, into, { now: systemClock.now(), lost, fromValues, progress: progress('repairing') });
  await printReport({ ...report }, lost, json);
}

/** Gives back the space of what is dead in a stopped store. */
export async function compact(directory: string, json: boolean): Promise<void> {
  await printReport({ ...(await compactStore(directory, () => systemClock.now(), progress('compacting'))) }, undefined, json);
}

async function dumpOfServer(address: Address, prefix: string, output: OutputChoice): Promise<DumpReader> {
  const reader = new DumpReader();
  await writeOutput(dumpServer(address, prefix, reader, progress('dumping')), output);
  refuseLost(reader.lost);
  return reader;
}

function refuseLost(lost: number): void {
  if (lost > 0) throw new TugelaError('TUGELA_STORE_CORRUPT', `Dumped all but ${lost} items, which are damaged; the dump names them in lines LOST`);
}

async function withReader(directory: string, work: (reader: StoreReader) => Promise<void>): Promise<void> {
  const reader = await StoreReader.open(directory);
  try {
    await work(reader);
  } finally {
    await reader.close();
  }
}

async function* shownOf(chunks: AsyncIterable<Buffer>, encoder: DumpEncoder, shown: Progress): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of chunks) {
      yield chunk;
      shown.show(encoder.items, encoder.bytes);
    }
  } finally {
    shown.end();
  }
}

function progress(what: string, total?: number): Progress {
  return new Progress(process.stderr, what, total);
}

/** Findings first, one a line, then the numbers. */
async function printReport(report: Readonly<Record<string, number | boolean>>, findings: Findings | undefined, json: boolean): Promise<void> {
  if (json) {
    await print(`${JSON.stringify({ ...report, ...(findings === undefined ? {} : { shown: findings.shown }) })}\n`);
    return;
  }
  const lines = (findings?.shown ?? []).map((finding) => `${finding}\n`);
  const left = (findings?.total ?? 0) - lines.length;
  if (left > 0) lines.push(`… and ${left} more\n`);
  await print(lines.join('') + formatLines(report));
}
