import { usageError } from '../resolve.ts';
import type { Draft } from './draft.ts';

/** Does what one word of `-o` says; `value` is undefined where there is no `=`. */
type Apply = (draft: Draft, value: string, place: string) => void;

interface Extended {
  readonly takesValue: boolean;
  readonly apply: Apply;
}

const RAM = 'they tune how memcached keeps items in memory; items are kept otherwise here';
const THREADS = 'all requests are executed by one thread';
const PRIVILEGES = 'the process has no system call filter; --user is what there is';

const VERIFY = ['none', 'request', 'require', 'require'] as const;
const VERSIONS = ['1.0', '1.1', '1.2', '1.3'] as const;

/** A word that has its effect. */
function word(apply: Apply): Extended {
  return { takesValue: false, apply };
}

/** `word=value`. */
function setting(apply: Apply): Extended {
  return { takesValue: true, apply };
}

const EXTENDED: Readonly<Record<string, Extended>> = {
  idle_timeout: setting((draft, value, place) => draft.say('idleTimeout', String(draft.number(value, place)), place)),
  watcher_logbuf_size: setting((draft, value, place) => draft.say('watcherBuffer', String(kilobytes(draft, value, place)), place)),
  track_sizes: word((draft, _value, place) => draft.say('trackSizes', 'true', place)),
  // What Tugela always does.
  maxconns_fast: word(() => undefined),
  ssl_chain_cert: setting((draft, value, place) => draft.say('tlsCert', value, place)),
  ssl_key: setting((draft, value, place) => draft.say('tlsKey', value, place)),
  ssl_ca_cert: setting((draft, value, place) => draft.say('tlsCa', value, place)),
  ssl_ciphers: setting((draft, value, place) => draft.say('tlsCiphers', value, place)),
  ssl_verify_mode: setting((draft, value, place) => draft.say('tlsVerify', chosen(draft, value, place, VERIFY, 'none, request, require, once'), place)),
  ssl_min_version: setting((draft, value, place) => draft.say('tlsMinVersion', chosen(draft, value, place, VERSIONS, 'TLS 1.0, 1.1, 1.2, 1.3'), place)),
  ssl_session_cache: word((draft, _value, place) => draft.say('tlsSessionCache', 'true', place)),
  ssl_wbuf_size: setting((draft, value, place) => {
    draft.tlsWriteBuffer = kilobytes(draft, value, place);
  }),
  ssl_keyformat: setting((draft, value, place) => {
    if (draft.number(value, place) !== 1) throw usageError(`${place}: '${value}' is not 1 (PEM), the one format of keys that is read`);
  }),
};

/** Words that are taken, with or without a value, and do nothing; and why. */
const IGNORED: readonly (readonly [RegExp, string])[] = [
  [/^(no_)?(slab|lru|hot|warm|hash)_?[a-z_]*$/, RAM],
  [/^(temporary_ttl|tail_repair_time|no_chunked_items|expirezero_does_not_evict|(no_)?modern)$/, RAM],
  [/^(read_buf_mem_limit|resp_obj_mem_limit|(no_)?inline_ascii_resp)$/, RAM],
  [/^worker_logbuf_size$/, THREADS],
  [/^no_maxconns_fast$/, 'connections over the limit are always told so and closed'],
  [/^((no_)?drop_privileges|relaxed_privileges)$/, PRIVILEGES],
  [/^ssl_kernel_tls$/, 'Node encrypts by itself'],
];

const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/^(no_)?ext_/, 'there is no external storage to set up: every item is on disk'],
  [/^proxy_/, 'there is no proxy'],
];

/** Reads the value of one `-o`: words with commas between them. Throws `TUGELA_USAGE`. */
export function readExtended(draft: Draft, text: string): void {
  for (const written of text.split(',')) {
    // A comma too many is no reason not to start.
    if (written !== '') readOne(draft, written);
  }
}

function readOne(draft: Draft, written: string): void {
  const [, name = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(written) ?? [];
  const place = `-o ${name}`;
  const refusal = REFUSED.find(([pattern]) => pattern.test(name));
  if (refusal !== undefined) throw usageError(`${place}: ${refusal[1]}`);
  const extended = Object.hasOwn(EXTENDED, name) ? EXTENDED[name] : undefined;
  if (extended === undefined) {
    const reason = IGNORED.find(([pattern]) => pattern.test(name));
    if (reason === undefined) throw usageError(`${place}: there is no such option; see -h`);
    draft.ignore(name, reason[1]);
    return;
  }
  if (extended.takesValue && (value === undefined || value === '')) throw usageError(`${place}: needs a value, as in ${name}=…`);
  extended.apply(draft, value ?? '', place);
}

/** As a number of bytes. */
function kilobytes(draft: Draft, value: string, place: string): number {
  const size = draft.number(value, place);
  if (size < 1) throw usageError(`${place}: '${value}' is not a number of kilobytes above 0`);
  return size * 1024;
}

/** The word that memcached has a number for. */
function chosen(draft: Draft, value: string, place: string, words: readonly string[], meanings: string): string {
  const found = words[draft.number(value, place)];
  if (found === undefined) throw usageError(`${place}: '${value}' is not one of 0 to ${words.length - 1} (${meanings})`);
  return found;
}
