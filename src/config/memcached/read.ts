import { assertListens, type NameOf } from '../check-together.ts';
import type { OptionTable } from '../option.ts';
import { readEnvironment, type Resolved, resolveOptions, type Said, usageError } from '../resolve.ts';
import { serveOptions, type ServeOptions } from '../serve-options.ts';
import { type ServeSettings, settle } from '../settle.ts';
import { formatBytes } from '../value-type.ts';
import { Draft } from './draft.ts';
import { type Form, memcachedForms, OWN_KEYS, ownForms, type Question } from './forms.ts';
import { readWords } from './getopt.ts';

/** What a command line of memcached's asks for. */
export type MemcachedCommand =
  | { readonly kind: Question }
  | { readonly kind: 'serve'; readonly settings: ServeSettings; readonly daemon: boolean };

/** What differs from `serve` when nobody says anything: memcached is silent, and frees memory by itself. */
const DEFAULTS: ReadonlyMap<string, Said> = new Map([
  ['logLevel', { text: 'warn', place: 'default' }],
  ['expireEvery', { text: '60', place: 'default' }],
]);

/** How errors name what memcached has letters for. */
const NAMES: Readonly<Partial<Record<keyof ServeOptions, string>>> = {
  listen: '-l',
  socket: '-s',
  udpPort: '-U',
  protocol: '-B',
  authFile: '-Y',
  enableSasl: '-S',
  saslFile: 'MEMCACHED_SASL_PWDB',
  tls: '-Z',
  tlsCert: '-o ssl_chain_cert',
  tlsKey: '-o ssl_key',
};

/**
 * Reads the command line of `tugela-ts memcached`: memcached's options, with Tugela's own under long names, which the
 * environment may also say. Throws `TUGELA_USAGE`.
 */
export function readMemcachedCommand(args: readonly string[], environment: NodeJS.ProcessEnv): MemcachedCommand {
  const { options, rest } = readWords<Form>(args, [...memcachedForms, ...ownForms]);
  const draft = new Draft();
  for (const { form, place, value } of options) {
    if (form.question !== undefined) return { kind: form.question };
    form.apply?.(draft, value, place);
  }
  if (rest.length > 0) draft.notices.push(`not an option, and ignored as memcached ignores it: ${rest.join(' ')}`);
  return { kind: 'serve', settings: settingsOf(draft, environment), daemon: draft.daemon };
}

function settingsOf(draft: Draft, environment: NodeJS.ProcessEnv): ServeSettings {
  settleAddresses(draft);
  settleTls(draft);
  const own: OptionTable = Object.fromEntries(OWN_KEYS.map((key) => [key, serveOptions[key]]));
  const resolved = resolveOptions(serveOptions, {
    commandLine: draft.said,
    environment: readEnvironment(own, environment),
    file: new Map([...DEFAULTS, ...(draft.memoryFile === undefined ? [] : [['file', draft.memoryFile] as const])]),
  });
  const nameOf = namesIn(draft);
  if (!draft.withoutTcp) assertListens(resolved, nameOf);
  checkItemSize(resolved);
  if (resolved.values.enableSasl && (environment['MEMCACHED_SASL_PWDB'] ?? '') === '') {
    throw usageError('-S: needs a file of user:password lines; name it in the variable MEMCACHED_SASL_PWDB');
  }
  const settings = settle(resolved, environment, nameOf);
  return { ...settings, server: serverOf(settings, resolved, draft), notices: noticesOf(draft, settings.notices) };
}

/** memcached's rules on which of -p, -U, -s and -l count. */
function settleAddresses(draft: Draft): void {
  const { said, listen } = draft;
  const udp = said.get('udpPort');
  if (said.has('socket')) {
    draft.say('listen', 'none', '-s');
    said.delete('udpPort');
    return;
  }
  if (udp !== undefined && udp.text !== 'none') {
    if (draft.withoutTcp) throw usageError(`${udp.place}: UDP is served on the addresses of TCP, and -p 0 leaves none`);
    if (!said.has('port')) draft.say('port', udp.text, udp.place);
  }
  if (draft.withoutTcp) {
    draft.say('listen', 'none', '-p');
  } else if (listen.length > 0) {
    draft.say('listen', listen.join(','), '-l');
  } else {
    draft.notices.push("listening on 127.0.0.1 only, where memcached listens on every address; -l '*' does that");
  }
}

function settleTls(draft: Draft): void {
  const { said } = draft;
  if (said.has('tls')) {
    const cert = said.get('tlsCert');
    if (cert !== undefined && !said.has('tlsKey')) draft.say('tlsKey', cert.text, cert.place);
    return;
  }
  // memcached takes ssl_ words without -Z and serves without TLS.
  const idle = [...said].filter(([key]) => key.startsWith('tls')).map(([, { place }]) => place);
  if (idle.length > 0) draft.notices.push(`${idle.join(', ')}: no effect without -Z`);
  draft.say('tls', 'false', '-Z');
}

/** memcached's rule, so that a command line is right for both. */
function checkItemSize({ values, layerOf }: Resolved<ServeOptions>): void {
  const { maxItemSize, memory } = values;
  if (maxItemSize <= (memory * 1024 ** 2) / 2) return;
  const size = `${formatBytes(maxItemSize)}${layerOf.maxItemSize === 'default' ? ', the default,' : ''}`;
  throw usageError(`-I: ${size} is more than half of -m ${memory}, the most that memcached allows`);
}

function serverOf({ server }: ServeSettings, { values, layerOf }: Resolved<ServeOptions>, draft: Draft): ServeSettings['server'] {
  const { tls } = server;
  return {
    ...server,
    // As in memcached, which has no ports to tell of then.
    portFile: server.socket === undefined ? server.portFile : undefined,
    // The daemon sweeps; two at once would do no harm, but nobody asked for the second.
    expireEvery: values.withExpire && layerOf.expireEvery === 'file' ? 0 : server.expireEvery,
    tls: tls === undefined ? undefined : { ...tls, writeBuffer: draft.tlsWriteBuffer ?? tls.writeBuffer },
  };
}

function noticesOf(draft: Draft, others: readonly string[]): string[] {
  const extended = [...draft.ignored].map(([reason, words]) => `-o ${words.join(', ')}: no effect here: ${reason}`);
  return [...draft.notices, ...others, ...extended];
}

/** An option goes by the name it was given by, or else by its letter. */
function namesIn({ said }: Draft): NameOf {
  return (key) => {
    const place = said.get(key)?.place;
    const isOurs = place?.startsWith('-') === true && key !== 'listen';
    return (isOurs ? place : undefined) ?? NAMES[key] ?? `--${serveOptions[key].name}`;
  };
}
