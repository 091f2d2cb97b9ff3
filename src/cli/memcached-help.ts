import { extendedHelp, type Form, memcachedForms, ownForms } from '../config/memcached/forms.ts';
import { packageVersion, protocolVersion } from '../version.ts';

/** Column of the descriptions, as in memcached's own help. */
const COLUMN = 28;
const WIDTH = 110;

const NOTES = `Other than memcached it listens on 127.0.0.1 unless -l is given, keeps items on disk in the directory that
--file or -e names (./data), frees the space of expired ones every 60 seconds, and logs one JSON object a
line on stderr. The long options above that memcached does not have can also be said in the environment,
as TUGELA_FILE and so on. MEMCACHED_PORT_FILENAME and MEMCACHED_SASL_PWDB mean what they mean to memcached.

Signals: SIGTERM, SIGINT and SIGUSR1 stop in order. SIGHUP reads the password file and the certificates again.
`;

/**
 * What `-V` prints. Scripts take the second word, or the first number, for the version of memcached.
 */
export function memcachedVersionLine(): string {
  const [version = ''] = protocolVersion().split('-');
  return `memcached ${version} (tugela-ts ${packageVersion()})\n`;
}

/** What `-h` prints. Test suites and scripts look for names of options in it to learn what there is. */
export function memcachedHelp(): string {
  return [
    memcachedVersionLine(),
    "Usage: tugela-ts memcached [options], with memcached's own options:\n\n",
    ...memcachedForms.map(describe),
    ...extendedHelp.map(([words, description]) => line(`   - ${words}:`, description)),
    '\nand with those that memcached does not have:\n\n',
    ...ownForms.map(describe),
    `\n${NOTES}`,
  ].join('');
}

function describe({ letter, longs, argument, description }: Form): string {
  const value = argument === undefined ? '' : `<${argument}>`;
  const long = longs[0] === undefined ? undefined : `--${longs[0]}${value === '' ? '' : `=${value}`}`;
  const names = letter === undefined ? long : long === undefined ? `-${letter} ${value}` : `-${letter}, ${long}`;
  return line(names ?? '', description);
}

function line(name: string, description: string): string {
  const [first = '', ...others] = wrap(description, WIDTH - COLUMN);
  const gap = name.length >= COLUMN ? `\n${' '.repeat(COLUMN)}` : ' '.repeat(COLUMN - name.length);
  return `${name}${gap}${first}\n${others.map((other) => `${' '.repeat(COLUMN)}${other}\n`).join('')}`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
