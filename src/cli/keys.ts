import { Command, Option } from 'commander';
import type { Address } from '../../daemon/address.ts';
import type { ListedItem } from '../../daemon/target.ts';
import { jsonLine, plainLine, type ShownItem } from '../client/item-lines.ts';
import { askLiveness, keyPages } from '../client/key-pages.ts';
import { withClient } from '../client/open-client.ts';
import { Output } from '../client/output.ts';
import { parser } from '../client/parser.ts';
import { addressOf, addServerOptions, prefixOption, refuseTogether } from '../client/server-options.ts';
import { ValueReader } from '../client/value-reader.ts';
import { wholeNumber } from '../config/value-type.ts';

const LINE_END = Buffer.from('\n');

interface KeysOptions {
  readonly prefix?: Buffer;
  readonly limit?: number;
  readonly values?: true;
  readonly json?: true;
  readonly raw?: true;
  readonly count?: true;
}

/** The command `tugela-ts keys`: lists what a running server has, in key order. */
export function keysCommand(): Command {
  const command = new Command('keys').description("list a running server's keys in order, with size, seconds to live and age").allowExcessArguments(false);
  addServerOptions(command)
    .addOption(prefixOption('only keys that begin so'))
    .addOption(new Option('-n, --limit <num>', 'end after so many keys').argParser(parser(wholeNumber(1, Number.MAX_SAFE_INTEGER))))
    .addOption(new Option('--values', 'with their values'))
    .addOption(new Option('--json', 'a JSON object a line'))
    .addOption(new Option('--raw', 'the bytes of the key alone, instead of %XX for all but letters, digits and -._~'))
    .addOption(new Option('--count', 'only how many there are'));
  return command.action(async () => {
    refuseTogether(command, 'raw', 'json', 'count');
    refuseTogether(command, 'raw', 'values');
    refuseTogether(command, 'count', 'values');
    const address = addressOf(command);
    await list(address, command.opts<KeysOptions>(), new Output(process.stdout));
  });
}

async function list(address: Address, options: KeysOptions, out: Output): Promise<void> {
  const { prefix, limit = Number.POSITIVE_INFINITY } = options;
  await withClient(address, async (client) => {
    const liveness = await askLiveness(client);
    const now = (): number => liveness.now();
    const values = options.values === true ? await ValueReader.connect(address) : undefined;
    let count = 0;
    try {
      for await (const page of keyPages(client, { prefix, pageItems: limit })) {
        const items = page.filter((item) => liveness.isLive(item)).slice(0, limit - count);
        count += items.length;
        if (options.count !== true) await show(items, values, options, now, out);
        if (count >= limit || out.isOver) break;
      }
    } finally {
      values?.close();
    }
    if (options.count === true) await out.write(Buffer.from(`${count}\n`));
    await out.flush();
  });
}

async function show(items: readonly ListedItem[], values: ValueReader | undefined, options: KeysOptions, now: () => number, out: Output): Promise<void> {
  if (values === undefined) {
    for (const item of items) await out.write(line({ item }, options, now()));
    return;
  }
  for await (const [item, value] of values.read(items)) {
    if (out.isOver) return;
    await out.write(line({ item, value }, options, now()));
  }
}

function line(shown: ShownItem, { raw, json }: KeysOptions, now: number): Buffer {
  if (raw === true) return Buffer.concat([shown.item.key, LINE_END]);
  return Buffer.from(json === true ? jsonLine(shown, now) : plainLine(shown, now));
}
