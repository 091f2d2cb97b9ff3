import type { ValueType } from './value-type.ts';

/** One option: the single source for the command line, the environment, the file and the docs. */
export interface OptionSpec<T> {
  /** The long name without dashes, in kebab-case. */
  readonly name: string;
  /** One letter, where there is a short form. */
  readonly short?: string;
  /** The placeholder of its value in the help text; absent for flags and counts. */
  readonly argument?: string;
  /** Counts how often it is given (`-vv`) instead of taking a value. */
  readonly counts?: boolean;
  /** Heading in the help text. */
  readonly group: string;
  readonly type: ValueType<T>;
  /** The value when nobody says anything. */
  readonly default: T;
  /** The default as people write it; absent = there is none to show. */
  readonly defaultText?: string;
  /** What the number counts: `MB`, `s`, `bytes`. */
  readonly unit?: string;
  readonly description: string;
  /**
   * Why it has no effect here: memcached knows it, and command lines that give it are to work. Such an option is
   * checked, named in a notice when it is given, and left out of help and documentation.
   */
  readonly ignored?: string;
}

/** Options by the camelCase form of their long name. */
export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

/** The values a table's options come to. */
export type ValuesOf<Table extends OptionTable> = {
  readonly [Key in keyof Table]: Table[Key] extends OptionSpec<infer Value> ? Value : never;
};

/** Only checks the type: a bare literal would give each default the type of its own text. */
export function option<T>(spec: OptionSpec<T>): OptionSpec<T> {
  return spec;
}

/** `--socket-mode` is `TUGELA_SOCKET_MODE` in the environment. */
export function environmentName(spec: OptionSpec<unknown>): string {
  return `TUGELA_${spec.name.toUpperCase().replaceAll('-', '_')}`;
}

/** The option as commander and the help text write it: `-p, --port <num>`. */
export function flagsOf(spec: OptionSpec<unknown>): string {
  const long = spec.argument === undefined ? `--${spec.name}` : `--${spec.name} <${spec.argument}>`;
  return spec.short === undefined ? long : `-${spec.short}, ${long}`;
}

/** The options that do something, which are those that people are told of. */
export function shownOptions(table: OptionTable): OptionSpec<unknown>[] {
  return Object.values(table).filter((spec) => spec.ignored === undefined);
}

/** A Markdown table of all options, for the documentation. */
export function optionsMarkdown(table: OptionTable): string {
  const rows = shownOptions(table).map((spec) => {
    const cells = [
      `\`${flagsOf(spec)}\``,
      spec.defaultText === undefined ? '' : `\`${spec.defaultText}\``,
      spec.unit ?? '',
      `\`${environmentName(spec)}\``,
      spec.description,
      spec.type.allowed,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| Option | Default | Unit | Environment | Meaning | Allowed |', '|---|---|---|---|---|---|', ...rows, ''].join('\n');
}
