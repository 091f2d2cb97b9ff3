import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readMemcachedCommand } from '../../src/config/memcached/read.ts';
import { readServeSettings } from '../../src/config/serve-config.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const SIZE = 'a size from 64k to 1024t (bytes, or a number with k, m, g or t)';
const LONG = 'x'.repeat(250);

function quotasOf(given: readonly string[], environment: NodeJS.ProcessEnv = {}): unknown {
  return readServeSettings(given.length === 0 ? {} : { quota: given }, environment).server.quotas;
}

function memcachedQuotasOf(...args: string[]): unknown {
  const command = readMemcachedCommand(args, { TUGELA_QUOTA: 'other=1g' });
  return command.kind === 'serve' ? command.settings.server.quotas : undefined;
}

describe('--quota', () => {
  test('may be repeated, or have commas', () => {
    const quotas = [
      { prefix: 'enwiki:', bytes: 10 * 2 ** 30 },
      { prefix: 'dewiki:', bytes: 65_536 },
      { prefix: 'enwiki:parser', bytes: 2 ** 20 },
    ];
    expect(quotasOf(['enwiki:=10g', 'dewiki:=65536', 'enwiki:parser=1m'])).toEqual(quotas);
    expect(quotasOf(['enwiki:=10g, dewiki:=65536', 'enwiki:parser=1m'])).toEqual(quotas);
    expect(quotasOf([], { TUGELA_QUOTA: 'enwiki:=10g,dewiki:=64k,enwiki:parser=1m' })).toEqual(quotas);
  });

  test('may have any byte in a prefix, = among them', () => {
    expect(quotasOf(['a=b==1m', 'a%2Cb%25%00%ff=1m', 'grün=1m', `${LONG}=1m`])).toEqual([
      { prefix: 'a=b=', bytes: 2 ** 20 },
      { prefix: 'a,b%\0ÿ', bytes: 2 ** 20 },
      { prefix: 'grÃ¼n', bytes: 2 ** 20 },
      { prefix: LONG, bytes: 2 ** 20 },
    ]);
  });

  test('in a file is a text or an array, and none on the command line takes it back', () => {
    const path = join(tempDirectory(), 'config.json');
    writeFileSync(path, JSON.stringify({ quota: ['a:=1m', 'b:=2m'] }));
    expect(readServeSettings({ config: path }, {}).server.quotas).toEqual([{ prefix: 'a:', bytes: 2 ** 20 }, { prefix: 'b:', bytes: 2 ** 21 }]);
    expect(readServeSettings({ config: path, quota: ['none'] }, {}).server.quotas).toEqual([]);
    writeFileSync(path, JSON.stringify({ quota: [] }));
    expect(readServeSettings({ config: path }, {}).server.quotas).toEqual([]);
    writeFileSync(path, JSON.stringify({ quota: 5 }));
    expect(() => readServeSettings({ config: path }, {})).toThrow('write a JSON string or array of strings: PREFIX=SIZE');
  });

  test.each([
    [['a'], `'a' is not PREFIX=SIZE, with a prefix of 1 to 250 bytes, where %XX stands for any byte, and ${SIZE}`],
    [['=1m'], "'=1m' has no prefix; --disk-limit is for all items together"],
    [['a='], `'a=' has a size that is not ${SIZE}`],
    [['a=65535'], `'a=65535' has a size that is not ${SIZE}`],
    [['a=1.5m'], `'a=1.5m' has a size that is not ${SIZE}`],
    [['a=2000t'], `'a=2000t' has a size that is not ${SIZE}`],
    [[`${LONG}y=1m`], `'${LONG}y=1m' has a prefix of 251 bytes, and no key has more than 250`],
    [['a%2=1m'], "'a%2=1m' has a % that is not followed by two hexadecimal digits; %25 is a % itself"],
    [['a:=1m', 'a%3a=2m'], "'a%3a=2m' is for a prefix that has a quota already"],
    [['a=1m', 'none'], "'none' is not PREFIX=SIZE"],
    [['a=1m,'], "'' is not PREFIX=SIZE"],
  ])('%j is refused', (given, problem) => {
    expect(() => quotasOf(given)).toThrow(`--quota: ${problem}`);
  });

  test('is an option of tugela-ts memcached too', () => {
    expect(memcachedQuotasOf('--quota', 'a:=1m', '-m', '64', '--quota=b:=2m')).toEqual([{ prefix: 'a:', bytes: 2 ** 20 }, { prefix: 'b:', bytes: 2 ** 21 }]);
    expect(memcachedQuotasOf('-m', '64')).toEqual([{ prefix: 'other', bytes: 2 ** 30 }]);
    expect(() => memcachedQuotasOf('--quota', 'a')).toThrow("--quota: 'a' is not PREFIX=SIZE");
  });
});
