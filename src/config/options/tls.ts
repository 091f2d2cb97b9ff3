import type { TlsConfig } from '../../config.ts';
import { option } from '../option.ts';
import { flag, oneOf, text } from '../value-type.ts';

const group = 'TLS:';

const VERSIONS = ['1.0', '1.1', '1.2', '1.3'] as const;
const VERIFY_MODES = ['none', 'request', 'require'] as const satisfies readonly TlsConfig['verify'][];

/** Encryption of TCP connections. */
export const tlsOptions = {
  tls: option({
    name: 'tls',
    short: 'Z',
    group,
    type: flag(),
    default: false,
    description: 'TLS on all TCP addresses but those with notls: in front; needs --tls-cert and --tls-key',
  }),
  tlsCert: option<string | undefined>({
    name: 'tls-cert',
    argument: 'path',
    group,
    type: text('a path'),
    default: undefined,
    description: "PEM file with the server's certificate and its chain",
  }),
  tlsKey: option<string | undefined>({
    name: 'tls-key',
    argument: 'path',
    group,
    type: text('a path'),
    default: undefined,
    description: "PEM file with the certificate's private key",
  }),
  tlsCa: option<string | undefined>({
    name: 'tls-ca',
    argument: 'path',
    group,
    type: text('a path'),
    default: undefined,
    description: "PEM file of the authorities that sign clients' certificates; without it the system's",
  }),
  tlsVerify: option<TlsConfig['verify']>({
    name: 'tls-verify',
    argument: 'how',
    group,
    type: oneOf(...VERIFY_MODES),
    default: 'none',
    defaultText: 'none',
    description: 'whether clients are asked for a certificate, and whether they must have a good one',
  }),
  tlsCiphers: option<string | undefined>({
    name: 'tls-ciphers',
    argument: 'list',
    group,
    type: text("a list of ciphers in OpenSSL's form"),
    default: undefined,
    description: "ciphers allowed; without it Node's choice",
  }),
  tlsMinVersion: option<(typeof VERSIONS)[number]>({
    name: 'tls-min-version',
    argument: 'version',
    group,
    type: oneOf(...VERSIONS),
    default: '1.2',
    defaultText: '1.2',
    description: 'oldest version of TLS allowed',
  }),
  tlsSessionCache: option({
    name: 'tls-session-cache',
    group,
    type: flag(),
    default: false,
    description: 'let clients resume a session instead of a full handshake',
  }),
} as const;
