import { type Command, Option } from 'commander';
import { flagsOf, type OptionSpec, type OptionTable } from '../config/option.ts';

/**
 * Gives a command the options of a table, grouped and with their defaults in the help text.
 * Commander only gathers words: defaults and checks come from the table, after the weaker layers are read.
 */
export function addOptions(command: Command, table: OptionTable): Command {
  for (const spec of Object.values(table)) {
    command.addOption(makeOption(spec));
    if (isFlag(spec)) {
      // So that a command line can take back what a file, the environment or a script said.
      command.addOption(new Option(`--no-${spec.name}`).hideHelp());
    }
  }
  return command;
}

function makeOption(spec: OptionSpec<unknown>): Option {
  const option = new Option(flagsOf(spec), describe(spec)).helpGroup(spec.group);
  if (spec.counts === true) option.argParser((_value, before: number | undefined) => (before ?? 0) + 1);
  if (spec.ignored !== undefined) option.hideHelp();
  if (spec.type.list) option.argParser((value, before: string[] | undefined) => [...(before ?? []), value]);
  return option;
}

function describe(spec: OptionSpec<unknown>): string {
  return spec.defaultText === undefined ? spec.description : `${spec.description} (default ${spec.defaultText})`;
}

function isFlag(spec: OptionSpec<unknown>): boolean {
  return spec.argument === undefined && spec.counts !== true;
}
