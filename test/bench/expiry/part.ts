import type { Bound } from '../bounds.ts';
import type { ProcessKeeper } from '../process-keeper.ts';

/** An option of a part: numbers, one or a list of them. */
export interface PartOption {
  /** As on the command line: `10` or `1,2,3`. */
  readonly preset: string;
  readonly about: string;
}

/** What a part is run with. */
export interface PartContext {
  /** The numbers of each option, at least one. */
  readonly given: Readonly<Record<string, readonly number[]>>;
  /** An empty directory of its own, removed in the end. */
  readonly directory: string;
  readonly keeper: ProcessKeeper;
  readonly log: (line: string) => void;
}

/** What a part came to. */
export interface PartResult {
  /** Markdown. */
  readonly tables: readonly string[];
  readonly bounds: readonly Bound[];
}

/** One of the claims about expiry that are measured. */
export interface Part {
  readonly name: string;
  readonly title: string;
  readonly options: Readonly<Record<string, PartOption>>;
  run(context: PartContext): Promise<PartResult>;
}

/** The single number of an option. */
export function numberOf(given: PartContext['given'], name: string): number {
  const [value] = given[name] ?? [];
  if (value === undefined) throw new TypeError(`no option is called ${name}`);
  return value;
}
