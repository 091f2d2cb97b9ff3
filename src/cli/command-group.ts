import { Command } from 'commander';

/** A command that is a word in front of others. What the program sets up for it holds for these too. */
export class CommandGroup extends Command {
  override copyInheritedSettings(parent: Command): this {
    super.copyInheritedSettings(parent);
    for (const command of this.commands) {
      command.copyInheritedSettings(parent);
      command.helpOption('-h, --help', 'print this help');
    }
    return this;
  }
}
