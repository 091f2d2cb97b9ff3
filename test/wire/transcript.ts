import { readFileSync } from 'node:fs';

/** A piece of a sent or expected text: bytes, or a number that the server chooses. */
export type Piece = { readonly kind: 'bytes'; readonly bytes: Buffer } | { readonly kind: 'number'; readonly name: string };

/** One step of a case; see README.md. */
export type Step =
  | { readonly kind: 'send'; readonly pieces: readonly Piece[]; readonly line: number }
  | { readonly kind: 'expect'; readonly pieces: readonly Piece[]; readonly line: number }
  | { readonly kind: 'match'; readonly pattern: RegExp; readonly line: number }
  | { readonly kind: 'skipTo'; readonly text: string; readonly line: number }
  | { readonly kind: 'closed'; readonly line: number };

export interface Case {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly deltas: ReadonlyMap<string, number>;
  /** True when only this server is meant. */
  readonly own: boolean;
}

export interface Transcript {
  readonly file: string;
  readonly serve: readonly string[];
  readonly cases: readonly Case[];
}

/** Reads a transcript. Throws with file and line where it is malformed. */
export function readTranscript(path: string, file: string): Transcript {
  const cases: (Case & { steps: Step[]; deltas: Map<string, number>; own: boolean })[] = [];
  const serve: string[] = [];
  readFileSync(path, 'latin1')
    .split('\n')
    .forEach((text, index) => {
      const line = index + 1;
      if (text === '' || text.startsWith('#')) return;
      const mark = text.slice(0, 3);
      const rest = text.slice(4);
      const malformed = (): never => {
        throw new Error(`${file}:${line}: not understood: ${text}`);
      };
      if (mark === '===') {
        cases.push({ name: rest, steps: [], deltas: new Map(), own: false });
        return;
      }
      const current = cases.at(-1);
      if (mark === '@@@') {
        if (current === undefined && rest.startsWith('serve ')) serve.push(...rest.split(' ').slice(1));
        else if (current !== undefined && rest === 'own') current.own = true;
        else malformed();
        return;
      }
      if (current === undefined) return malformed();
      switch (mark) {
        case '>>>':
          current.steps.push({ kind: 'send', pieces: readPieces(`${rest}\\r\\n`), line });
          break;
        case '>>-':
          current.steps.push({ kind: 'send', pieces: readPieces(rest), line });
          break;
        case '<<<':
          current.steps.push({ kind: 'expect', pieces: readPieces(`${rest}\\r\\n`), line });
          break;
        case '<<-':
          current.steps.push({ kind: 'expect', pieces: readPieces(rest), line });
          break;
        case '<<~':
          current.steps.push({ kind: 'match', pattern: new RegExp(rest), line });
          break;
        case '<<*':
          current.steps.push({ kind: 'skipTo', text: rest, line });
          break;
        case '<<!':
          if (rest !== 'closed') malformed();
          current.steps.push({ kind: 'closed', line });
          break;
        case '+++': {
          const [name = '', change = ''] = rest.split(' ');
          if (!/^[+-]?\d+$/.test(change)) malformed();
          current.deltas.set(name, Number(change));
          break;
        }
        default:
          malformed();
      }
    });
  return { file, serve, cases };
}

const ESCAPE = /\\(r|n|t|\\|\{|x[0-9a-fA-F]{2})|\{((?:\\.[0-9a-fA-F]{0,2}|[^{}])+?)\*(\d+)\}|\$\((\w+)\)/g;

function readPieces(text: string): Piece[] {
  const pieces: Piece[] = [];
  let plain = '';
  let at = 0;
  const flush = (): void => {
    if (plain !== '') pieces.push({ kind: 'bytes', bytes: Buffer.from(plain, 'latin1') });
    plain = '';
  };
  for (const match of text.matchAll(ESCAPE)) {
    plain += text.slice(at, match.index);
    at = match.index + match[0].length;
    const [, escaped, repeated, times, name] = match;
    if (escaped !== undefined) plain += unescaped(escaped);
    else if (repeated !== undefined) plain += repeated.replaceAll(ESCAPE, (_all, inner: string) => unescaped(inner)).repeat(Number(times));
    else if (name !== undefined) {
      flush();
      pieces.push({ kind: 'number', name });
    }
  }
  plain += text.slice(at);
  flush();
  return pieces;
}

function unescaped(escaped: string): string {
  switch (escaped) {
    case 'r':
      return '\r';
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case '\\':
    case '{':
      return escaped;
    default:
      return String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
  }
}
