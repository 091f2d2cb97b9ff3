import { TugelaError } from '../errors.ts';
import { environmentName, type OptionSpec, type OptionTable, type ValuesOf } from './option.ts';

/** Where a value was said, strongest first. */
export type Layer = 'command line' | 'environment' | 'file' | 'default';

/** One thing said about an option: the words and the place, as an error names it. */
export interface Said {
  readonly text: string;
  readonly place: string;
}

/** What the places below the command line say, by the options' keys. */
export type SaidValues = ReadonlyMap<string, Said>;

/** Everything said, by layer. */
export interface Layers {
  readonly commandLine: SaidValues;
  readonly environment: SaidValues;
  readonly file: SaidValues;
}

/** The values of all options and the layer each came from. */
export interface Resolved<Table extends OptionTable> {
  readonly values: ValuesOf<Table>;
  readonly layerOf: { readonly [Key in keyof Table]: Layer };
}

/**
 * Settles every option: command line, then environment, then file, then default.
 * What a stronger layer hides is checked all the same, so that a mistake shows before it matters.
 * Throws `TUGELA_USAGE` for the first value that is not allowed.
 */
export function resolveOptions<Table extends OptionTable>(table: Table, layers: Layers): Resolved<Table> {
  const values: Record<string, unknown> = {};
  const layerOf: Record<string, Layer> = {};
  for (const [key, spec] of Object.entries(table)) {
    values[key] = spec.default;
    layerOf[key] = 'default';
    for (const [layer, said] of weakestFirst(layers, key)) {
      values[key] = parseSaid(spec, said);
      layerOf[key] = layer;
    }
  }
  // Filled from the table's own keys just above.
  return { values: values as ValuesOf<Table>, layerOf: layerOf as Resolved<Table>['layerOf'] };
}

/** What the environment says. An empty variable says nothing: compose files and shells set them so. */
export function readEnvironment(table: OptionTable, environment: NodeJS.ProcessEnv): SaidValues {
  const said = new Map<string, Said>();
  for (const [key, spec] of Object.entries(table)) {
    const place = environmentName(spec);
    const text = environment[place];
    if (text !== undefined && text !== '') said.set(key, { text, place });
  }
  return said;
}

/** What the command line says, as commander gathered it. */
export function readCommandLine(table: OptionTable, given: Readonly<Record<string, unknown>>): SaidValues {
  const said = new Map<string, Said>();
  for (const [key, spec] of Object.entries(table)) {
    const value = given[key];
    if (value === undefined) continue;
    const words = Array.isArray(value) ? value : [value];
    said.set(key, { text: words.map(String).join(','), place: `--${spec.name}` });
  }
  return said;
}

/** A mistake of whoever started the program, in one line. */
export function usageError(message: string, options?: ErrorOptions): TugelaError {
  return new TugelaError('TUGELA_USAGE', message, options);
}

function weakestFirst(layers: Layers, key: string): [Layer, Said][] {
  const said: [Layer, Said | undefined][] = [
    ['file', layers.file.get(key)],
    ['environment', layers.environment.get(key)],
    ['command line', layers.commandLine.get(key)],
  ];
  return said.filter((pair): pair is [Layer, Said] => pair[1] !== undefined);
}

function parseSaid(spec: OptionSpec<unknown>, said: Said): unknown {
  const parsed = spec.type.parse(said.text);
  if (parsed.ok) return parsed.value;
  throw usageError(`${said.place}: ${printable(parsed.problem)}`);
}

/** Keeps the message on one line whatever was typed. */
function printable(message: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this removes
  return message.replaceAll(/[\u0000-\u001f\u007f]/g, '?');
}
