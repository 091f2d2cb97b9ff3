import type { Logger } from 'pino';
import type { AuthCounts } from '../auth/auth-counts.ts';
import { PasswordFile } from '../auth/password-file.ts';
import { SaslAuthority } from '../auth/sasl.ts';
import type { ServeConfig } from '../config.ts';
import type { TlsCounts } from './tls-accept.ts';
import { TlsFiles } from './tls-files.ts';

/** The files of passwords and certificates: read at the start, and again when somebody asks for that. */
export class Credentials {
  /** Undefined without TLS. */
  readonly tls: { readonly files: TlsFiles; readonly counts: TlsCounts } | undefined;
  /** Of the text protocol; undefined = its clients need not authenticate. */
  readonly passwords: PasswordFile | undefined;
  /** Of the binary protocol; undefined = its clients need not authenticate. */
  readonly sasl: SaslAuthority | undefined;
  /** Attempts to authenticate, in either protocol. */
  readonly attempts: AuthCounts = { commands: 0, errors: 0 };
  readonly #logger: Logger;

  /** Nothing is read yet. */
  constructor({ tls, authFile, saslFile }: ServeConfig, logger: Logger) {
    this.#logger = logger;
    this.tls = tls === undefined ? undefined : { files: new TlsFiles(tls), counts: { handshakeErrors: 0, protocolErrors: 0, newSessions: 0 } };
    this.passwords = authFile === undefined ? undefined : new PasswordFile(authFile);
    // Realms are Cyrus' way to write users.
    this.sasl = saslFile === undefined ? undefined : new SaslAuthority(new PasswordFile(saslFile, true), this.attempts, logger);
  }

  /**
   * Reads what the server cannot start without.
   *
   * @throws TugelaError TUGELA_USAGE
   */
  async load(): Promise<void> {
    await this.tls?.files.load();
    await this.passwords?.reload();
    this.#warn();
  }

  /** Reads all again; what is wrong is logged, and the old ones stay. */
  reload(): void {
    if (this.tls !== undefined) void this.refreshCertificates();
    this.passwords?.reload().then(
      () => {
        this.#logger.info('passwords read again');
        this.#warn();
      },
      (error: unknown) => this.#logger.error({ err: error }, 'passwords not read again, the old ones stay'),
    );
  }

  /** Reads the certificates again. Undefined = done, otherwise what is wrong: then the old ones stay. */
  async refreshCertificates(): Promise<string | undefined> {
    if (this.tls === undefined) return 'Error TLS not enabled';
    const problem = await this.tls.files.refresh();
    if (problem === undefined) this.#logger.info('certificates read again');
    else this.#logger.error({ problem }, 'certificates not read again, the old ones stay');
    return problem;
  }

  #warn(): void {
    if (this.passwords?.warning !== undefined) this.#logger.warn(this.passwords.warning);
  }
}
