import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from '../log.ts';
import { messageOf } from '../errors.ts';
import type { AuthCounts } from './auth-counts.ts';
import type { PasswordFile } from './password-file.ts';
import type { Passwords } from './passwords.ts';

/*
 * Mechanisms:
 *
 *   PLAIN (RFC 4616)      client: [AUTHZID] NUL USER NUL PASSWORD
 *   CRAM-MD5 (RFC 2195)   server: "<" random "@" host ">"
 *                         client: USER SP hex(HMAC-MD5(PASSWORD, challenge))
 *
 * Both need the passwords themselves. PLAIN sends them in the clear: use TLS.
 */

/** The names of the mechanisms, as clients are told. */
export const SASL_MECHANISMS = 'CRAM-MD5 PLAIN';

const NUL = 0x00;
const SPACE = 0x20;
const RANDOM_BYTES = 16;

/** What a step of an authentication came to. */
export type SaslOutcome = { readonly kind: 'done' | 'failed' } | { readonly kind: 'continue'; readonly challenge: Buffer };

const DONE: SaslOutcome = { kind: 'done' };
const FAILED: SaslOutcome = { kind: 'failed' };

interface Exchange {
  readonly mechanism: 'PLAIN' | 'CRAM-MD5';
  readonly challenge: Buffer;
}

/**
 * Decides who is who by SASL, with the passwords of a file that is looked at for each attempt. Knows no connection:
 * whoever asks has a session object, to which an exchange under way belongs.
 */
export class SaslAuthority {
  readonly counts: AuthCounts;
  readonly #file: PasswordFile;
  readonly #logger: Logger;
  readonly #host = hostname();
  /** Exchanges in which the client is to send a response. */
  readonly #exchanges = new WeakMap<object, Exchange>();
  /** The last trouble with the file that was logged: once is enough, however many attempts there are. */
  #trouble = '';

  constructor(file: PasswordFile, counts: AuthCounts, logger: Logger) {
    this.#file = file;
    this.counts = counts;
    this.#logger = logger;
  }

  /** Looks at the file, and logs what is wrong with it. Nothing fails: it may well be written later. */
  async check(): Promise<void> {
    await this.#passwords();
  }

  /** Begins an exchange. `response` may be empty: the client then waits for a challenge. It must not change meanwhile. */
  async start(session: object, mechanism: string, response: Buffer): Promise<SaslOutcome> {
    this.#exchanges.delete(session);
    // Names of mechanisms are upper case, but some clients send them otherwise and Cyrus does not mind.
    switch (mechanism.toUpperCase()) {
      case 'PLAIN':
        if (response.length > 0) return await this.#finish((passwords) => provesPlain(passwords, response));
        return this.#challenge(session, { mechanism: 'PLAIN', challenge: Buffer.alloc(0) });
      case 'CRAM-MD5':
        // The server speaks first.
        if (response.length > 0) return this.#count(FAILED);
        return this.#challenge(session, { mechanism: 'CRAM-MD5', challenge: this.#newChallenge() });
      default:
        return this.#count(FAILED);
    }
  }

  /** Goes on with the exchange of a session, which ends with it. Fails when none was begun. */
  async step(session: object, mechanism: string, response: Buffer): Promise<SaslOutcome> {
    const exchange = this.#exchanges.get(session);
    this.#exchanges.delete(session);
    if (exchange === undefined || mechanism.toUpperCase() !== exchange.mechanism) return this.#count(FAILED);
    return await this.#finish((passwords) =>
      exchange.mechanism === 'PLAIN' ? provesPlain(passwords, response) : provesCramMd5(passwords, exchange.challenge, response),
    );
  }

  #challenge(session: object, exchange: Exchange): SaslOutcome {
    this.#exchanges.set(session, exchange);
    return { kind: 'continue', challenge: exchange.challenge };
  }

  #newChallenge(): Buffer {
    return Buffer.from(`<${randomBytes(RANDOM_BYTES).toString('hex')}@${this.#host}>`, 'latin1');
  }

  async #finish(proves: (passwords: Passwords) => boolean): Promise<SaslOutcome> {
    const passwords = await this.#passwords();
    // Without passwords nobody can prove anything.
    return this.#count(passwords !== undefined && proves(passwords) ? DONE : FAILED);
  }

  async #passwords(): Promise<Passwords | undefined> {
    try {
      const passwords = await this.#file.fresh();
      this.#tell(this.#file.warning ?? '');
      return passwords;
    } catch (error) {
      this.#tell(messageOf(error));
      return undefined;
    }
  }

  #tell(trouble: string): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (trouble !== '') this.#logger.warn(trouble);
  }

  #count(outcome: SaslOutcome): SaslOutcome {
    this.counts.commands++;
    if (outcome.kind === 'failed') this.counts.errors++;
    return outcome;
  }
}

function provesPlain(passwords: Passwords, response: Buffer): boolean {
  const first = response.indexOf(NUL);
  const second = response.indexOf(NUL, first + 1);
  if (first < 0 || second < 0 || response.includes(NUL, second + 1)) return false;
  const user = response.subarray(first + 1, second);
  // Nobody may act as another user.
  if (first > 0 && !response.subarray(0, first).equals(user)) return false;
  return passwords.verify(user, response.subarray(second + 1));
}

function provesCramMd5(passwords: Passwords, challenge: Buffer, response: Buffer): boolean {
  const space = response.lastIndexOf(SPACE);
  if (space < 0) return false;
  const sent = Buffer.from(response.toString('latin1', space + 1), 'hex');
  const known = passwords.passwordsOf(response.subarray(0, space));
  // An unknown user costs the same work, and never matches.
  const isKnown = known.length > 0;
  let isRight = false;
  for (const password of isKnown ? known : [challenge]) {
    const expected = createHmac('md5', password).update(challenge).digest();
    isRight = (sent.length === expected.length && timingSafeEqual(sent, expected)) || isRight;
  }
  return isKnown && isRight;
}
