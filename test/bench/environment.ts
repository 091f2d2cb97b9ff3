import { cpus, release, totalmem, type } from 'node:os';

const GIB = 2 ** 30;

/** Where and when a report was made. */
export interface Environment {
  readonly date: string;
  readonly machine: string;
  readonly node: string;
  readonly command: string;
}

/** Describes this machine and run. `args` are the arguments of the package script `script`. */
export function describeEnvironment(args: readonly string[], script = 'bench'): Environment {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const quoted = args.map((arg) => (/^[\w.,=/:-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", String.raw`'\''`)}'`));
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${model}, ${Math.round(totalmem() / GIB)} GiB RAM, ${type()} ${release()}`,
    node: process.version,
    command: [`npm run ${script}`, ...(quoted.length === 0 ? [] : ['--', ...quoted])].join(' '),
  };
}
