import { readFileSync } from 'node:fs';
import { Kind, type Workload } from './workload.ts';

interface Header {
  readonly fields: readonly string[];
}

/** Members of a row that count here, by the names that the header gives them. */
const FIELDS = ['cmd', 'class', 'hash', 'bytes', 'result'] as const;

/**
 * Reads recorded traffic: the trace format of test/trace/trace.ts. A get that missed when it was recorded finds and
 * stores nothing: what its client made of it is stored by the set that follows. Exptimes are not kept.
 */
export function readRecorded(path: string): Workload {
  const [first = '', ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
  const { fields } = JSON.parse(first) as Header;
  const at = Object.fromEntries(FIELDS.map((name) => [name, fields.indexOf(name)]));
  const ids = new Map<string, number>();
  const requests: { kind: number; key: number; bytes: number }[] = [];
  for (const line of lines) {
    const row = JSON.parse(line) as (string | number | null)[];
    const field = (name: (typeof FIELDS)[number]): string | number | null => row[at[name] ?? -1] ?? null;
    const kind = kindOf(String(field('cmd')), String(field('result')));
    if (kind === undefined) continue;
    const name = `${field('class')}:${field('hash')}`;
    const key = ids.get(name) ?? ids.size;
    ids.set(name, key);
    requests.push({ kind, key, bytes: Number(field('bytes') ?? 0) });
  }
  return {
    name: 'recorded',
    keys: ids.size,
    kinds: Uint8Array.from(requests, ({ kind }) => kind),
    key: Uint32Array.from(requests, ({ key }) => key),
    bytes: Uint32Array.from(requests, ({ bytes }) => bytes),
    countedFrom: 0,
  };
}

function kindOf(word: string, result: string): number | undefined {
  if (word === 'get' || word === 'gets') return Kind.get;
  if (word === 'delete') return Kind.delete;
  return result === 'STORED' ? Kind.set : undefined;
}
