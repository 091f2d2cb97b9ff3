import { readFile } from 'node:fs/promises';
import { createSecureContext, DEFAULT_CIPHERS, type SecureContextOptions } from 'node:tls';
import { constants } from 'node:crypto';
import type { TlsConfig } from '../config.ts';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';

/** What takes new certificates: a TLS server, for the connections that it accepts from then on. */
export interface TlsUser {
  setSecureContext(options: SecureContextOptions): void;
}

/**
 * The certificate, its key and the authorities, as last read without error, and what is made of them. Servers that
 * use them are told when they change; connections there are keep what they have.
 */
export class TlsFiles {
  readonly config: TlsConfig;
  readonly #nowMs: () => number;
  readonly #users = new Set<TlsUser>();
  #context: SecureContextOptions | undefined;
  #refreshedAt = 0;

  /** Nothing is read yet. */
  constructor(config: TlsConfig, nowMs: () => number = () => performance.now()) {
    this.config = config;
    this.#nowMs = nowMs;
  }

  /** What a TLS server is made of. REQUIRES: `load` has succeeded */
  get context(): SecureContextOptions {
    if (this.#context === undefined) throw new TypeError('The TLS files were not read');
    return this.#context;
  }

  /** Whole seconds since the files were last read without error. */
  get secondsSinceRefresh(): number {
    return Math.floor((this.#nowMs() - this.#refreshedAt) / 1000);
  }

  /**
   * Reads the files and looks whether they fit each other. When that fails, what was read before stays in use.
   *
   * @throws TugelaError TUGELA_USAGE
   */
  async load(): Promise<void> {
    const context = await this.#read();
    this.#context = context;
    this.#refreshedAt = this.#nowMs();
    for (const user of this.#users) user.setSecureContext(context);
  }

  /** As `load`, but returns what went wrong, in one line; undefined = nothing. */
  async refresh(): Promise<string | undefined> {
    try {
      await this.load();
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** Tells a server of changes until it is forgotten. */
  follow(user: TlsUser): void {
    this.#users.add(user);
  }

  forget(user: TlsUser): void {
    this.#users.delete(user);
  }

  async #read(): Promise<SecureContextOptions> {
    const { config } = this;
    const [cert, key, ca] = await Promise.all([
      read(config.cert, 'certificate'),
      read(config.key, 'key'),
      config.ca === undefined ? undefined : read(config.ca, 'authorities'),
    ]);
    const ciphers = ciphersOf(config);
    const context: SecureContextOptions = {
      cert,
      key,
      ...(ca === undefined ? {} : { ca }),
      ...(ciphers === undefined ? {} : { ciphers }),
      minVersion: config.minVersion,
      // Without tickets nothing can be resumed: Node keeps no sessions of its own.
      secureOptions: config.sessionCache ? 0 : constants.SSL_OP_NO_TICKET,
    };
    try {
      createSecureContext(context);
    } catch (cause) {
      const state = `${messageOf(cause)} (certificate ${config.cert}, key ${config.key})`;
      throw new TugelaError('TUGELA_USAGE', `Cannot use TLS: ${state}`, { cause });
    }
    return context;
  }
}

/** OpenSSL 3 has no ciphers for TLS 1.0 and 1.1 unless its security level is lowered; who asks for them wants them. */
function ciphersOf({ ciphers, minVersion }: TlsConfig): string | undefined {
  if (ciphers !== undefined) return ciphers;
  return minVersion === 'TLSv1' || minVersion === 'TLSv1.1' ? `${DEFAULT_CIPHERS}:@SECLEVEL=0` : undefined;
}

async function read(path: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const state = systemCodeOf(cause) === 'ENOENT' ? 'there is no such file' : messageOf(cause);
    throw new TugelaError('TUGELA_USAGE', `Cannot read the TLS ${what} ${path}: ${state}`, { cause });
  }
}
