/** What a stand-in for the server is made of. All paths are absolute. */
export interface StandIn {
  /** The words that start the server with memcached's command line behind them. */
  readonly server: readonly string[];
  /** A file with the server's own answer to `-h`, which the tests ask for again and again. */
  readonly helpFile: string;
  /** Every server gets a directory of its own in here. */
  readonly dataDirectory: string;
}

/**
 * The script in the place of memcached-debug. It becomes the server, so that signals and waiting reach that. The words
 * of the tests are passed on as they are. With `-e` they name the place of the store themselves, one for two starts.
 */
export function serverScript({ server, helpFile, dataDirectory }: StandIn): string {
  return `#!/bin/sh
if [ "$*" = -h ]; then exec cat ${quote(helpFile)}; fi
case " $* " in
  *' -e '*) ;;
  *) set -- --file "$(mktemp -d ${quote(`${dataDirectory}/XXXXXX`)})" "$@" ;;
esac
# Standard output is where the test tells its results.
exec ${server.map(quote).join(' ')} "$@" >&2
`;
}

/** The script in the place of timedrun: the suite has time limits of its own, and signals need no passing on. */
export const timedrunScript = `#!/bin/sh
shift
exec "$@"
`;

/** The script in the place of saslpasswd2, which memcached's tests call with `-a APP -u REALM -c -p USER`. */
export const saslpasswdScript = `#!/bin/sh
while getopts a:u:cp option; do
  if [ "$option" = u ]; then realm=$OPTARG; fi
done
shift $((OPTIND - 1))
read -r password
printf '%s@%s:%s\\n' "$1" "$realm" "$password" >> "$MEMCACHED_SASL_PWDB"
`;

const MOVE_TIME = /^sub mem_move_time \{.*?^\}/ms;

/**
 * Makes the module of the tests wait where it would move the clock of a debug build. One second more than asked for:
 * a moved clock is past the second in question, a waiting client may be at its beginning. Throws when the module has
 * no such place.
 */
export function withRealTime(perlModule: string): string {
  if (!MOVE_TIME.test(perlModule)) throw new Error('MemcachedTest.pm has no sub mem_move_time: this is not memcached 1.6.45');
  return perlModule.replace(MOVE_TIME, 'sub mem_move_time {\n    my (undef, $seconds) = @_;\n    sleep($seconds + 1);\n}');
}

/** For the shell, as one word. */
function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
